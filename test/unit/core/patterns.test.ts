/**
 * Patterns of names, and globs of values.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { covers, coversAnyCase, globMatches } from '../../../core/patterns.ts'
import { growth } from '../../support/growth.ts'
import { coversByTheBook, name, pattern, sameInAnyCase } from './vault/access/rules_fixture.ts'

/** A glob, taken word for word: a star is nothing, or one character and the star again. */
function globByTheBook(glob: string, text: string): boolean {
  if (glob === '') return text === ''
  if (glob[0] === '*') return globByTheBook(glob.slice(1), text) || (text !== '' && globByTheBook(glob, text.slice(1)))
  return glob[0] === text[0] && globByTheBook(glob.slice(1), text.slice(1))
}

describe('covers', () => {
  it.each([
    ['a', 'a'],
    ['team/a', 'team/a'],
    ['team/*', 'team/a'],
    ['*', 'a'],
    ['*/*', 'team/a'],
    ['*/a', 'team/a'],
    ['team/*/b', 'team/a/b'],
    ['team/**', 'team/a'],
    ['team/**', 'team/a/b'],
    ['team/**', 'team/a/b/c/d/e/f/g'],
    ['**', 'a'],
    ['**', 'team/a/b'],
    ['*/**', 'team/a'],
  ])('%s covers %s', (given, covered) => {
    expect(covers(given, covered)).toBe(true)
  })

  it.each([
    ['team/*', 'team'],
    ['team/*', 'team2'],
    ['team/*', 'team2/a'],
    ['team/*', 'team/a/b'],
    ['team/**', 'team'],
    ['team/**', 'team2/a'],
    ['team', 'team/a'],
    ['team/a', 'team'],
    ['*', 'team/a'],
    ['*/*', 'team'],
    ['*/**', 'team'],
    ['*/*/**', 'team/a'],
    ['tea*', 'team'],
    ['*am', 'team'],
    ['team/a*', 'team/ab'],
    ['**/a', 'team/a'],
    ['**/a', 'a'],
    ['team/**/b', 'team/a/b'],
    ['t..m', 'team'],
    ['team/.', 'team/a'],
    ['Team/*', 'team/a'],
    ['team/*', 'TEAM/a'],
    ['team/a', 'team/A'],
    ['', 'a'],
    ['a', 'b'],
  ])('row 38: %s does not cover %s', (given, uncovered) => {
    expect(covers(given, uncovered)).toBe(false)
  })

  it('agrees with a literal reading of its docstring', () => {
    fc.assert(
      fc.property(pattern, name, (given, text) => {
        expect(covers(given, text)).toBe(coversByTheBook(given.split('/'), text.split('/')))
      }),
      { numRuns: 3000 },
    )
  })

  it('in any case agrees with a literal reading of its docstring, and covers every name that it covers exactly', () => {
    fc.assert(
      fc.property(pattern, name, (given, text) => {
        const inAnyCase = coversAnyCase(given, text)
        expect(inAnyCase).toBe(coversByTheBook(given.split('/'), text.split('/'), sameInAnyCase))
        expect(inAnyCase).toBe(covers(given.toLowerCase(), text.toLowerCase()))
        if (covers(given, text)) expect(inAnyCase).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['Team/*', 'team/A', true],
    ['team/DB_PASSWORD', 'Team/db_password', true],
    ['PROD/**', 'prod/a/b', true],
    ['team/a', 'team/b', false],
    ['team', 'team2', false],
    // "[" and "{", "@" and "\`" differ in the same bit as letters do; "K" is a Kelvin sign.
    ['a@b', 'a`b', false],
    ['a[b', 'a{b', false],
    ['\u212a', 'k', false],
    ['\u0130', 'i\u0307', false],
    ['\u00c9', '\u00e9', false],
  ])('in any case: of %j and %j it is %s', (given, text, expected) => {
    expect([coversAnyCase(given, text), coversAnyCase(text, given)]).toEqual([
      expected,
      expected && !given.includes('*'),
    ])
  })

  it('takes linear time in the number of segments and stars', {
    timeout: 60_000,
  }, () => {
    const stars = (count: number) => Array(count).fill('*').join('/')
    const segments = (count: number) => `${Array(count).fill('a').join('/')}`
    const covering = (count: number) => {
      const [given, text, longer] = [stars(count), segments(count), segments(count + 1)]
      return () => {
        for (let i = 0; i < 20; i++) {
          expect(covers(given, text)).toBe(true)
          expect(covers(given, longer)).toBe(false)
          expect(covers(`${given}/**`, longer)).toBe(true)
        }
      }
    }
    expect(growth(covering(1000), covering(10_000), 40)).toBeLessThan(40)
  })
})

describe('globMatches', () => {
  it.each([
    ['*', ''],
    ['*', 'a'],
    ['**', 'a'],
    ['', ''],
    ['a*', 'a'],
    ['*a', 'ba'],
    ['a*c', 'abbc'],
    ['*a*b*', 'xaxbx'],
    ['*ab', 'aab'],
    ['?', '?'],
    ['a.b', 'a.b'],
  ])('%j matches %j', (glob, text) => {
    expect(globMatches(glob, text)).toBe(true)
  })

  it.each([
    ['', 'a'],
    ['a', ''],
    ['a', 'ab'],
    ['b', 'ab'],
    ['A', 'a'],
    ['a*c', 'ab'],
    ['*ab', 'aba'],
    ['?', 'a'],
    ['.', 'a'],
    ['[ab]', 'a'],
  ])('%j does not match %j', (glob, text) => {
    expect(globMatches(glob, text)).toBe(false)
  })

  it('agrees with a literal reading of its docstring', () => {
    const glob = fc.array(fc.constantFrom('a', 'b', '*', '*'), { maxLength: 9 }).map((chars) => chars.join(''))
    const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 10 }).map((chars) => chars.join(''))
    fc.assert(
      fc.property(glob, text, (given, said) => {
        expect(globMatches(given, said)).toBe(globByTheBook(given, said))
      }),
      { numRuns: 3000 },
    )
  })

  it('row 49: takes linear time in the length of the text', { timeout: 60_000 }, () => {
    const globs = [`*${'a'.repeat(20)}b`, `${'*a'.repeat(50)}*b`, `${'*'.repeat(100)}b`]
    const matching = (length: number) => {
      const text = 'a'.repeat(length)
      return () => {
        for (let i = 0; i < 10; i++) for (const glob of globs) expect(globMatches(glob, text)).toBe(false)
      }
    }
    expect(growth(matching(2000), matching(20_000), 40)).toBeLessThan(40)
  })

  it('row 49: treats ten thousand stars as one star, and takes no longer for stars between letters', () => {
    const text = 'a'.repeat(256)
    expect([globMatches('*'.repeat(10_000), text), globMatches(`${'*'.repeat(10_000)}b`, text)]).toEqual([true, false])
    const between = (stars: number) => () => {
      for (let i = 0; i < 20; i++) expect(globMatches(`${'*a'.repeat(stars)}*b`, text.repeat(4))).toBe(false)
    }
    expect(growth(between(50), between(500), 40)).toBeLessThan(40)
  })
})
