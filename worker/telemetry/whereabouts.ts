/**
 * Where an error was thrown, for the operational log.
 *
 * @module
 */

/** The class of an error and its first frames. The message is left out, since it may quote a value. */
export function whereabouts(error: unknown): { error: string; at: string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] }
  // The message goes first: a line of it may look like a frame.
  const frames = (error.stack ?? '')
    .replace(error.message, '')
    .split('\n')
    .filter((frame) => /^\s+at /.test(frame))
  return { error: error.constructor.name, at: frames.slice(0, 5).map((frame) => frame.trim()) }
}
