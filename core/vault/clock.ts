/**
 * The time of a vault: the clock's, but never before the newest time in its log.
 *
 * All that a vault stores begins and ends by this time, so a clock that is set back revives nothing. Proofs and
 * assertions that others date (DPoP, OpenID, TOTP codes, AWS signatures) are checked at the edge, by the clock as it
 * is.
 *
 * @module
 */
import { HOUR_MS } from '../durations.ts'

/** A smaller difference is not a clock that was set back: two readings came out of order, or the clock was slewed. */
const TOLERANCE_MS = 1000
/**
 * The most time that passes at once while the clock is behind. A larger step may be a clock that was set, so that the
 * time of the vault must not follow it.
 */
const MAX_STEP_MS = HOUR_MS

/** The time of a vault, and what the clock shows: others date what they sign by their own. In milliseconds since the Unix epoch. */
export interface Time {
  now: number
  clock: number
}

/** Turns readings of a clock into times that never go back. */
export class VaultClock {
  #latest: number
  #clock: number | null = null
  #toldMs = 0
  readonly #onBehind: (behindMs: number) => void

  /**
   * @param newest The newest time of the log, in milliseconds since the Unix epoch; `null` for an empty one.
   * @param onBehind Told once by how many milliseconds the clock is behind, again when that grows, and 0 when it is right.
   */
  constructor(newest: number | null, onBehind: (behindMs: number) => void = () => {}) {
    this.#latest = newest ?? Number.NEGATIVE_INFINITY
    this.#onBehind = onBehind
  }

  /**
   * The time of the vault. While the clock is behind, time continues from the newest known time at the speed of the
   * clock, so that lifetimes keep their length.
   *
   * @param clock The reading of the clock, in milliseconds since the Unix epoch.
   */
  read(clock: number): number {
    const passed = Math.max(0, clock - (this.#clock ?? clock))
    const behindMs = this.#latest - clock
    this.#clock = clock
    // A step that makes up for most of the difference corrects the clock. It is not time that passed.
    const isCorrection = behindMs * 9 < passed
    if (behindMs > 0 && !isCorrection) this.#latest += Math.min(passed, MAX_STEP_MS)
    this.#latest = Math.max(this.#latest, clock)
    this.#tell(this.#latest - clock)
    return this.#latest
  }

  /** Whether the clock was behind when it was read last. */
  get isBehind(): boolean {
    return this.#toldMs > 0
  }

  #tell(behindMs: number): void {
    const isRight = behindMs < TOLERANCE_MS
    if (isRight ? this.#toldMs === 0 : behindMs < this.#toldMs + TOLERANCE_MS) return
    this.#toldMs = isRight ? 0 : behindMs
    this.#onBehind(this.#toldMs)
  }
}
