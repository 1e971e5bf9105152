/**
 * The grammar of the names of secrets: ASCII, and case counts, so that a name has one spelling. It has no Unicode normal
 * form, no percent-encoding, no empty segment, and no segment that a path would resolve.
 *
 * @module
 */

/** The most characters in the name of a secret. */
export const NAME_MAX_LENGTH = 512
/** The most segments in the name of a secret. */
export const NAME_MAX_SEGMENTS = 16
/** The most characters in a segment of a name. */
export const SEGMENT_MAX_LENGTH = 128
const SEGMENT = '[A-Za-z0-9_.][A-Za-z0-9_.+=@-]{0,127}'
/** The form of a secret's name. {@link isReserved} has the segments of this form that no name has. */
export const NAME = new RegExp(`^${SEGMENT}(?:/${SEGMENT}){0,15}$`)

// A path resolves the first two. A name may become a key of some provider's JSON object; the others would reach its
// prototype.
const RESERVED = new Set(['.', '..', '__proto__', 'constructor', 'prototype'])

/** Whether no name has this segment, although its characters are allowed. */
export function isReserved(segment: string): boolean {
  return RESERVED.has(segment)
}

/**
 * Whether a text is a secret's name: 1 to 16 segments of 1 to 128 characters, 512 characters in all. A segment begins
 * with a letter, a digit, `_` or `.`, continues with these or `+`, `=`, `@` and `-`, and is not reserved.
 */
export function isName(text: string): boolean {
  return text.length <= NAME_MAX_LENGTH && NAME.test(text) && !text.split('/').some(isReserved)
}
