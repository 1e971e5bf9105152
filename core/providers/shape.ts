/**
 * The shape in which a store keeps a secret: one text (or bytes), or the fields of a document that other clients own. A
 * write keeps the present shape, unless its caller replaces it.
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

/** A value as one text, present or to be written. */
export interface Content {
  /** `null` for bytes that are not text. */
  text: string | null
  /** Whether the text is declared as JSON. In a store without declarations, every object is a document. */
  isJson: boolean
}

/** Describes a value that will be written, as far as its shape depends on it. */
export function writtenContent(
  value: Redacted<Bytes>,
  { contentType, encoding }: Pick<ProviderPutOptions, 'contentType' | 'encoding'>,
): Content {
  // Bytes stay bytes: a random key must not change its form when it happens to be UTF-8.
  const text = encoding === 'base64' ? null : parseUtf8(value.reveal())
  return { text, isJson: isJsonType(contentType) }
}

/**
 * Checks the size of a value before it is sent.
 *
 * @throws {ProviderFailure} `invalid` with the limit, for an empty value too.
 */
export function checkSize({ length }: Uint8Array, limitBytes: number): void {
  if (length === 0 || length > limitBytes) throw new ProviderFailure('invalid', { code: 'Size', limitBytes })
}

/** Parses a text as a document, which is a JSON object. Returns `null` for any other text. */
export function documentOf(text: string | null): JsonSource | null {
  const source = text?.trimStart().startsWith('{') ? JsonSource.parse(text) : null
  return source?.root.kind === 'object' ? source : null
}

/**
 * Writes a document in canonical form (RFC 8785), to compare two stores: the order of keys, white space, and digits
 * beyond a double, which some stores drop, do not count.
 *
 * @returns `null` if the text is not a document, or has no canonical form because it nests too deep or has numbers
 *   beyond a double.
 */
export function canonicalDocument(text: string | null): string | null {
  try {
    return canonicalize(documentOf(text)?.parsed) ?? null
  } catch {
    return null
  }
}

/**
 * Splits a document into the parts that a store of fields keeps: kinds, keys in sorted order, texts, and every digit of
 * its numbers. A repeated key is repeated in the result. Nesting may be of any depth.
 *
 * @returns `null` if the text is not a document.
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
 * Returns the source of a document that will be kept as fields.
 *
 * @throws {ProviderFailure} `invalid` for an object with a repeated key or a lone surrogate, which a store would not
 *   keep intact.
 */
export function fieldsFrom(document: JsonSource): string {
  if (!document.isUnambiguous(document.root)) throw new ProviderFailure('invalid', { code: 'AmbiguousDocument' })
  return document.text
}

/**
 * Reads the secret that a write would replace.
 *
 * @returns `null` if there is none; also if it cannot be read and its shape may be replaced.
 */
export async function look<T>(read: Promise<T>, { replace }: Pick<ProviderPutOptions, 'replace'>): Promise<T | null> {
  return read.catch((error) => {
    const { kind, code, isUnread } = failureOf(error)
    const isUnseen = kind === 'denied' || kind === 'invalid'
    if (kind === 'not_found' || kind === 'deleted' || (isUnseen && replace !== undefined)) return null
    // An unreadable response to this read leaves nothing uncertain, because no write was sent.
    throw isUnread ? new ProviderFailure('invalid', { code }) : error
  })
}

/** The failure of a write whose shape does not fit. */
export function foreignShape(): ProviderFailure {
  return new ProviderFailure('foreign_shape')
}

/**
 * Whether to write a field for the content type: a secret of another client without one gets none for the default type.
 */
export function declaresType(
  contentType: string | undefined,
  encoding: Encoding,
  present: { typed: boolean } | null | undefined,
) {
  return contentType !== undefined && (!present || present.typed || contentType !== DEFAULT_CONTENT_TYPE[encoding])
}

/**
 * Encodes a text from a store as bytes.
 *
 * @throws {ProviderFailure} `invalid` for a lone surrogate: it has no bytes, and U+FFFD would be another value.
 */
export function bytesOfText(text: string): Bytes {
  if (!text.isWellFormed()) throw new ProviderFailure('invalid', { code: 'LoneSurrogate' })
  return utf8(text)
}
