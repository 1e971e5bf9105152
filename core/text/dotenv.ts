/**
 * Parses `.env` files with the position of every part, so that an editor can mark it and a store can edit it in place.
 *
 * The grammar is that of the `dotenv` package, with two kinds of exceptions. An unquoted reference ends at white space,
 * not at its `#`. A text in which `dotenv` would skip a part has errors. Nothing is expanded. See the page on `.env` files.
 *
 * One pass, linear. `dotenv` itself is one regular expression, and the comments name the part of it that a step follows.
 *
 * @module
 */

/** The largest `.env` file, in UTF-16 code units. */
export const MAX_ENV_CHARS = 1024 * 1024

/** One `NAME=value`. Positions are offsets into the text. */
export interface EnvEntry {
  key: string
  /** The start of the assignment, with its `export`. */
  start: number
  keyStart: number
  /** The value without its quotes, with the escapes `\n` and `\r` of double quotes resolved, and with LF as line end. */
  value: string
  /** The start and end of the raw value, including quotes. */
  valueStart: number
  valueEnd: number
  /** The quotes around the whole value. */
  quote: '' | '"' | "'" | '`'
}

/** A place in a `.env` file that needs attention. */
export interface EnvProblem<Kind extends string> {
  kind: Kind
  /** The name of the entry; empty if the place belongs to none. */
  key: string
  start: number
  end: number
}

/** The reason why a file is refused: part of it would be lost. */
export type EnvErrorKind = 'no_assignment' | 'unclosed_quote' | 'text_after_reference' | 'nul' | 'too_large'
/** The reason why a value may not be the intended one. */
export type EnvWarningKind = 'repeated_key' | 'cut_at_hash' | 'value_on_next_line'
/** An error with its place. */
export type EnvError = EnvProblem<EnvErrorKind>
/** A warning with its place. */
export type EnvWarning = EnvProblem<EnvWarningKind>

/** A parsed `.env` file. */
export interface EnvFile {
  entries: EnvEntry[]
  errors: EnvError[]
  warnings: EnvWarning[]
}

/** The beginning of a reference to a secret. */
const REFERENCE = 'postern://'

