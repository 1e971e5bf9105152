import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NAME_MAX_LENGTH, parseId, parseName, parseNamePrefix, parseVaultId } from '../../../core/names.ts'
import { canary, leaks } from '../../support/canary.ts'
import { refusalFrom, shownBy } from '../../support/core.ts'

const ALNUM = 'abcdefghijklmnopqrstuvwxyz0123456789'
const isReserved = (segment: string) => segment === 'constructor' || segment === 'prototype'

/** The grammar, generated from its words rather than its regular expression. */
const segment = fc
  .tuple(
    fc.constantFrom(...ALNUM),
    fc.option(
      fc.tuple(
        fc.string({ unit: fc.constantFrom(...`${ALNUM}_.-_.-_.-`), maxLength: 126, size: 'max' }),
        fc.constantFrom(...ALNUM),
      ),
      { nil: ['', ''] as [string, string] },
    ),
  )
  .map(([first, [middle, last]]) => first + middle + last)
  .filter((text) => !isReserved(text))
const secretName = fc
  .array(segment, { minLength: 1, maxLength: 8 })
  .map((segments) => segments.join('/'))
  .filter((name) => name.length <= NAME_MAX_LENGTH)

describe('parseName', () => {
  it('accepts every name of the grammar unchanged', () => {
    fc.assert(fc.property(secretName, (name) => parseName(name) === name))
  })

  it.each([
    ['one letter', 'a'],
    ['one digit', '0'],
    ['punctuation inside a segment', 'a_b.c-d'],
    ['two dots inside a segment', 'a..b'],
    ['eight segments', 'a/b/c/d/e/f/g/h'],
    ['a segment of 128 characters', 'a'.repeat(128)],
    ['512 characters', [127, 127, 127, 128].map((length) => 'a'.repeat(length)).join('/')],
    ['a reserved word inside a longer segment', 'constructors/my-prototype'],
  ])('accepts %s', (_, name) => {
    expect(parseName(name)).toBe(name)
  })

  it.each<[string, unknown]>([
    ['a number', 1],
    ['nothing given', undefined],
    ['null', null],
    ['an array of a name', ['a']],
    ['an empty text', ''],
    ['upper case', 'Db'],
    ['a letter outside ASCII', 'é'],
    ['the same letter in another normal form', 'e\u0301'],
    ['a letter that folds to ASCII', 'ſecret'],
    ['a Kelvin sign', '\u212a'],
    ['a full-width letter', 'ａ'],
    ['a slash in front', '/a'],
    ['a slash behind', 'a/'],
    ['two slashes', 'a//b'],
    ['a dot segment', 'a/./b'],
    ['a double dot segment', 'a/../b'],
    ['a double dot alone', '..'],
    ['a dot in front', '.env'],
    ['a dot behind', 'a.'],
    ['a hyphen in front', '-a'],
    ['a hyphen behind, before a slash', 'a-/b'],
    ['an underscore in front', '_a'],
    ['an underscore behind', 'a_'],
    ['a backslash', 'a\\b'],
    ['a percent sign', 'a%2fb'],
    ['a space', 'a b'],
    ['a line feed behind', 'a\n'],
    ['a carriage return', 'a\rb'],
    ['a NUL', 'a\0'],
    ['a star', 'a*'],
    ['a question mark', 'a?b'],
    ['a number sign', 'a#b'],
    ['nine segments', 'a/b/c/d/e/f/g/h/i'],
    ['a segment of 129 characters', 'a'.repeat(129)],
    ['513 characters', [127, 128, 127, 128].map((length) => 'a'.repeat(length)).join('/')],
    ['the segment __proto__', 'a/__proto__'],
    ['the segment constructor', 'constructor'],
    ['the segment prototype', 'a/prototype/b'],
  ])('rows 8, 9, 10, 11: refuses %s', (_, input) => {
    expect(refusalFrom(() => parseName(input)).code).toBe('bad_request')
  })

  it('says that a name is too long rather than badly formed', () => {
    expect(refusalFrom(() => parseName('a'.repeat(NAME_MAX_LENGTH + 1))).message).toContain('at most 512')
  })

  it('row 8: has one spelling for each name, in case, normal form and encoding', {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }), (text) => {
        let name: string
        try {
          name = parseName(text)
        } catch {
          return
        }
        expect([name.toLowerCase(), name.normalize('NFKD'), decodeURIComponent(name), name.trim()]).toEqual(
          Array(4).fill(text),
        )
      }),
      { numRuns: 5000 },
    )
  })
})

