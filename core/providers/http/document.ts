/**
 * The document of a secret in the contract of docs/reference/stores/http.md: its value, its facts, and the fields of
 * other clients.
 *
 * @module
 */

import * as z from 'zod/mini'
import { type Bytes, base64, parseBase64 } from '../../bytes.ts'
import { isJsonType, JSON_TYPE } from '../../content_type.ts'
import { ENCODINGS } from '../../encoding.ts'
import type { Received } from '../../http/send.ts'
import { JsonSource, type JsonValue, tokensOf } from '../../json_source.ts'
import { Redacted } from '../../redacted.ts'
import { ProviderFailure, type ProviderPutOptions, type ProviderSecret } from '../provider.ts'
import { failureOf, malformed, readSource, UNVERSIONED } from '../request.ts'
import { bytesOfText, checkFit, declaresType, documentOf, fieldsFrom, foreignShape, writtenContent } from '../shape.ts'
import { storeTags } from '../store_tags.ts'

/** The places of the parts of a document, as JSON pointers (RFC 6901). */
export interface DocumentPlaces {
  /** The place of the value in the response, such as `/value`. */
  pointer: string
  /** The place of its version. Without it the `ETag` is the version, and without that there is only one version. */
  versionPointer?: string
}

/** The form of an entity tag (RFC 9110 section 8.8.3). */
export const TAG = /^[\x21\x23-\x7e]{1,256}$/

/** A time, as a number of milliseconds since the Unix epoch or in RFC 3339. */
export const Time = z.pipe(
  z.nullish(z.union([z.number(), z.pipe(z.iso.datetime({ offset: true }), z.transform(Date.parse))])),
  z.transform((ms) => ms ?? null),
)
/**
 * The fields beside the value. If one of them is malformed, the meaning of the value is unknown and the response is not
 * used.
 */
const Marks = z.union([
  z.object({
    encoding: z.nullish(z.enum(ENCODINGS)),
    contentType: z.nullish(z.string()),
    expiresAt: Time,
    // Shown alone: the meaning of the value does not depend on them.
    tags: z.catch(z.nullish(z.record(z.string(), z.string())), null),
  }),
  z.pipe(
    z.union([z.array(z.unknown()), z.string()]),
    z.transform(() => ({ encoding: null, contentType: null, expiresAt: null, tags: null })),
  ),
])

/** Reads the fields beside the value. If the whole document is the value, there are none. */
function marksOf(source: JsonSource | null, { pointer }: DocumentPlaces): z.output<typeof Marks> | undefined {
  return Marks.safeParse(pointer === '' ? [] : source?.parsed).data
}

/**
 * Reads a secret from a response.
 *
 * @throws {ProviderFailure} if the response is malformed or has no value.
 */
export function secretOf(received: Received, config: DocumentPlaces): ProviderSecret {
  const source = readSource(received.body)
  const marks = marksOf(source, config)
  const value = source?.at(config.pointer) ?? null
  if (source === null || marks === undefined || value === null) throw malformed(received)
  if (value.kind === 'null') throw new ProviderFailure('invalid', { code: 'NoValue' })
  const isBytes = marks.encoding === 'base64'
  const text = value.kind === 'string' ? (JSON.parse(source.slice(value)) as string) : source.slice(value)
  const bytes = !isBytes ? bytesOfText(text) : value.kind === 'string' ? parseBase64(text) : null
  if (bytes === null) throw malformed(received)
  const isContainer = value.kind === 'object' || value.kind === 'array'
  return {
    value: new Redacted(bytes),
    encoding: isBytes ? 'base64' : 'utf8',
    version: versionOf(received, config),
    createdAt: null,
    expiresAt: marks.expiresAt,
    contentType: marks.contentType ?? (isContainer ? JSON_TYPE : null),
    tags: storeTags(Object.entries(marks.tags ?? {})),
    ...(value.kind === 'object' && { isFields: true }),
  }
}

/** A secret that a write would replace. */
export interface Present {
  source: JsonSource
  /** `null` if the pointer finds nothing. */
  value: JsonValue | null
  isBytes: boolean
  contentType: string | null
  /** Whether the document has more than the value and its facts. */
  hasOthers: boolean
  /** The entity tag for a condition. */
  tag: string | undefined
}

/** The names beside a value that the store keeps itself: those of this contract, and of the responses of Postern. */
const BESIDE: readonly string[] = [
  ...['name', 'version', 'encoding', 'contentType', 'createdAt', 'updatedAt', 'expiresAt', 'tags', 'moreTags'],
  ...['provider', 'passedOver', 'cached'],
]

