/**
 * The time of a vault: the clock's, but never before what its log has seen.
 *
 * Everything that a vault keeps begins and ends by this time, so a clock that is set back revives nothing. What is
 * checked against the clocks of others (DPoP proofs, assertions, TOTP codes, AWS signatures) is the edge's, and stays
 * with the clock as it is.
 *
 * @module
 */

/** Less is no clock that was set back: two readings were told in another order, or the clock was slewed. */
const TOLERANCE_MS = 1000
/**
 * The most time that passes at once while the clock is behind. A larger step may be a clock that was set, so that the
 * time of the vault must not follow it.
 */
const MAX_STEP_MS = 60 * 60_000

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
   * The time of the vault. While the clock is behind, time goes on from the newest that is known as the clock runs: what
   * is made then lasts as long as always.
   *
   * @param clock What the clock shows, in milliseconds since the Unix epoch.
   */
  read(clock: number): number {
    const passed = Math.max(0, clock - (this.#clock ?? clock))
    const behindMs = this.#latest - clock
    this.#clock = clock
    // A step that makes up for most of the difference sets the clock right: it is no time that passed.
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
