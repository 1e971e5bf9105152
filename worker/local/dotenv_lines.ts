/**
 * The lines of a `.env` file, checked before they are parsed. A parser skips a line that it cannot read, and with it
 * perhaps the root key; here such a line is refused by its number.
 *
 * @module
 */
import { parseUtf8 } from '../../core/bytes.ts'
import { PosternError } from '../../core/errors.ts'

const LINE_FEED = 0x0a
const NAME = /^(?:export[ \t]+)?[^\s\p{C}"'`#]+$/u
/** A line that sets one of our settings. */
const SETTING = /^[ \t]*(?:export[ \t]+)?POSTERN\w*[ \t]*=/im
const WHAT_TO_DO = 'Save the file as UTF-8 without NUL bytes'

/**
 * Decodes a file of settings. One byte order mark is dropped.
 *
 * @param file Its name, for the message.
 * @throws {PosternError} `bad_request`, with the line, for bytes that are not UTF-8, for UTF-16 and for NUL.
 */
export function decodeSettings(bytes: Uint8Array, file: string): string {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  if (isUtf16) throw refused(file, 1, `Is UTF-16. ${WHAT_TO_DO}`)
  const nul = bytes.indexOf(0)
  if (nul >= 0) throw refused(file, lineAt(bytes, nul), `Has a NUL byte. ${WHAT_TO_DO}`)
  const text = parseUtf8(bytes)
  if (text === null) throw refused(file, firstInvalidLine(bytes), `Is not UTF-8. ${WHAT_TO_DO}`)
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/**
 * Checks that every line of a `.env` file is a setting, a comment, blank, or inside quotes.
 *
 * @returns The names that the file sets.
 * @throws {PosternError} `bad_request`, with the line.
 */
export function checkDotenv(text: string, file: string): string[] {
  const names: string[] = []
  const content = text.replaceAll('\r\n', '\n')
  const lineOf = (at: number) => content.slice(0, at).split('\n').length
  const lone = content.indexOf('\r')
  if (lone >= 0) throw refused(file, lineOf(lone), 'Has a carriage return without a line feed')
  for (let at = 0; at < content.length; ) {
    const end = endOfLine(content, at)
    const line = content.slice(at, end)
    if (/^[ \t]*(?:#|$)/.test(line)) {
      at = end + 1
      continue
    }
    const equals = line.indexOf('=')
    const name = withoutBlanks(line.slice(0, Math.max(0, equals)))
    if (!NAME.test(name)) throw refused(file, lineOf(at), 'Must be NAME=value, a comment or blank')
    names.push(name.replace(/^export[ \t]+/, ''))
    at = endOfValue(content, at + equals + 1, (problem) => refused(file, lineOf(at), problem)) + 1
  }
  return names
}

/** Where the line ends on which a value ends: a quoted value may span lines. */
function endOfValue(content: string, from: number, refuse: (problem: string) => PosternError): number {
  const end = endOfLine(content, from)
  const [, blank = '', quote] = /^([^\S\n]*)(["'`])/.exec(content.slice(from, end)) ?? []
  if (quote === undefined) return end
  const opens = from + blank.length
  const closes = content.indexOf(quote, opens + 1)
  if (closes < 0) throw refuse(`Has a quote that is not closed: ${quote}`)
  if (SETTING.test(content.slice(opens + 1, closes))) {
    throw refuse(`Has a quote that closes only behind another setting: ${quote}`)
  }
  return endOfLine(content, closes)
}

/** Not `trim`, which takes a byte order mark for white space. */
function withoutBlanks(text: string): string {
  const isBlank = (at: number) => text[at] === ' ' || text[at] === '\t'
  let [start, end] = [0, text.length]
  while (start < end && isBlank(start)) start++
  while (end > start && isBlank(end - 1)) end--
  return text.slice(start, end)
}

function endOfLine(content: string, from: number): number {
  const end = content.indexOf('\n', from)
  return end < 0 ? content.length : end
}

function lineAt(bytes: Uint8Array, at: number): number {
  return bytes.subarray(0, at).filter((byte) => byte === LINE_FEED).length + 1
}

/** A line feed is never part of a longer character, so each line can be decoded alone. */
function firstInvalidLine(bytes: Uint8Array): number {
  for (let [line, from] = [1, 0]; ; line++) {
    const end = bytes.indexOf(LINE_FEED, from)
    if (end < 0 || parseUtf8(bytes.subarray(from, end)) === null) return line
    from = end + 1
  }
}

function refused(file: string, line: number, problem: string): PosternError {
  return new PosternError('bad_request', `${file}, line ${line}: ${problem}`)
}
