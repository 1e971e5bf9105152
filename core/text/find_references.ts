/**
 * Finds references to secrets in a text, and resolves their variables.
 *
 * @module
 */
import { formatReference, parseReference, type Reference } from '../reference.ts'
import { expand } from './variables.ts'

/** A reference as written, with its variables. */
export interface FoundReference {
  text: string
  start: number
  end: number
}

/** The invalid part of a reference. */
export type Malformed = 'vault' | 'name' | 'version' | 'pointer'

/** A reference with its variables expanded, or the reason why that failed. */
export type Resolved = { reference: Reference; text: string } | { missing: string } | { malformed: Malformed }

const REFERENCE = /postern:\/\/(?:\$\{[A-Za-z_][A-Za-z0-9_]{0,127}(?::-[^}\s]{0,512})?\}|[A-Za-z0-9_./?=#~%@+-])+/g

const NOT_LAST = './?#~%'

/** Finds every reference in a text. Linear. */
export function findReferences(text: string): FoundReference[] {
  return [...text.matchAll(REFERENCE)].map(({ 0: found, index }) => {
    // A full stop or slash at the end belongs to the surrounding sentence. Few names end with a full stop, and none with
    // a slash.
    // A pattern that is anchored to the end would be tried at every position, in quadratic time for a run of dots.
    let length = found.length
    while (NOT_LAST.includes(found[length - 1]!)) length--
    return { text: found.slice(0, length), start: index, end: index + length }
  })
}

/** Expands the variables of a reference and parses it. */
export function resolve(text: string, variables: ReadonlyMap<string, string>): Resolved {
  const expanded = expand(text, variables)
  if ('missing' in expanded) return expanded
  const reference = parsed(expanded.text)
  if (reference === null) return { malformed: malformedPart(expanded.text) }
  // One spelling for each secret, so that it is requested once.
  return { reference, text: formatReference(reference) }
}

function parsed(text: string): Reference | null {
  try {
    return parseReference(text)
  } catch {
    return null
  }
}

/**
 * Returns the first invalid part. The reference parses without it and the parts after it. The parser's messages are not
 * used, because they are not translated.
 */
function malformedPart(text: string): Malformed {
  if (parsed(text.replace(/#[\s\S]*$/, ''))) return 'pointer'
  if (parsed(text.replace(/[?#][\s\S]*$/, ''))) return 'version'
  const [vault = ''] = text.replace('postern://', '').split('/', 1)
  return parsed(`postern://${vault}/x`) ? 'name' : 'vault'
}
