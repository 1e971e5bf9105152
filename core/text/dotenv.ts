/**
 * Parses `.env` files with the position of every part, so that an editor can mark it.
 *
 * The grammar is that of the `dotenv` package: an optional `export`, values in `"`, `'` or backticks that may span
 * lines, and comments that begin with `#` after white space. One pass, linear.
 *
 * @module
 */

/** The largest `.env` file, in UTF-16 code units. */
export const MAX_ENV_CHARS = 256 * 1024

/** One `NAME=value`. Positions are offsets into the text. */
export interface EnvEntry {
  key: string
  keyStart: number
  /** The value as a shell sees it: without quotes, with the escapes in double quotes resolved. */
  value: string
  /** The start and end of the raw value, including quotes. */
  valueStart: number
  valueEnd: number
  quote: '' | '"' | "'" | '`'
}

/** The flaw of a line. */
export interface EnvProblem {
  kind: 'no_equals' | 'bad_key' | 'unclosed_quote' | 'repeated_key' | 'too_large'
  start: number
  end: number
}

/** A parsed `.env` file. */
export interface EnvFile {
  entries: EnvEntry[]
  problems: EnvProblem[]
}

const KEY = /^[A-Za-z_][A-Za-z0-9_.-]*$/

/** Parses a `.env` file. An unreadable line is reported as a problem, and the other lines are still parsed. */
export function parseEnv(text: string): EnvFile {
  if (text.length > MAX_ENV_CHARS) return { entries: [], problems: [{ kind: 'too_large', start: 0, end: 0 }] }
  const entries: EnvEntry[] = []
  const problems: EnvProblem[] = []
  const seen = new Set<string>()
  for (let at = 0; at < text.length; ) {
    const lineEnd = endOfLine(text, at)
    const line = text.slice(at, lineEnd)
    const start = at + (line.length - line.trimStart().length)
    at = lineEnd + 1
    if (start >= lineEnd || text[start] === '#') continue
    const found = entryAt(text, start, lineEnd)
    if ('kind' in found) {
      problems.push(found)
      continue
    }
    if (seen.has(found.key)) problems.push(problem('repeated_key', found.keyStart, found.keyStart + found.key.length))
    seen.add(found.key)
    entries.push(found)
    at = Math.max(at, endOfLine(text, found.valueEnd) + 1)
  }
  return { entries, problems }
}

/**
 * Expands `${NAME}` and `${NAME:-default}` once. The values of variables are not expanded.
 *
 * @returns The text, or the name of the first unset variable.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): { text: string } | { missing: string } {
  let missing: string | undefined
  const expanded = text.replaceAll(
    /\$\{([A-Za-z_][A-Za-z0-9_]{0,127})(?::-([^}\n]{0,512}))?\}/g,
    (_, name: string, fallback?: string) => {
      const value = variables.get(name) || fallback
      if (value === undefined) missing ??= name
      return value ?? ''
    },
  )
  return missing === undefined ? { text: expanded } : { missing }
}

/** Whether a file name belongs to a `.env` file: `.env`, `.env.local`, `prod.env`. */
export function isEnvFileName(name: string): boolean {
  return /^(?:\.env(?:\.[\w.-]+)?|[\w.-]+\.env)$/.test(name)
}

/**
 * Quotes a value so that {@link parseEnv}, and a shell that sources the file, read it back unchanged.
 *
 * @returns The quoted value, or `null` if no quoting works. Only single quotes keep every character, and a value that contains
 *   one rules them out.
 */
export function quoteEnvValue(value: string): string | null {
  if (/^[A-Za-z0-9_./:@%+,=-]*$/.test(value)) return value
  // A shell or the environment would truncate the value there.
  if (value.includes('\0')) return null
  if (!value.includes("'")) return `'${value}'`
  // In double quotes a shell still interprets $, backslashes and backticks.
  return /["\\$`]/.test(value) ? null : `"${value}"`
}

function entryAt(text: string, start: number, lineEnd: number): EnvEntry | EnvProblem {
  const exported = /^export[ \t]+/.exec(text.slice(start, lineEnd))?.[0].length ?? 0
  const keyStart = start + exported
  const equals = text.slice(keyStart, lineEnd).indexOf('=')
  if (equals < 0) return problem('no_equals', start, lineEnd)
  const key = text.slice(keyStart, keyStart + equals).trimEnd()
  if (!KEY.test(key)) return problem('bad_key', keyStart, keyStart + Math.max(1, equals))
  let valueStart = keyStart + equals + 1
  while (valueStart < lineEnd && isBlank(text[valueStart])) valueStart++
  const quote = text[valueStart]
  if (quote === '"' || quote === "'" || quote === '`') {
    const close = closingQuote(text, valueStart, quote)
    if (close < 0) return problem('unclosed_quote', valueStart, lineEnd)
    const inner = text.slice(valueStart + 1, close)
    return { key, keyStart, value: quote === '"' ? unescaped(inner) : inner, valueStart, valueEnd: close + 1, quote }
  }
  const raw = withoutComment(text.slice(valueStart, lineEnd))
  return { key, keyStart, value: raw, valueStart, valueEnd: valueStart + raw.length, quote: '' }
}

function closingQuote(text: string, open: number, quote: string): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\' && quote === '"') at++
    else if (text[at] === quote) return at
  }
  return -1
}

function withoutComment(raw: string): string {
  const comment = raw.startsWith('#') ? 0 : raw.search(/\s#/)
  return (comment < 0 ? raw : raw.slice(0, comment)).trimEnd()
}

function unescaped(text: string): string {
  const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t' }
  return text.replaceAll(/\\([\s\S])/g, (whole, char: string) => {
    return escapes[char] ?? ('"\\$`'.includes(char) ? char : whole)
  })
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end < 0 ? text.length : end
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t'
}

function problem(kind: EnvProblem['kind'], start: number, end: number): EnvProblem {
  return { kind, start, end }
}
