/**
 * Defers work until the editor no longer waits for the extension to start.
 *
 * @module
 */

/** Runs work once the start is over, unless it is disposed first. */
export function afterStart(work: () => void): { dispose(): void } {
  const timer = setTimeout(work)
  return { dispose: () => clearTimeout(timer) }
}