const SPACE = /\s*/y
const SPACE_ON_LINE = /[^\S\n\r\u2028\u2029]*/y
const REST_OF_LINE = /.*/y
const EXPORT = /(?:export\s+(?=[\w.-]))?/y
const KEY = /[\w.-]*/y
const UNQUOTED = /[^#\r\n]*/y
const WORD = /\S*/y
const QUOTES = ['"', "'", '`'] as const

/** Parses a `.env` file. The other lines of a file with errors are still parsed. The last of several entries with one key wins. */
export function parseEnv(text: string): EnvFile {
  const file: EnvFile = { entries: [], errors: [], warnings: [] }
  if (text.length > MAX_ENV_CHARS) {
    file.errors.push({ kind: 'too_large', key: '', start: 0, end: 0 })
    return file
  }
  const nul = text.indexOf('\0')
  if (nul >= 0) file.errors.push({ kind: 'nul', key: '', start: nul, end: nul + 1 })
  const seen = new Set<string>()
  for (let at = endOf(SPACE, text, 0); at < text.length; at = endOf(SPACE, text, at)) {
    at = text[at] === '#' ? endOf(REST_OF_LINE, text, at) : readAssignment(text, at, file, seen)
  }
  return file
}

/** Returns the value of each key. */
export function envValues({ entries }: Pick<EnvFile, 'entries'>): Map<string, string> {
  return new Map(entries.map(({ key, value }) => [key, value]))
}

/** Returns the number of the line of an offset, from 1 on. CR, LF and CRLF end a line. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split(/\r\n?|\n/).length
}

/** Whether a file name belongs to a `.env` file: `.env`, `.env.local`, `prod.env`. */
export function isEnvFileName(name: string): boolean {
  return name === '.env' || name.startsWith('.env.') || name.endsWith('.env')
}

/** Reads one assignment into the file. Returns where to continue. */
function readAssignment(text: string, start: number, file: EnvFile, seen: Set<string>): number {
  const keyStart = endOf(EXPORT, text, start)
  const keyEnd = endOf(KEY, text, keyStart)
  const from = keyEnd === keyStart ? -1 : endOfSeparator(text, keyEnd)
  if (from < 0) {
    const end = endOf(REST_OF_LINE, text, start)
    file.errors.push({ kind: 'no_assignment', key: '', start, end: start + text.slice(start, end).trimEnd().length })
    return end
  }
  const key = text.slice(keyStart, keyEnd)
  const { end, valueStart, valueEnd, error } = endOfValue(text, from)
  if (error !== undefined) {
    file.errors.push({ kind: error, key, start: valueStart, end: valueEnd })
    return end
  }
  const warn = (kind: EnvWarningKind, start: number, end: number) => file.warnings.push({ kind, key, start, end })
  if (seen.has(key)) warn('repeated_key', keyStart, keyEnd)
  if (text[end] === '#' && /\S/.test(text[end - 1]!)) warn('cut_at_hash', end, endOf(REST_OF_LINE, text, end))
  if (/[\r\n]/.test(text.slice(keyEnd, valueStart))) warn('value_on_next_line', keyStart, keyEnd)
  seen.add(key)
  file.entries.push({ key, start, keyStart, valueStart, valueEnd, ...parsedValue(text.slice(valueStart, valueEnd)) })
  return end
}

/** `(?:\s*=\s*?|:\s+?)`: returns the end of the separator, or -1 without one. */
function endOfSeparator(text: string, keyEnd: number): number {
  const equals = endOf(SPACE, text, keyEnd)
  if (text[equals] === '=') return equals + 1
  if (text[keyEnd] !== ':' || !/\s/.test(text[keyEnd + 1] ?? '')) return -1
  // One white space character belongs to the colon, and CRLF counts as one.
  return keyEnd + (text.startsWith('\r\n', keyEnd + 1) ? 3 : 2)
}

interface ValueRange {
  valueStart: number
  valueEnd: number
  /** The place to continue. */
  end: number
  error?: EnvErrorKind
}

function endOfValue(text: string, from: number): ValueRange {
  const start = endOf(SPACE_ON_LINE, text, from)
  if (text.startsWith(REFERENCE, start)) return endOfReference(text, start)
  // `\s*'…'`: a quoted value may begin on a later line.
  const open = endOf(SPACE, text, from)
  const close = isQuote(text[open]) ? closingQuote(text, open) : -1
  if (close >= 0) return { valueStart: open, valueEnd: close + 1, end: close + 1 }
  // `[^#\r\n]+`
  const end = endOf(UNQUOTED, text, from)
  const raw = text.slice(from, end)
  const value = raw.trim()
  const valueStart = value === '' ? from : from + raw.length - raw.trimStart().length
  const isUnclosed = isQuote(value[0]) && !value.includes(value[0], 1)
  const range = { valueStart, valueEnd: valueStart + value.length, end }
  if (!isUnclosed) return range
  return { ...range, end: endOf(REST_OF_LINE, text, end), error: 'unclosed_quote' }
}

function endOfReference(text: string, valueStart: number): ValueRange {
  const valueEnd = endOf(WORD, text, valueStart)
  const next = endOf(SPACE_ON_LINE, text, valueEnd)
  const line = endOf(REST_OF_LINE, text, next)
  if (next === line || text[next] === '#') return { valueStart, valueEnd, end: next }
  return { valueStart: next, valueEnd: line, end: line, error: 'text_after_reference' }
}

/**
 * `'(?:\\'|[^'])*'` before `\s*(?:#.*)?$`: the last quote with only white space or a comment behind it, up to the first
 * quote without a backslash. Returns -1 without one.
 */
function closingQuote(text: string, open: number): number {
  const quote = text[open]!
  let found = -1
  for (let at = text.indexOf(quote, open + 1); at >= 0; at = text.indexOf(quote, at + 1)) {
    const next = text[endOf(SPACE_ON_LINE, text, at + 1)]
    if (next === undefined || /[#\n\r\u2028\u2029]/.test(next)) found = at
    if (text[at - 1] !== '\\') break
  }
  return found
}

function parsedValue(raw: string): Pick<EnvEntry, 'value' | 'quote'> {
  const text = raw.replaceAll(/\r\n?/g, '\n')
  const { value, quote } = unquoted(text)
  if (!text.startsWith('"')) return { value, quote }
  return { value: value.replaceAll('\\n', '\n').replaceAll('\\r', '\r'), quote }
}

/**
 * `replace(/^(['"`])([\s\S]*)\1$/gm, '$2')` in linear time. More than one pair of quotes can match only around U+2028
 * and U+2029, which end a line for `^` and `$`.
 */
function unquoted(text: string): Pick<EnvEntry, 'value' | 'quote'> {
  const closings = new Map([...text.matchAll(/["'`]$/gm)].map(({ 0: quote, index }) => [quote, index]))
  let value = ''
  let at = 0
  let quote: EnvEntry['quote'] = ''
  for (const { 0: opening, index } of text.matchAll(/^["'`]/gm)) {
    const close = closings.get(opening) ?? -1
    if (index < at || close <= index) continue
    value += text.slice(at, index) + text.slice(index + 1, close)
    at = close + 1
    if (index === 0 && at === text.length) quote = opening as EnvEntry['quote']
  }
  return { value: value + text.slice(at), quote }
}

function isQuote(char: string | undefined): char is (typeof QUOTES)[number] {
  return (QUOTES as readonly (string | undefined)[]).includes(char)
}

/** Returns the end of the longest match at an offset. Every pattern is sticky and matches the empty text. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  pattern.test(text)
  return pattern.lastIndex
}
