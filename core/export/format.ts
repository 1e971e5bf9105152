/**
 * The forms that the log can be had in.
 *
 * - `jsonl`: the canonical bytes of each entry, a line each; this form verifies
 * - `csv`: RFC 4180, with a header
 * - `ocsf`: events of the Open Cybersecurity Schema Framework 1.3, a line each
 * - `syslog`: RFC 5424, a line each, facility 13 (log audit)
 */
export const FORMATS = ['jsonl', 'csv', 'ocsf', 'syslog'] as const
export type Format = (typeof FORMATS)[number]
