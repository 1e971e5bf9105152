/**
 * Rules and requests, made at random.
 *
 * @module
 */
import fc from 'fast-check'

/** The docstring of `covers`, segment by segment and without a single clever thing. */
export function coversByTheBook(pattern: readonly string[], name: readonly string[]): boolean {
  if (pattern.length === 1 && pattern[0] === '**') return name.length >= 1
  if (pattern.length === 0 || name.length === 0) return pattern.length === name.length
  const [first, ...morePattern] = pattern
  const [actual, ...moreName] = name
  return (first === '*' || first === actual) && coversByTheBook(morePattern, moreName)
}

export const word = fc.constantFrom('a', 'ab', 'b', 'team', 'team2')

export const name = fc.array(word, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'))

export const pattern = fc
  .tuple(fc.array(fc.oneof(word, fc.constant('*')), { maxLength: 4 }), fc.constantFrom([], ['**']))
  .map(([segments, tail]) => [...segments, ...tail].join('/'))
  .filter((text) => text !== '')
