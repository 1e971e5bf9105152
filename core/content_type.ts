/**
 * The types that values have when nobody says, and which types are JSON.
 *
 * @module
 */

/** The type of a value whose writer, or store, names none. */
export const DEFAULT_CONTENT_TYPE = Object.freeze({
  utf8: 'text/plain; charset=utf-8',
  base64: 'application/octet-stream',
})

export const JSON_TYPE = 'application/json'

/** Whether a type is JSON (RFC 8259), or made of it (RFC 6839 section 3.1). */
export function isJsonType(contentType: string | null | undefined): boolean {
  return /^application\/(?:json|[^\s;]+\+json)\s*(?:;|$)/i.test(contentType ?? '')
}
