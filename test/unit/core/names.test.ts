import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isName, NAME_MAX_LENGTH } from '../../../core/name_grammar.ts'
import { parseId, parseName, parseNamePrefix, parseVaultId } from '../../../core/names.ts'
import { canary, leaks } from '../../support/canary.ts'
import { refusalFrom, shownBy } from '../../support/core.ts'
import { growth } from '../../support/growth.ts'

const ALNUM = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const RESERVED = ['.', '..', '__proto__', 'constructor', 'prototype']

/** The grammar, generated from its words rather than its regular expression. */
const segment = fc
  .tuple(
    fc.constantFrom(...ALNUM, '_', '.'),
    fc.string({ unit: fc.constantFrom(...`${ALNUM}_.+=@-_.+=@-_.+=@-`), maxLength: 127, size: 'max' }),
  )
  .map(([first, rest]) => first + rest)
  .filter((text) => !RESERVED.includes(text))
const secretName = fc
  .array(segment, { minLength: 1, maxLength: 16 })
  .map((segments) => segments.join('/'))
  .filter((name) => name.length <= NAME_MAX_LENGTH)
const sixteen = 'a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p'

describe('parseName', () => {
  it('accepts every name of the grammar unchanged', () => {
    fc.assert(fc.property(secretName, (name) => parseName(name) === name))
  })

  it.each([
    ['one letter', 'a'],
    ['one digit', '0'],
    ['a capital letter', 'A'],
    ['an underscore', '_'],
    ['the name of an environment variable', 'DATABASE_URL'],
    ['the name of a secret at AWS', 'MyApp/Prod/DB_Password'],
    ['punctuation inside a segment', 'a_b.c-d+e=f@g'],
    ['a dot in front', '.env'],
    ['two dots in front', '..a'],
    ['three dots', '...'],
    ['an underscore in front', '_a'],
    ['punctuation behind', 'a./b-/c+/d=/e@/f_'],
    ['two dots inside a segment', 'a..b'],
    ['sixteen segments', sixteen],
    ['a segment of 128 characters', 'a'.repeat(128)],
    ['512 characters', [127, 127, 127, 128].map((length) => 'a'.repeat(length)).join('/')],
    ['a reserved word inside a longer segment', 'constructors/my-prototype/__proto___'],
    ['a reserved word in another case', 'Constructor/PROTOTYPE/__Proto__'],
  ])('accepts %s', (_, name) => {
    expect(parseName(name)).toBe(name)
  })

  it.each<[string, unknown]>([
    ['a number', 1],
    ['nothing given', undefined],
    ['null', null],
    ['an array of a name', ['a']],
    ['an empty text', ''],
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
    ['a dot segment at the end', 'a/.'],
    ['a hyphen in front', '-a'],
    ['a plus in front', 'a/+b'],
    ['an equals sign in front', '=a'],
    ['an at sign in front', 'a/@b'],
    ['a backslash', 'a\\b'],
    ['a percent sign', 'a%2fb'],
    ['a space', 'a b'],
    ['a line feed behind', 'a\n'],
    ['a carriage return', 'a\rb'],
    ['a NUL', 'a\0'],
    ['a star', 'a*'],
    ['a question mark', 'a?b'],
    ['a number sign', 'a#b'],
    ['a colon', 'a:b'],
    ['a tilde', 'a~'],
    ['a dollar sign', 'a$b'],
    ['seventeen segments', `${sixteen}/q`],
    ['a segment of 129 characters', 'a'.repeat(129)],
    ['513 characters', [127, 128, 127, 128].map((length) => 'a'.repeat(length)).join('/')],
    ['the segment __proto__', 'a/__proto__'],
    ['the segment constructor', 'constructor'],
    ['the segment prototype', 'a/prototype/b'],
  ])('rows 8, 9, 10, 11: refuses %s', (_, input) => {
    expect(refusalFrom(() => parseName(input)).code).toBe('bad_request')
  })

  it('row 8: has one spelling for each name, in normal form and encoding', {
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
        expect([name.normalize('NFKD'), decodeURIComponent(name), name.trim()]).toEqual(Array(3).fill(text))
        expect(new URL(`https://x/${name}`).pathname).toBe(`/${text}`)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('the message about a wrong name', () => {
  const messageOf = (text: string) => refusalFrom(() => parseName(text)).message

  it.each([
    ['my app/db', 'Secret name has a space at character 3', 'my-app/db'],
    ['MyApp/Prod/DB Password', 'Secret name has a space at character 14', 'MyApp/Prod/DB-Password'],
    ['prod/db\n', 'Secret name has the character U+000A at character 8', 'prod/db'],
    ['prod\\db', 'Secret name has "\\" at character 5', 'prod/db'],
    ['prod%2Fdb', 'Secret name has "%" at character 5', 'prod/db'],
    ['cr\u00e8me/db', 'Secret name has "\u00e8" (U+00E8) at character 3', 'creme/db'],
    ['\u{1f511}/db', 'Secret name has "\u{1f511}" (U+1F511) at character 1', 'db'],
    ['a\u{1f511}b c', 'Secret name has "\u{1f511}" (U+1F511) at character 2', 'a-b-c'],
    ['a\u202eb', 'Secret name has the character U+202E at character 2', 'a-b'],
    ['a\ud800', 'Secret name has the character U+D800 at character 2', 'a'],
    ['/prod/db', 'Segment 1 of the secret name is empty', 'prod/db'],
    ['prod//db', 'Segment 2 of the secret name is empty', 'prod/db'],
    ['prod/../db', 'Segment 2 of the secret name is "..", which is reserved', 'prod/db'],
    ['a/constructor', 'Segment 2 of the secret name is "constructor", which is reserved', 'a/constructor_'],
    ['a/-db', 'Segment 2 of the secret name begins with "-"', 'a/db'],
    ['@scope/x', 'Segment 1 of the secret name begins with "@"', 'scope/x'],
  ])('for %j says %s, and proposes %s', (text, flaw, nearest) => {
    const message = messageOf(text)
    expect(message.startsWith(flaw)).toBe(true)
    expect(message.endsWith(`; "${nearest}" would be allowed`)).toBe(true)
    expect(parseName(nearest)).toBe(nearest)
  })

  it.each([
    ['', 'Secret name must not be empty'],
    ['a'.repeat(513), 'Secret name has 513 characters, and may have at most 512'],
    [`${sixteen}/q`, 'Secret name has 17 segments, and may have at most 16'],
    [`a/${'b'.repeat(129)}`, 'Segment 2 of the secret name has 129 characters, and may have at most 128'],
  ])('for %j says which part is too long or missing', (text, message) => {
    expect(messageOf(text)).toBe(message)
  })

  it('proposes only names, and repeats nothing that cannot be seen', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (text) => {
        if (isName(text)) return
        const message = messageOf(text)
        expect(message).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
        const nearest = /; "(.*)" would be allowed$/.exec(message)?.[1]
        if (nearest !== undefined) expect(parseName(nearest)).toBe(nearest)
      }),
      { numRuns: 3000 },
    )
  })

  it('does not repeat what looks like a credential or a value', () => {
    const token = `pst_acme_${'a'.repeat(65)}`
    expect(messageOf(`${token} `)).not.toContain(token)
    const secret = canary()
    expect(leaks(messageOf(secret), [secret])).toEqual([])
    // As a runtime may hand a path on.
    expect(messageOf(secret.replaceAll('\\', '/'))).not.toContain('would be allowed')
  })

  it('takes time linear in the name', () => {
    const messages = (unit: string) => () => {
      for (let i = 0; i < 20; i++) messageOf(unit)
    }
    expect(growth(messages(' a'.repeat(25)), messages(' a'.repeat(250)), 40)).toBeLessThan(40)
    expect(messageOf('/'.repeat(1_000_000))).toContain('1000000 characters')
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

  it.each([
    ...['', 'a', 'A', 'a/', 'a-', 'a.', 'a_', 'a..', 'a/b-', '.', '..', 'a/.', 'a/_', 'a+', 'constructor', '__proto__'],
    ...['a'.repeat(128), `${'a'.repeat(127)}-`],
  ])('takes "%s"', (prefix) => {
    expect(parseNamePrefix(prefix)).toBe(prefix)
  })

  it('says how a plus is sent in a query, where it stands for a space', () => {
    const { message } = refusalFrom(() => parseNamePrefix('team/a b'))
    expect(message).toMatch(/^Prefix has a space at character 7.*%2B$/)
    expect(refusalFrom(() => parseNamePrefix('a?')).message).not.toContain('%2B')
  })

  it.each<[string, unknown]>([
    ['nothing given', undefined],
    ['a number', 0],
    ['a slash alone', '/'],
    ['two slashes', 'a//'],
    ['a dot segment', './'],
    ['a dot segment behind a slash', 'a/./'],
    ['a climb', '../'],
    ['a hyphen behind a slash', 'a/-'],
    ['a reserved segment', 'a/constructor/'],
    ['a letter outside ASCII', 'é'],
    ['a percent sign, as of LIKE', 'a%'],
    ['a star', '*'],
    ['a tilde', 'a~'],
    ['a slash behind sixteen segments', `${sixteen}/`],
    ['a segment of 129 characters', 'a'.repeat(129)],
    ['512 characters that no name continues', `${'a'.repeat(127)}/`.repeat(4)],
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
