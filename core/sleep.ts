/**
 * Waiting.
 *
 * @module
 */

/** Resolves after this many milliseconds; with none, once the event loop has served what is waiting. */
export function sleep(ms = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