describe('parseNamePrefix', () => {
  it('accepts every prefix of every valid name', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(secretName, (name) => {
        for (let end = 0; end <= name.length; end++)
          expect(parseNamePrefix(name.slice(0, end))).toBe(name.slice(0, end))
      }),
      { numRuns: 200 },
    )
  })

  it.each(['', 'a', 'a/', 'a-', 'a.', 'a_', 'a..', 'a/b-', 'constructor', 'a'.repeat(128), `${'a'.repeat(126)}-`])(
    'takes "%s"',
    (prefix) => {
      expect(parseNamePrefix(prefix)).toBe(prefix)
    },
  )

  it.each<[string, unknown]>([
    ['nothing given', undefined],
    ['a number', 0],
    ['a slash alone', '/'],
    ['two slashes', 'a//'],
    ['a dot alone', '.'],
    ['a dot behind a slash', 'a/.'],
    ['a climb', '../'],
    ['punctuation before a slash', 'a-/'],
    ['upper case', 'A'],
    ['a percent sign, as of LIKE', 'a%'],
    ['a star', '*'],
    ['a tilde', 'a~'],
    ['a slash behind eight segments', 'a/b/c/d/e/f/g/h/'],
    ['a segment of 129 characters', 'a'.repeat(129)],
    ['a segment that would need a 129th character to end', `${'a'.repeat(127)}-`],
    ['513 characters', 'a/'.repeat(257)],
    ['a line feed', 'a\n'],
  ])('refuses %s', (_, input) => {
    expect(refusalFrom(() => parseNamePrefix(input)).code).toBe('bad_request')
  })
})

describe('parseVaultId', () => {
  it.each(['a', '0', 'acme', 'a-1', '-', 'a'.repeat(32)])('takes "%s"', (id) => {
    expect(parseVaultId(id)).toBe(id)
  })

  it.each<[string, unknown]>([
    ['nothing given', undefined],
    ['an empty text', ''],
    ['33 characters', 'a'.repeat(33)],
    ['upper case', 'Acme'],
    ['an underscore, which parts a token', 'a_b'],
    ['a dot', 'a.b'],
    ['a slash', 'a/b'],
    ['a climb', '..'],
    ['a NUL', 'a\0'],
    ['a line feed behind', 'a\n'],
    ['a letter outside ASCII', 'é'],
  ])('refuses %s', (_, input) => {
    expect(refusalFrom(() => parseVaultId(input)).code).toBe('bad_request')
  })
})

describe('parseId', () => {
  it.each(['a', '0', 'alice@example.com', 'a.b_c-d@e', 'a'.repeat(64)])('takes "%s"', (id) => {
    expect(parseId(id)).toBe(id)
  })

  it.each<[string, unknown]>([
    ['nothing given', null],
    ['an empty text', ''],
    ['65 characters', 'a'.repeat(65)],
    ['the star that stands for all', '*'],
    ['upper case', 'Alice'],
    ['a sign in front', '@alice'],
    ['a dot behind', 'alice.'],
    ['a slash', 'a/b'],
    ['a space', 'a b'],
    ['a plus', 'alice+1@example.com'],
    ['a space behind', 'alice '],
    ['a letter that looks the same', '\u0430lice'],
    ['a full-width letter', '\uff41lice'],
    ['an escape', 'alic%65'],
    ['a line feed behind', 'alice\n'],
  ])('rows 22, 38: refuses %s', (_, input) => {
    expect(refusalFrom(() => parseId(input)).code).toBe('bad_request')
  })
})

describe('a refused name', () => {
  it.each([parseName, parseNamePrefix, parseVaultId, parseId])(
    'is not quoted by %o, which names the field',
    (parse) => {
      const secret = canary()
      const error = refusalFrom(() => parse(secret, 'some.field'))
      expect(error.detail).toEqual({ field: 'some.field' })
      expect(leaks(shownBy(error), [secret])).toEqual([])
    },
  )
})
