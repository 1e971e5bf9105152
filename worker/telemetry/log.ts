import { cleanseAll } from '../../core/sanitize.ts'

/** A fact that may stand in the operational log: an id, a count, a code. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/**
 * Writes one line of JSON to standard error.
 *
 * The operational log tells operators what the process does; who read what is the audit log's.
 * Give it codes and ids, never messages of foreign errors or anything that came in a request. What looks like a
 * credential or would break a line is taken out all the same.
 */
export function logLine(level: 'info' | 'warn' | 'error', event: string, fields: LogFields = {}): void {
  // biome-ignore lint/suspicious/noConsole: the one place that writes the operational log
  console.error(JSON.stringify({ time: new Date().toISOString(), level, event, ...(cleanseAll(fields) as LogFields) }))
}