/**
 * Reads the secret that a write would replace.
 *
 * @throws {ProviderFailure} if the response is malformed.
 */
export function presentOf(received: Received, config: DocumentPlaces): Present {
  const source = readSource(received.body)
  const marks = marksOf(source, config)
  if (source === null || marks === undefined) throw malformed(received)
  const { encoding, contentType = null } = marks
  const about = { isBytes: encoding === 'base64', contentType, hasOthers: hasOthers(source, config) }
  const version = versionOf(received, config)
  const strong = config.versionPointer !== undefined || !received.headers.get('ETag')?.startsWith('W/')
  const tag = version !== UNVERSIONED && strong && TAG.test(version) ? version : undefined
  return { source, value: source.at(config.pointer), ...about, tag }
}

/** Whether an object on the path of the value has members that a write would drop. */
function hasOthers(source: JsonSource, { pointer, versionPointer }: DocumentPlaces): boolean {
  const [path, versionPath] = [tokensOf(pointer), tokensOf(versionPointer ?? '')]
  return path.some((token, depth) => {
    const container = source.at(pointerOf(path.slice(0, depth)))
    if (container?.kind !== 'object') return container !== null
    const isVersion = (key: string) =>
      key === versionPath[depth] && path.slice(0, depth).every((one, i) => one === versionPath[i])
    const keys = [...source.members(container)].map(({ key }) => key)
    const isKnown = (key: string) => key === token || BESIDE.includes(key) || isVersion(key)
    return new Set(keys).size !== keys.length || !keys.every(isKnown)
  })
}

function pointerOf(tokens: readonly string[]): string {
  return tokens.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/**
 * Returns the body of a write: a text as a string, and an object where the store has an object.
 *
 * @throws {ProviderFailure} `foreign_shape`
 */
export function bodyOf(
  value: Redacted<Bytes>,
  options: ProviderPutOptions,
  present: Present | null,
  config: DocumentPlaces,
): string {
  const { contentType, replace } = options
  const written = writtenContent(value, options)
  if (replace === undefined && present?.hasOthers) throw foreignShape()
  if (present?.value && present.value.kind !== 'string' && present.value.kind !== 'null') {
    const fitting = sourceLike(present.value, written.text)
    const type = present.contentType === null ? '' : `,"contentType":${JSON.stringify(contentType ?? JSON_TYPE)}`
    if (fitting !== null) return config.pointer === '' ? fitting : `{"value":${fitting}${type}}`
    if (replace === undefined) throw foreignShape()
  }
  if (present?.value?.kind === 'string' && replace === undefined) {
    const text: string = JSON.parse(present.source.slice(present.value))
    checkFit({ text: present.isBytes ? null : text, isJson: isJsonType(present.contentType) }, written)
  }
  const encoding = written.text === null ? 'base64' : 'utf8'
  const typed = present && { typed: present.contentType !== null }
  return JSON.stringify({
    ...(written.text === null ? { value: base64(value.reveal()), encoding } : { value: written.text }),
    ...(declaresType(contentType, encoding, typed) && { contentType }),
  })
}

/** Parses a text as a value of this kind; `null` if it is of another kind. */
function sourceLike({ kind }: JsonValue, text: string | null): string | null {
  if (kind === 'object') {
    const document = documentOf(text)
    return document && fieldsFrom(document)
  }
  const source = text === null ? null : JsonSource.parse(text)
  return source?.root.kind === kind ? source.slice(source.root) : null
}

/**
 * The version of an answer, in its own digits.
 *
 * @throws {ProviderFailure} `invalid` when what the pointer finds is neither a string nor a number.
 */
export function versionOf({ body, headers }: Received, { versionPointer }: DocumentPlaces): string {
  const source = versionPointer === undefined ? null : readSource(body)
  const named = source?.at(versionPointer!) ?? null
  if (named !== null) {
    const version =
      named.kind === 'number' ? source!.slice(named) : named.kind === 'string' ? source!.stringOf(named) : ''
    if (!version) throw new ProviderFailure('invalid', { code: 'Version' })
    return version
  }
  return /^(?:W\/)?"([\x21\x23-\x7e]{1,256})"$/.exec(headers.get('ETag') ?? '')?.[1] ?? UNVERSIONED
}

/**
 * The version that a write made. If the response has no readable version, the version is unknown, but the write was
 * made.
 */
export function writtenVersionOf(received: Received, config: DocumentPlaces): string {
  try {
    return versionOf(received, config)
  } catch (error) {
    failureOf(error)
    throw new ProviderFailure('invalid', { code: 'Version', isUnread: true })
  }
}
