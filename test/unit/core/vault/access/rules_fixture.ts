/**
 * Rules and requests, made at random.
 *
 * @module
 */
import fc from 'fast-check'

const exact = (segment: string, actual: string) => segment === actual

/** Whether two segments differ only in the case of ASCII letters, letter by letter. */
export function sameInAnyCase(one: string, other: string): boolean {
  const code = (char: string) => (char >= 'A' && char <= 'Z' ? char.charCodeAt(0) + 32 : char.charCodeAt(0))
  return one.length === other.length && [...one].every((char, i) => code(char) === code(other[i]!))
}

/** The docstring of `covers`, segment by segment and without a single clever thing. */
export function coversByTheBook(pattern: readonly string[], name: readonly string[], isSame = exact): boolean {
  if (pattern.length === 1 && pattern[0] === '**') return name.length >= 1
  if (pattern.length === 0 || name.length === 0) return pattern.length === name.length
  const [first, ...morePattern] = pattern
  const [actual, ...moreName] = name
  return (first === '*' || isSame(first!, actual!)) && coversByTheBook(morePattern, moreName, isSame)
}

export const word = fc.constantFrom('a', 'A', 'ab', 'Ab', 'b', 'team', 'Team', 'team2')

export const name = fc.array(word, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'))

export const pattern = fc
  .tuple(fc.array(fc.oneof(word, fc.constant('*')), { maxLength: 4 }), fc.constantFrom([], ['**']))
  .map(([segments, tail]) => [...segments, ...tail].join('/'))
  .filter((text) => text !== '')
