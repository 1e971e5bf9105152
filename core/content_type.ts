/**
 * Content types that are JSON.
 *
 * @module
 */

/** The content type of JSON. */
export const JSON_TYPE = 'application/json'

/** Whether a type is JSON (RFC 8259), or made of it (RFC 6839 section 3.1). */
export function isJsonType(contentType: string | null | undefined): boolean {
  return /^application\/(?:json|[^\s;]+\+json)\s*(?:;|$)/i.test(contentType ?? '')
}
