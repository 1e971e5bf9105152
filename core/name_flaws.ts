/**
 * Describes the flaw of a wrong name of a secret, and proposes the nearest name.
 *
 * @module
 */
import { isName, isReserved, NAME_MAX_LENGTH, NAME_MAX_SEGMENTS, SEGMENT_MAX_LENGTH } from './name_grammar.ts'
import { cleanse, isVisible } from './sanitize.ts'

const ALLOWED = 'letters, digits, "_", ".", "+", "=", "@" and "-"'
/** A text with more kinds of wrong characters is hardly a mistyped name. It may be a value, which is not repeated. */
const MAX_WRONG_KINDS = 3

/**
 * Describes the flaw of a text that is not a name: its length, a segment or a character. Positions count characters
 * from 1. It repeats the wrong character and, if there is one, the nearest name.
 *
 * @param text Hostile input.
 * @param what The subject of the sentence, such as `Secret name`.
 */
export function flawOf(text: string, what: string): string {
  const nearest = text.length <= NAME_MAX_LENGTH ? nearestName(text) : null
  return firstFlaw(text, what) + (nearest === null ? '' : `; "${nearest}" would be allowed`)
}

function firstFlaw(text: string, what: string): string {
  if (text === '') return `${what} must not be empty`
  if (text.length > NAME_MAX_LENGTH)
    return `${what} has ${text.length} characters, and may have at most ${NAME_MAX_LENGTH}`
  const wrong = [...text].findIndex((char) => !/^[A-Za-z0-9_.+=@/-]$/.test(char))
  if (wrong >= 0) {
    return `${what} has ${named([...text][wrong]!)} at character ${wrong + 1}, and may have only ${ALLOWED} between slashes`
  }
  const segments = text.split('/')
  if (segments.length > NAME_MAX_SEGMENTS)
    return `${what} has ${segments.length} segments, and may have at most ${NAME_MAX_SEGMENTS}`
  const flaws = segments.map(flawOfSegment)
  const at = flaws.findIndex((flaw) => flaw !== null)
  return at < 0 ? `${what} is not the start of a name` : `Segment ${at + 1} of the ${lowerFirst(what)} ${flaws[at]}`
}

/** The flaw of a segment of allowed characters, as the end of a sentence; `null` if it has none. */
function flawOfSegment(segment: string): string | null {
  if (segment === '') return 'is empty'
  if (segment.length > SEGMENT_MAX_LENGTH)
    return `has ${segment.length} characters, and may have at most ${SEGMENT_MAX_LENGTH}`
  if (isReserved(segment)) return `is "${segment}", which is reserved`
  if (!/^[A-Za-z0-9_.]/.test(segment))
    return `begins with "${segment[0]}", and must begin with a letter, a digit, "_" or "."`
  return null
}

/** Names a character so that it can be seen. */
function named(char: string): string {
  if (char === ' ') return 'a space'
  const code = `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`
  if (/^[!-~]$/.test(char)) return `"${char}"`
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(char) && isVisible(char) ? `"${char}" (${code})` : `the character ${code}`
}

/** The name that differs least from a text; `null` if there is none, or the text may be a value. */
function nearestName(text: string): string | null {
  if (new Set(text.replaceAll(/[A-Za-z0-9_.+=@/-]/g, '')).size > MAX_WRONG_KINDS) return null
  const name = text
    // Letters without their marks; full-width forms and ligatures as what they stand for.
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .trim()
    .replaceAll(/%2f|\\/gi, '/')
    .split('/')
    .flatMap(nearestSegment)
    .join('/')
  return isName(name) && cleanse(name) === name ? name : null
}

function nearestSegment(segment: string): string[] {
  const plain = segment
    .replaceAll(/[^A-Za-z0-9_.+=@-]+/g, '-')
    .replace(/^[+=@-]+/, '')
    .replace(/(?<!-)-$/, '')
  if (plain === '' || plain === '.' || plain === '..') return []
  return [isReserved(plain) ? `${plain}_` : plain]
}

function lowerFirst(text: string): string {
  return text[0]!.toLowerCase() + text.slice(1)
}
