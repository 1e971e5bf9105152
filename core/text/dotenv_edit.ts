/**
 * Writes entries of `.env` files so that `dotenv`, Node and a shell that sources the file read the same value.
 *
 * @module
 */
import { type EnvEntry, envValues, parseEnv } from './dotenv.ts'

/**
 * Quotes a value so that `parseEnv`, the `dotenv` package, Node, and a shell that sources the file read it back unchanged.
 *
 * @returns The quoted value, or `null` if no quoting works. Only single quotes keep every character, and a value that contains
 *   one rules them out. Most readers turn CRLF into LF, and no escape for a carriage return is known to all of them.
 */
export function quoteEnvValue(value: string): string | null {
  if (/^[A-Za-z0-9_./:@%+,=-]*$/.test(value)) return value
  // A shell or the environment would truncate the value at a NUL.
  if (/[\0\r]/.test(value)) return null
  if (!value.includes("'")) return `'${value}'`
  // In double quotes a shell still interprets $, backslashes and backticks.
  return /["\\$`]/.test(value) ? null : `"${value}"`
}

/**
 * Sets or removes an entry, and keeps every other character: comments, order, line ends and other spellings.
 *
 * @param value The new value, or `null` to remove all entries of the key. The last of several entries with one key changes.
 * @returns `null` if a `.env` file cannot hold the value.
 */
export function editEnv(text: string, key: string, value: string | null): string | null {
  const entries = parseEnv(text).entries.filter((entry) => entry.key === key)
  if (value === null) return entries.reduceRight(withoutEntry, text)
  const quoted = quoteEnvValue(value) ?? escapedEnvValue(value)
  if (quoted === null) return null
  const edited = withValue(text, entries.at(-1) ?? key, quoted)
  const expected = envValues(parseEnv(text)).set(key, value)
  // A value that ends with a backslash can move the end of a later one: its quote then counts as escaped.
  return isEqual(envValues(parseEnv(edited)), expected) ? edited : null
}

/**
 * Escapes line ends for `parseEnv` and `dotenv`. A shell that sources the file reads the escapes as they are, so the value must
 * contain nothing that a shell interprets.
 */
function escapedEnvValue(value: string): string | null {
  if (/[\0"\\$`]/.test(value)) return null
  return `"${value.replaceAll('\r', '\\r').replaceAll('\n', '\\n')}"`
}

function withValue(text: string, at: EnvEntry | string, quoted: string): string {
  if (typeof at === 'string') {
    const end = /\r\n?|\n/.exec(text)?.[0] ?? '\n'
    const isComplete = /(?:^\ufeff?|[\r\n])$/.test(text)
    return `${text}${isComplete ? '' : end}${at}=${quoted}${end}`
  }
  const { valueStart, valueEnd } = at
  // Directly behind a value, a shell would take the comment for a part of it.
  const gap = text[valueEnd] === '#' ? ' ' : ''
  return text.slice(0, valueStart) + quoted + gap + text.slice(valueEnd)
}

/** Removes the lines of an entry, with the comment behind its value. */
function withoutEntry(text: string, { start, valueEnd }: EnvEntry): string {
  const line = Math.max(text.lastIndexOf('\n', start - 1), text.lastIndexOf('\r', start - 1)) + 1
  const mark = line === 0 && text.startsWith('\ufeff') ? '\ufeff' : ''
  return text.slice(0, line) + mark + text.slice(valueEnd).replace(/^[^\r\n]*(?:\r\n?|\n)?/, '')
}

function isEqual(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}
