/**
 * The text of a `.env` file: the part of the format that all its readers agree on.
 *
 * `KEY=value`, `KEY='value'` as it is, `KEY="value"` with the escapes of JSON, comments on lines of their own or
 * behind a value.
 *
 * @module
 */

const KEY = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/
const NOTHING = /^\s*(?:#.*)?$/

/**
 * Reads all values. A repeated key has its last value.
 *
 * @returns `null` if a line is malformed: part of a file must not pass for all of it.
 */
export function parseEnv(text: string): Map<string, string> | null {
  const values = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    if (NOTHING.test(line)) continue
    const [start = '', key] = KEY.exec(line) ?? []
    const value = key === undefined ? null : parseValue(line.slice(start.length).trim())
    if (key === undefined || value === null) return null
    values.set(key, value)
  }
  return values
}

/** The number of the first line in another form, from 1 on; 0 when there is none. */
export function wrongLine(text: string): number {
  const lines = text.split(/\r?\n/)
  return lines.findIndex((line) => parseEnv(line) === null) + 1
}

/** Sets a value, or removes it with `null`, and leaves every other line as it is, with the end that it has. */
export function editEnv(text: string, key: string, value: string | null): string {
  const lines = text.split(/(?<=\n)/).filter((line) => line !== '')
  const end = /\r?\n/.exec(text)?.[0] ?? '\n'
  const isOfKey = (line: string) => KEY.exec(line)?.[1] === key
  const at = lines.findIndex(isOfKey)
  const kept = lines.filter((line) => !isOfKey(line)).map((line) => (line.endsWith('\n') ? line : line + end))
  // With its `export`, without which a script that sources the file would pass it to no program.
  const start = at < 0 ? `${key}=` : KEY.exec(lines[at]!)![0]
  if (value !== null) kept.splice(at < 0 ? kept.length : at, 0, `${start}${formatValue(value)}${end}`)
  return kept.join('')
}

function parseValue(raw: string): string | null {
  if (raw.startsWith("'")) return /^'([^']*)'(?:\s+#.*)?$/.exec(raw)?.[1] ?? null
  if (!raw.startsWith('"')) return raw.replace(/(?:^|(?<!\s)\s+)#.*$/s, '')
  const quoted = /^("(?:[^"\\]|\\.)*")(?:\s+#.*)?$/.exec(raw)?.[1]
  try {
    return quoted === undefined ? null : JSON.parse(quoted)
  } catch {
    return null
  }
}

/**
 * As it is, in single quotes, where that can be: readers differ in the escapes that they know. In double quotes a shell
 * that sources the file would expand `$` and a backtick: they are written as escapes of JSON, which no shell knows.
 */
function formatValue(value: string): string {
  if (!/['\r\n]/.test(value)) return `'${value}'`
  return JSON.stringify(value).replaceAll('$', '\\u0024').replaceAll('`', '\\u0060')
}
