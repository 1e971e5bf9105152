/**
 * References to secrets in any text, and what they mean once their variables are filled in.
 *
 * @module
 */
import { formatReference, parseReference, type Reference } from '../reference.ts'
import { expand } from './dotenv.ts'

/** A reference as it is written, variables and all. */
export interface FoundReference {
  text: string
  start: number
  end: number
}

/** The part of a reference that is not as it must be. */
export type Malformed = 'vault' | 'name' | 'version' | 'pointer'

/** A reference with its variables filled in, or why it cannot be. */
export type Resolved = { reference: Reference; text: string } | { missing: string } | { malformed: Malformed }

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
  const reference = parsed(expanded.text)
  if (reference === null) return { malformed: malformedPart(expanded.text) }
  // One spelling a secret, so that it is asked for once.
  return { reference, text: formatReference(reference) }
}

function parsed(text: string): Reference | null {
  try {
    return parseReference(text)
  } catch {
    return null
  }
}

/** The part without which, and without those behind it, the rest can be read. The parser's own words are in one language. */
function malformedPart(text: string): Malformed {
  if (parsed(text.replace(/#[\s\S]*$/, ''))) return 'pointer'
  if (parsed(text.replace(/[?#][\s\S]*$/, ''))) return 'version'
  const [vault = ''] = text.replace('postern://', '').split('/', 1)
  return parsed(`postern://${vault}/x`) ? 'name' : 'vault'
}
