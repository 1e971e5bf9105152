/**
 * The operational log: one line of JSON an event, on standard error.
 *
 * @module
 */
import { cleanseAll } from '../../core/sanitize.ts'

/** Fields of a log line: ids, counts and codes. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/**
 * Writes one line to the operational log.
 *
 * The operational log tells operators what the process does; the audit log records who read what. Pass codes and ids,
 * never the message of a foreign error or anything that came in a request. As a second defence, text that looks like a
 * credential or would break the line is removed.
 *
 * @param event The name that operators filter by.
 */
export function logLine(level: 'info' | 'warn' | 'error', event: string, fields: LogFields = {}): void {
  // biome-ignore lint/suspicious/noConsole: the one place that writes the operational log
  console.error(JSON.stringify({ time: new Date().toISOString(), level, event, ...(cleanseAll(fields) as LogFields) }))
}
