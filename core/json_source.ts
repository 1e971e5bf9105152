/**
 * A JSON document kept as its source text (RFC 8259): values are found in it and sliced out of it.
 *
 * `JSON.parse` rounds numbers, turns `1e400` into `null` when it is written again, and forgets white space and
 * repeated keys. A document that others own is passed on as its source instead. Parsers that keep positions
 * (jsonc-parser, momoa) build a tree by recursion and take more than JSON; here the platform's parser decides what
 * is JSON, and one linear scan finds where its values are.
 *
 * @module
 */

/** The kinds of JSON values. */
export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null'

/** A value of a document, by its position in the text. */
export interface JsonValue {
  readonly kind: JsonKind
  readonly start: number
  /** The index after its last character. */
  readonly end: number
}

/** A member of an object. */
export interface JsonMember {
  readonly key: string
  /** Where the key begins, with its quote. */
  readonly start: number
  readonly value: JsonValue
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const KINDS: Readonly<Record<string, JsonKind>> = {
  '{': 'object',
  '[': 'array',
  '"': 'string',
  t: 'boolean',
  f: 'boolean',
  n: 'null',
}

/** A document and the positions of its values. Time and memory are linear in the text at any depth of nesting. */
export class JsonSource {
  readonly text: string
  /** The document as `JSON.parse` reads it: for metadata, never for values that are passed on. */
  readonly parsed: unknown
  /** For each opening bracket, the index after the closing one. */
  readonly #ends: Uint32Array

  private constructor(text: string, parsed: unknown) {
    this.text = text
    this.parsed = parsed
    this.#ends = endsOf(text)
  }

  /** Parses a document; `null` if the text is not JSON. */
  static parse(text: string): JsonSource | null {
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch {
      return null
    }
    return new JsonSource(text, parsed)
  }

  get root(): JsonValue {
    return this.#valueAt(this.#skip(0))
  }

  /** The source text of a value. */
  slice({ start, end }: JsonValue): string {
    return this.text.slice(start, end)
  }

  /** The text of a string; `null` if it has a lone surrogate, which UTF-8 cannot encode. */
  stringOf(value: JsonValue): string | null {
    const text: string = JSON.parse(this.slice(value))
    return text.isWellFormed() ? text : null
  }

  /** The members of an object, in order. A repeated key is repeated. */
  *members(object: JsonValue): Generator<JsonMember> {
    for (let at = this.#skip(object.start + 1); at < object.end - 1; ) {
      const key = this.#valueAt(at)
      const value = this.#valueAt(this.#skip(this.#skip(key.end) + 1))
      yield { key: JSON.parse(this.slice(key)), start: key.start, value }
      at = this.#next(value)
    }
  }

  /** The items of an array. */
  *items(array: JsonValue): Generator<JsonValue> {
    for (let at = this.#skip(array.start + 1); at < array.end - 1; ) {
      const value = this.#valueAt(at)
      yield value
      at = this.#next(value)
    }
  }

  /**
   * Evaluates a JSON pointer (RFC 6901 section 4).
   *
   * @returns `null` if it finds nothing, or if a key on its path is repeated: the result would be undefined.
   */
  at(pointer: string): JsonValue | null {
    // Without a leading slash it is not a pointer, and must not select the whole document.
    if (pointer !== '' && !pointer.startsWith('/')) return null
    let value: JsonValue | null = this.root
    for (const token of tokensOf(pointer)) {
      if (value === null) return null
      value = this.#child(value, token)
    }
    return value
  }

  /** Replaces the source of a value; every other character stays. */
  replaced({ start, end }: JsonValue, source: string): string {
    return this.text.slice(0, start) + source + this.text.slice(end)
  }

  /**
   * Whether a store of parsed fields can keep a value intact: no object repeats a key, and no key or string has a lone
   * surrogate.
   */
  isUnambiguous(value: JsonValue): boolean {
    const open = [value]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next.kind === 'string' && this.stringOf(next) === null) return false
      if (next.kind === 'array') for (const item of this.items(next)) open.push(item)
      if (next.kind !== 'object') continue
      if (!this.hasUniqueKeys(next)) return false
      for (const { key, value } of this.members(next)) {
        if (!key.isWellFormed()) return false
        open.push(value)
      }
    }
    return true
  }

  /** Whether every key of an object is unique. Nested objects are not checked. */
  hasUniqueKeys(value: JsonValue): boolean {
    if (value.kind !== 'object') return true
    const keys = [...this.members(value)].map(({ key }) => key)
    return new Set(keys).size === keys.length
  }

  #child(container: JsonValue, token: string): JsonValue | null {
    if (container.kind === 'array') return this.#item(container, token)
    if (container.kind !== 'object') return null
    let found: JsonValue | null = null
    for (const { key, value } of this.members(container)) {
      if (key !== token) continue
      if (found !== null) return null
      found = value
    }
    return found
  }

  #item(array: JsonValue, token: string): JsonValue | null {
    if (!/^(?:0|[1-9][0-9]*)$/.test(token)) return null
    let left = Number(token)
    for (const item of this.items(array)) if (left-- === 0) return item
    return null
  }

  #valueAt(start: number): JsonValue {
    const kind = KINDS[this.text[start]!] ?? 'number'
    return { kind, start, end: this.#endOf(kind, start) }
  }

  #endOf(kind: JsonKind, start: number): number {
    if (kind === 'object' || kind === 'array') return this.#ends[start]!
    if (kind === 'string') return endOfString(this.text, start)
    if (kind !== 'number') return start + (this.text[start] === 'f' ? 5 : 4)
    let end = start
    while (end < this.text.length && '+-.0123456789eE'.includes(this.text[end]!)) end++
    return end
  }

  /** The position of the value after the next comma, or of the closing bracket. */
  #next({ end }: JsonValue): number {
    const at = this.#skip(end)
    return this.text[at] === ',' ? this.#skip(at + 1) : at
  }

  #skip(start: number): number {
    let at = start
    while (at < this.text.length && ' \t\n\r'.includes(this.text[at]!)) at++
    return at
  }
}

/** The reference tokens of a JSON pointer, unescaped. */
export function tokensOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function endsOf(text: string): Uint32Array {
  const ends = new Uint32Array(text.length)
  const open: number[] = []
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    else if (code === 0x7b || code === 0x5b) open.push(at)
    else if (code === 0x7d || code === 0x5d) ends[open.pop()!] = at + 1
  }
  return ends
}

/** The index after the closing quote of a string. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) at += code === BACKSLASH ? 2 : 1
  return at + 1
}
