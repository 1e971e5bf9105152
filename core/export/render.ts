/**
 * Renders the log in the export formats.
 *
 * @module
 */

import { rank } from '../vault/audit/severity.ts'
import type { AuditEntry } from '../wire/index.ts'
import type { Format } from './format.ts'
import { ocsfEvent } from './ocsf.ts'

const CONTENT_TYPES: Record<Format, string> = {
  jsonl: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8; header=present',
  ocsf: 'application/x-ndjson',
  syslog: 'text/plain; charset=utf-8',
}

/** A document and its content type. */
export interface Rendered {
  contentType: string
  body: string
}

/**
 * Renders entries in a format.
 *
 * @param entries The canonical JSON of each.
 * @param log The name of the log.
 */
export function render(entries: readonly string[], format: Format, log: string): Rendered {
  const contentType = CONTENT_TYPES[format]
  if (format === 'jsonl') return { contentType, body: entries.map((entry) => `${entry}\n`).join('') }
  const parsed = entries.map((entry) => [JSON.parse(entry) as AuditEntry, entry] as const)
  if (format === 'csv') return { contentType, body: csv(parsed.map(([entry]) => entry)) }
  const line = format === 'ocsf' ? ocsfLine(log) : syslogLine
  return { contentType, body: parsed.map(([entry, json]) => `${line(entry, json)}\n`).join('') }
}

const COLUMNS = [
  ...['index', 'time', 'severity', 'operation', 'action', 'resource', 'outcome', 'rule', 'principal', 'token'],
  ...['session', 'address', 'agent', 'request', 'facts', 'previous'],
] as const satisfies readonly (keyof AuditEntry)[]

function csv(entries: readonly AuditEntry[]): string {
  const rows = entries.map((entry) => COLUMNS.map((column) => cell(entry[column])))
  return [COLUMNS, ...rows].map((row) => `${row.join(',')}\r\n`).join('')
}

/**
 * Matches what a spreadsheet may read as the start of a formula: `=`, `+`, `-` or `@`, or a full-width form of one, at
 * the start of a cell or after `;` or `|`. In locales with a decimal comma, `;` separates cells, so a sign after it
 * starts a new cell, and CSV quotes do not prevent that.
 */
const FORMULA = /(^|[;|])([\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20])/g

/** A client chose some of these texts. */
function cell(value: AuditEntry[keyof AuditEntry]): string {
  const text =
    value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
  const inert = text.replace(/^[\t\r]/, "'$&").replace(FORMULA, "$1'$2")
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert
}

function ocsfLine(log: string) {
  return (entry: AuditEntry) => JSON.stringify(ocsfEvent(entry, log))
}

/** RFC 5424 section 6: severities 6, 5, 4 and 1. The message is the canonical JSON, which can still be verified. */
function syslogLine({ severity, time, operation }: AuditEntry, json: string): string {
  const priority = 13 * 8 + [6, 5, 4, 1][rank(severity)]!
  return `<${priority}>1 ${time} - postern - ${operation.slice(0, 32)} - ${json}`
}
