/**
 * The shape in which a store keeps a secret: one text (or bytes), or the fields of a document that others own. A write
 * keeps the shape that it finds, unless its caller says that it replaces it.
 *
 * @module
 */
import canonicalize from 'canonicalize'
import { type Bytes, parseUtf8, utf8 } from '../bytes.ts'
import { isJsonType } from '../content_type.ts'
import type { Encoding } from '../encoding.ts'
import { DEFAULT_CONTENT_TYPE } from '../encoding.ts'
import { JsonSource } from '../json_source.ts'
import type { Redacted } from '../redacted.ts'
import { ProviderFailure, type ProviderPutOptions } from './provider.ts'
import { failureOf } from './request.ts'

/** A value as it is, or is to be, kept in one text. */
export interface Content {
  /** `null`: bytes that are no text. */
  text: string | null
  /** Whether the text is declared to be JSON; in a store that declares nothing, every object is a document. */
  isJson: boolean
}

/** A value that is to be written, as far as its shape depends on it. */
export function writtenContent(value: Redacted<Bytes>, contentType: string | undefined): Content {
  return { text: parseUtf8(value.reveal()), isJson: isJsonType(contentType) }
}

/** The document that a text is: a JSON object; `null` when it is none. */
export function documentOf(text: string | null): JsonSource | null {
  const source = text?.trimStart().startsWith('{') ? JsonSource.parse(text) : null
  return source?.root.kind === 'object' ? source : null
}

/**
 * A document in one form (RFC 8785), to tell whether two stores have the same: the order of its keys and its white space
 * are no part of it, nor are digits beyond a double, which some stores drop.
 *
 * @returns `null` for what is no document, or has no such form: nested too deep, or with numbers beyond a double.
 */
export function canonicalDocument(text: string | null): string | null {
  try {
    return canonicalize(documentOf(text)?.parsed) ?? null
  } catch {
    return null
  }
}

/**
 * A document as the parts that a store of fields keeps: kinds, keys in one order, texts, and each digit of its numbers.
 * What it has twice is there twice. It can be nested as deep as it likes.
 *
 * @returns `null` for what is no document.
 */
export function documentTokens(text: string | null): string[] | null {
  const source = documentOf(text)
  if (source === null) return null
  const tokens: string[] = []
  const open = [source.root]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const { kind } = value
    if (kind === 'object') {
      const members = [...source.members(value)].sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
      tokens.push(`{${JSON.stringify(members.map(({ key }) => key))}`)
      for (const member of members) open.push(member.value)
    } else if (kind === 'array') {
      const items = [...source.items(value)]
      tokens.push(`[${items.length}`)
      for (const item of items) open.push(item)
    } else tokens.push(kind === 'string' ? JSON.stringify(JSON.parse(source.slice(value))) : source.slice(value))
  }
  return tokens
}

/**
 * Checks a write to a store that keeps one text: a document takes only documents, and a text takes none.
 *
 * @throws {ProviderFailure} `foreign_shape`
 */
export function checkFit(present: Content, written: Content): void {
  const was = documentOf(present.text) !== null
  const becomes = documentOf(written.text) !== null
  if ((was && present.isJson && !becomes) || (becomes && written.isJson && !was)) throw foreignShape()
}

/**
 * The source of a document that is to be kept as fields.
 *
 * @throws {ProviderFailure} `invalid` for an object that a store which parses it would not keep whole: with a key
 *   twice, or a lone surrogate.
 */
export function fieldsFrom(document: JsonSource): string {
  if (!document.isUnambiguous(document.root)) throw new ProviderFailure('invalid', { code: 'AmbiguousDocument' })
  return document.text
}

/**
 * Looks at what a write would replace.
 *
 * @returns `null` when nothing is there; also when it cannot be read and its shape may be replaced.
 */
export async function look<T>(read: Promise<T>, { replace }: Pick<ProviderPutOptions, 'replace'>): Promise<T | null> {
  return read.catch((error) => {
    const { kind, code, isUnread } = failureOf(error)
    const isUnseen = kind === 'denied' || kind === 'invalid'
    if (kind === 'not_found' || kind === 'deleted' || (isUnseen && replace !== undefined)) return null
    // That an answer could not be read leaves nothing open: no write was sent.
    throw isUnread ? new ProviderFailure('invalid', { code }) : error
  })
}

export function foreignShape(): ProviderFailure {
  return new ProviderFailure('foreign_shape')
}

/** Whether a field for the type is to be written: a secret of others without one gets none for the default. */
export function declaresType(
  contentType: string | undefined,
  encoding: Encoding,
  present: { typed: boolean } | null | undefined,
) {
  return contentType !== undefined && (!present || present.typed || contentType !== DEFAULT_CONTENT_TYPE[encoding])
}

/**
 * The bytes of a text out of a store.
 *
 * @throws {ProviderFailure} `invalid` for a lone surrogate: it has no bytes, and U+FFFD is another value.
 */
export function bytesOfText(text: string): Bytes {
  if (!text.isWellFormed()) throw new ProviderFailure('invalid', { code: 'LoneSurrogate' })
  return utf8(text)
}
