/**
 * Where an error was thrown, for the operational log.
 *
 * @module
 */

/** An error's class and where it came from; not its message, which may quote a value. */
export function whereabouts(error: unknown): { error: string; at: string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] }
  // The message is cut off first: a line of it may look like a frame.
  const frames = (error.stack ?? '')
    .replace(error.message, '')
    .split('\n')
    .filter((frame) => /^\s+at /.test(frame))
  return { error: error.constructor.name, at: frames.slice(0, 5).map((frame) => frame.trim()) }
}
