/**
 * References to secrets in any text, and what they mean once their variables are filled in.
 *
 * @module
 */
import { PosternError } from '../../core/errors.ts'
import { formatReference, parseReference, type Reference } from '../../core/reference.ts'
import { expand } from './dotenv.ts'

/** A reference as it is written, variables and all. */
export interface FoundReference {
  text: string
  start: number
  end: number
}

/** A reference with its variables filled in, or why it cannot be. */
export type Resolved = { reference: Reference; text: string } | { missing: string } | { malformed: string }

const REFERENCE = /postern:\/\/(?:\$\{[A-Za-z_][A-Za-z0-9_]{0,127}(?::-[^}\s]{0,512})?\}|[A-Za-z0-9_./?=#~%@-])+/g

const NOT_LAST = './?#~%@-'

/** Finds every reference in a text. Linear. */
export function findReferences(text: string): FoundReference[] {
  return [...text.matchAll(REFERENCE)].map(({ 0: found, index }) => {
    // A full stop, or a slash, at the end belongs to the sentence around it: no name ends with one.
    // By hand: a pattern that is bound to the end is tried at every place, and takes the square of a run of dots.
    let length = found.length
    while (NOT_LAST.includes(found[length - 1]!)) length--
    return { text: found.slice(0, length), start: index, end: index + length }
  })
}

/** Fills in variables and parses. */
export function resolve(text: string, variables: ReadonlyMap<string, string>): Resolved {
  const expanded = expand(text, variables)
  if ('missing' in expanded) return expanded
  try {
    const reference = parseReference(expanded.text)
    // One spelling a secret, so that it is asked for once.
    return { reference, text: formatReference(reference) }
  } catch (error) {
    return { malformed: error instanceof PosternError ? error.message : 'Reference cannot be read' }
  }
}
