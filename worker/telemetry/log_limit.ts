/**
 * A limit for lines of the operational log that strangers can cause.
 *
 * @module
 */

const PERIOD_MS = 60_000
const MAX_LINES = 20

/** Admits twenty lines of one kind a minute. */
export class LogLimit {
  /** The lines of this minute, by kind. */
  readonly #lines = new Map<string, number>()
  #since = 0

  /**
   * Takes the place of one line.
   *
   * @param kind The kind to count. It must not come from a request, or strangers could make kinds at will.
   * @param now Milliseconds since the Unix epoch.
   * @returns How many more lines of this kind the minute has places for; `null` if it has no place for this one.
   */
  take(kind: string, now: number): number | null {
    if (Math.abs(now - this.#since) >= PERIOD_MS) {
      this.#lines.clear()
      this.#since = now
    }
    const lines = (this.#lines.get(kind) ?? 0) + 1
    this.#lines.set(kind, lines)
    return lines <= MAX_LINES ? MAX_LINES - lines : null
  }
}
