/**
 * Telling our own mistakes from what a network, a disk or a store does to us.
 *
 * @module
 */

const KINDS = [TypeError, RangeError, ReferenceError, SyntaxError] as const

/**
 * Whether an error is a mistake in a program. A failing disk or network recovers; a mistake does not, and must not pass
 * for an outage.
 *
 * `fetch` rejects with a `TypeError` when the network fails (Fetch standard, section 5.6), so an error of `fetch` needs a
 * closer look than this.
 */
export function isProgrammingError(error: unknown): boolean {
  return KINDS.some((kind) => error instanceof kind)
}
