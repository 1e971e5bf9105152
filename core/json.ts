/**
 * Strict parsing of untrusted JSON: `JSON.parse` alone lets the last of two equal keys win, accepts `__proto__` as a
 * key, and quotes its input in errors.
 *
 * @module
 */
import { parseUtf8 } from './bytes.ts'
import { badRequest } from './errors.ts'

/** The deepest nesting of a document. */
export const MAX_DEPTH = 32
/** The most keys and strings of a document: 200 references and some more. */
export const MAX_STRINGS = 1000

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Parses a JSON document.
 *
 * @param bytes Hostile input, already bounded in size. Time is linear in it.
 * @param options.maxStrings The most keys and strings.
 * @throws {PosternError} `bad_request`, never with a part of the input.
 */
export function parseJson(
  bytes: Uint8Array,
  { field = 'body', maxStrings = MAX_STRINGS }: { field?: string; maxStrings?: number } = {},
): unknown {
  const text = parseUtf8(bytes)
  if (text === null) throw badRequest(field, 'Body must be UTF-8')
  // RFC 8259 section 8.1: a sender must not add one.
  if (text.startsWith('\ufeff')) throw badRequest(field, 'Body must not begin with a byte order mark')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badRequest(field, 'Body must be JSON')
  }
  checkStructure(text, field, maxStrings)
  return value
}

/** Walks text that is valid JSON, so only brackets and strings matter. */
function checkStructure(text: string, field: string, maxStrings: number): void {
  // The keys seen in each open object; `null` for an open array.
  const open: (Set<string> | null)[] = []
  let strings = 0
  const tokens = /["[\]{}]/g
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    const [token] = match
    if (token === '{' || token === '[') {
      if (open.push(token === '{' ? new Set() : null) > MAX_DEPTH) {
        throw badRequest(field, `Body must not nest deeper than ${MAX_DEPTH}`)
      }
    } else if (token === '}' || token === ']') open.pop()
    else if (++strings > maxStrings) throw badRequest(field, `Body must have at most ${maxStrings} texts`)
    else {
      tokens.lastIndex = endOfString(text, match.index)
      if (isKey(text, tokens.lastIndex)) noteKey(text.slice(match.index, tokens.lastIndex), open.at(-1), field)
    }
  }
}

/** The index after the closing quote of a string. Found by hand: an expression would need memory for each character. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** Whether a colon follows. */
function isKey(text: string, end: number): boolean {
  let at = end
  while (' \t\n\r'.includes(text[at] ?? 'end')) at++
  return text[at] === ':'
}

function noteKey(source: string, seen: Set<string> | null | undefined, field: string): void {
  const key: string = JSON.parse(source)
  if (FORBIDDEN_KEYS.has(key)) throw badRequest(field, 'Body must not have a key that names an object prototype')
  if (seen?.has(key)) throw badRequest(field, 'Body must not have the same key twice')
  seen?.add(key)
}
