/**
 * What is to be done at the start, but not while the editor waits for it.
 *
 * @module
 */

/** Does something once the start is over, unless it is disposed of before. */
export function afterStart(work: () => void): { dispose(): void } {
  const timer = setTimeout(work)
  return { dispose: () => clearTimeout(timer) }
}
