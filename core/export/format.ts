/**
 * The names of the export formats.
 *
 * @module
 */
/**
 * The formats in which the log is exported.
 *
 * - `jsonl`: the canonical bytes of each entry, one per line; only this format can be verified
 * - `csv`: RFC 4180, with a header
 * - `ocsf`: events of the Open Cybersecurity Schema Framework 1.3, one per line
 * - `syslog`: RFC 5424, one per line, facility 13 (log audit)
 */
export const FORMATS = ['jsonl', 'csv', 'ocsf', 'syslog'] as const
/** One of {@link FORMATS}. */
export type Format = (typeof FORMATS)[number]
