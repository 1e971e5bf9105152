/**
 * Decodes text files, and finds the line of what is not text.
 *
 * @module
 */
import { parseUtf8 } from '../bytes.ts'

/** The reason why a file is not text, and the line of it, from 1 on. */
export interface Undecodable {
  flaw: 'utf16' | 'nul' | 'encoding'
  line: number
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Decodes UTF-8 without NUL characters. A byte order mark is kept. */
export function decodeText(bytes: Uint8Array): string | Undecodable {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  if (isUtf16) return { flaw: 'utf16', line: 1 }
  const nul = bytes.indexOf(0)
  if (nul >= 0) return { flaw: 'nul', line: lineAt(bytes, nul) }
  return parseUtf8(bytes) ?? { flaw: 'encoding', line: firstInvalidLine(bytes) }
}

/** The number of the line of an offset. CR, LF and CRLF end a line. */
function lineAt(bytes: Uint8Array, offset: number): number {
  const isEnd = (byte: number, at: number) =>
    byte === LINE_FEED || (byte === CARRIAGE_RETURN && bytes[at + 1] !== LINE_FEED)
  return bytes.subarray(0, offset).filter(isEnd).length + 1
}

/** A line feed is never part of a longer character, so each line can be decoded alone. */
function firstInvalidLine(bytes: Uint8Array): number {
  for (let from = 0; ; ) {
    const end = bytes.indexOf(LINE_FEED, from)
    if (end < 0 || parseUtf8(bytes.subarray(from, end)) === null) return lineAt(bytes, from)
    from = end + 1
  }
}
