/**
 * The fields of a KV secret: one value in the shape that Postern writes, or a document of other clients, which stays
 * unchanged.
 *
 * @module
 */

import * as z from 'zod/mini'
import { type Bytes, base64, parseBase64, utf8 } from '../../bytes.ts'
import { isJsonType, JSON_TYPE } from '../../content_type.ts'
import { ENCODINGS, type Encoding } from '../../encoding.ts'
import type { JsonSource, JsonValue } from '../../json_source.ts'
import { Redacted } from '../../redacted.ts'
import type { ProviderPutOptions, ProviderSecret } from '../provider.ts'
import { bytesOfText, checkFit, declaresType, documentOf, fieldsFrom, foreignShape, writtenContent } from '../shape.ts'

/** The shape that Postern writes. */
const OwnFields = z.object({
  value: z.string(),
  encoding: z._default(z.enum(ENCODINGS), 'utf8'),
  content_type: z._default(z.nullable(z.string()), null),
})

/** The fields of a secret, as they are in a response. */
export interface Fields {
  source: JsonSource
  value: JsonValue
}

/** A secret in the shape that Postern writes. */
interface Own {
  text: string
  encoding: Encoding
  contentType: string | null
}

/**
 * Returns the fields to write: the own fields of an object where the secret has fields, otherwise the shape that
 * Postern writes.
 *
 * @throws {ProviderFailure} `foreign_shape`
 */
export function dataOf(
  value: Redacted<Bytes>,
  options: Pick<ProviderPutOptions, 'contentType' | 'encoding' | 'replace'>,
  present: Fields | null,
): string {
  const { contentType, replace } = options
  const written = writtenContent(value, options)
  const own = present && ownOf(present)
  if (present !== null && own === null) {
    const document = documentOf(written.text)
    // Fields in the shape of Postern would be read as one text.
    if (document !== null && ownOf({ source: document, value: document.root }) === null) return fieldsFrom(document)
    if (replace === undefined) throw foreignShape()
  }
  if (own !== null && replace === undefined) {
    checkFit({ text: own.encoding === 'utf8' ? own.text : null, isJson: isJsonType(own.contentType) }, written)
  }
  return JSON.stringify(ownFields(value, { text: written.text, contentType }, own))
}

/**
 * Writes one field, with its encoding and type if they matter. All values are text, because numbers would lose digits.
 */
function ownFields(
  value: Redacted<Bytes>,
  { text, contentType }: { text: string | null; contentType: string | undefined },
  present: Own | null,
) {
  const typed = present && { typed: present.contentType !== null }
  return {
    ...(text === null ? { value: base64(value.reveal()), encoding: 'base64' } : { value: text }),
    ...(declaresType(contentType, text === null ? 'base64' : 'utf8', typed) && { content_type: contentType }),
  }
}

/** Reads fields in the shape that Postern writes; `null` for other fields. */
function ownOf({ source, value: fields }: Fields): Own | null {
  const members = [...source.members(fields)]
  const isOurs = members.every(({ key }) => Object.hasOwn(OwnFields.shape, key))
  if (!isOurs || new Set(members.map(({ key }) => key)).size !== members.length) return null
  const own = OwnFields.safeParse(JSON.parse(source.slice(fields))).data
  if (own === undefined || (own.encoding === 'base64' && parseBase64(own.value) === null)) return null
  return { text: own.value, encoding: own.encoding, contentType: own.content_type }
}

/** Reads a value that Postern wrote, or the fields of other clients as one JSON document, character by character. */
export function secretOf(fields: Fields): Pick<ProviderSecret, 'value' | 'encoding' | 'contentType' | 'isFields'> {
  const own = ownOf(fields)
  if (own === null) {
    const document = utf8(fields.source.slice(fields.value))
    return { value: new Redacted(document), encoding: 'utf8', contentType: JSON_TYPE, isFields: true }
  }
  const { text, encoding, contentType } = own
  return { value: new Redacted(encoding === 'base64' ? parseBase64(text)! : bytesOfText(text)), encoding, contentType }
}
