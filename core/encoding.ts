/**
 * The two ways in which a value is written as text, and the content type that each has by default.
 *
 * @module
 */

/** The two encodings. */
export const ENCODINGS = ['utf8', 'base64'] as const

/** How a value is given and given back: as text, or as bytes in base64. */
export type Encoding = (typeof ENCODINGS)[number]

/** The content type of a value for which its writer, or its store, names none. */
export const DEFAULT_CONTENT_TYPE: Readonly<Record<Encoding, string>> = Object.freeze({
  utf8: 'text/plain; charset=utf-8',
  base64: 'application/octet-stream',
})
