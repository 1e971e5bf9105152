/**
 * The files that hold settings: `.env` and the files of a secrets folder. What a parser would skip is refused by file and
 * line, since it may be the root key.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { PosternError } from '../../core/errors.ts'
import { decodeText, type Undecodable } from '../../core/text/decode_text.ts'
import { type EnvErrorKind, type EnvFile, lineOf, parseEnv } from '../../core/text/dotenv.ts'

const SAVE_AS_TEXT = 'Save the file as UTF-8 without NUL bytes'

const FLAWS: Record<Undecodable['flaw'], string> = {
  utf16: `Is UTF-16. ${SAVE_AS_TEXT}`,
  nul: `Has a NUL byte. ${SAVE_AS_TEXT}`,
  encoding: `Is not UTF-8. ${SAVE_AS_TEXT}`,
}

const ERRORS: Record<EnvErrorKind, string> = {
  no_assignment: 'Must be NAME=value, a comment or blank',
  unclosed_quote: 'Has a quote that is not closed',
  text_after_reference: 'Has text after a reference. Put the whole value in quotes',
  nul: FLAWS.nul,
  too_large: 'Is too large for a .env file',
}

/** A line of a value that would be a setting of its own. */
const SETTING = /^[ \t]*(?:export[ \t]+)?POSTERN\w*[ \t]*=/im

/**
 * Reads a file of settings as text. One byte order mark is dropped.
 *
 * @throws {PosternError} `bad_request`, with the line, for a file that is not UTF-8 text, or cannot be read.
 */
export function readSettingsFile(path: string): string {
  const text = decodeText(readOrRefuse(path))
  if (typeof text !== 'string') throw new PosternError('bad_request', `${path}, line ${text.line}: ${FLAWS[text.flaw]}`)
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/**
 * Reads a `.env` file of settings.
 *
 * @throws {PosternError} `bad_request`, naming every line that is not an assignment, a comment, blank, or inside quotes, and
 *   every value that contains a line with another setting.
 */
export function readSettingsDotenv(path: string): EnvFile & { text: string } {
  const text = readSettingsFile(path)
  const file = parseEnv(text)
  const hiding = file.entries.filter(({ value }) => SETTING.test(value))
  const complaints = [
    ...file.errors.map(({ kind, start }) => [start, ERRORS[kind]] as const),
    ...hiding.map(({ start }) => [start, 'Has a value that contains another setting. Check its quotes'] as const),
  ]
  if (complaints.length === 0) return { ...file, text }
  const lines = complaints
    .sort(([a], [b]) => a - b)
    .map(([at, problem]) => `${path}, line ${lineOf(text, at)}: ${problem}`)
  throw new PosternError('bad_request', lines.join('\n'))
}

function readOrRefuse(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    const { code } = error as { code?: string }
    throw new PosternError('bad_request', `${path}: Must be a file that can be read (${code ?? 'unknown'})`)
  }
}
