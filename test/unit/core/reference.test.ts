import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatReference,
  parseReference,
  parseVersion,
  pick,
  pickTyped,
  type Reference,
} from '../../../core/reference.ts'
import { canary, leaks } from '../../support/canary.ts'
import { refusalFrom, shownBy } from '../../support/core.ts'

describe('parseReference', () => {
  it.each<[string, Reference]>([
    ['postern://acme/db', { vault: 'acme', name: 'db' }],
    ['postern://acme/prod/db', { vault: 'acme', name: 'prod/db' }],
    ['postern://a-1/x_y.z-0/b', { vault: 'a-1', name: 'x_y.z-0/b' }],
    ['postern://acme/db?version=3', { vault: 'acme', name: 'db', version: 3 }],
    ['postern://acme/db?version=9007199254740991', { vault: 'acme', name: 'db', version: 2 ** 53 - 1 }],
    ['postern://acme/db#', { vault: 'acme', name: 'db', pointer: '' }],
    ['postern://acme/db#/', { vault: 'acme', name: 'db', pointer: '/' }],
    ['postern://acme/db#/db/password', { vault: 'acme', name: 'db', pointer: '/db/password' }],
    ['postern://acme/db?version=3#/a', { vault: 'acme', name: 'db', version: 3, pointer: '/a' }],
    ['postern://acme/MyApp/Prod/DB_Password', { vault: 'acme', name: 'MyApp/Prod/DB_Password' }],
    ['postern://acme/.env/a+b=c@d', { vault: 'acme', name: '.env/a+b=c@d' }],
    ['postern://acme/db#/a~1b~0c', { vault: 'acme', name: 'db', pointer: '/a~1b~0c' }],
    ['postern://acme/db#/c%25d', { vault: 'acme', name: 'db', pointer: '/c%d' }],
    ['postern://acme/db#/%C3%A9', { vault: 'acme', name: 'db', pointer: '/é' }],
    ['postern://acme/db#/a?b#c', { vault: 'acme', name: 'db', pointer: '/a?b#c' }],
  ])('reads %s', (text, expected) => {
    expect(parseReference(text)).toEqual(expected)
  })

  it.each<[string, unknown]>([
    ['a value that is not a string', { vault: 'acme' }],
    ['nothing', ''],
    ['another scheme', 'https://acme/db'],
    ['the scheme in capitals', 'POSTERN://acme/db'],
    ['white space in front', ' postern://acme/db'],
    ['white space behind', 'postern://acme/db '],
    ['a line feed behind', 'postern://acme/db\n'],
    ['one slash', 'postern:/acme/db'],
    ['no vault', 'postern:///db'],
    ['no name', 'postern://acme'],
    ['an empty name', 'postern://acme/'],
    ['a vault in capitals', 'postern://Acme/db'],
    ['a name with a space', 'postern://acme/a b'],
    ['a name in letters outside ASCII', 'postern://acme/\u00e9'],
    ['a user', 'postern://user@acme/db'],
    ['a port', 'postern://acme:80/db'],
    ['a climb to another vault', 'postern://acme/../other/db'],
    ['a dot segment', 'postern://acme/./db'],
    ['a climb that is percent-encoded', 'postern://acme/%2e%2e/db'],
    ['an encoded slash', 'postern://acme/prod%2fdb'],
    ['an empty segment', 'postern://acme/prod//db'],
    ['a backslash', 'postern://acme\\db'],
    ['an empty query', 'postern://acme/db?'],
    ['another parameter', 'postern://acme/db?v=3'],
    ['two parameters', 'postern://acme/db?version=3&version=4'],
    ['no version', 'postern://acme/db?version='],
    ['version 0', 'postern://acme/db?version=0'],
    ['a version with a leading zero', 'postern://acme/db?version=03'],
    ['a version with a sign', 'postern://acme/db?version=+3'],
    ['a version that is not an integer', 'postern://acme/db?version=3.0'],
    ['a version in hexadecimal', 'postern://acme/db?version=0x3'],
    ['a version of 2^53', 'postern://acme/db?version=9007199254740992'],
    ['a pointer without a slash in front', 'postern://acme/db#password'],
    ['a tilde that escapes nothing', 'postern://acme/db#/a~2'],
    ['a tilde at the end', 'postern://acme/db#/a~'],
    ['a percent sign that encodes nothing', 'postern://acme/db#/%zz'],
    ['a percent encoding that is not UTF-8', 'postern://acme/db#/%ff'],
    ['a lone surrogate', 'postern://acme/db#/\ud800'],
    ['more than 1024 characters', `postern://acme/db#/${'a'.repeat(1024)}`],
  ])('refuses %s', (_, input) => {
    expect(refusalFrom(() => parseReference(input)).code).toBe('bad_request')
  })

  it('accepts up to 1024 characters', () => {
    const text = `postern://acme/db#/${'a'.repeat(1024 - 19)}`
    expect(text).toHaveLength(1024)
    expect(parseReference(text).pointer).toHaveLength(1024 - 18)
  })

  it('names the field and never the input', () => {
    const secret = canary()
    for (const text of [secret, `postern://${secret}`, `postern://acme/${secret}`, `postern://acme/db#${secret}`]) {
      const error = refusalFrom(() => parseReference(text, 'references.3'))
      expect(error.detail.field).toBe('references.3')
      expect(leaks(shownBy(error), [secret])).toEqual([])
    }
  })

  it('is the form that formatReference writes, with one number sign and only URI characters otherwise', () => {
    const reference = { vault: 'acme', name: 'db', version: 3, pointer: '/a?b#c d%/é' }
    expect(formatReference(reference)).toBe('postern://acme/db?version=3#/a%3Fb%23c%20d%25/%C3%A9')
    expect(formatReference({ vault: 'acme', name: 'db' })).toBe('postern://acme/db')
  })

  it('reads back every text that formatReference writes', { timeout: 60_000 }, () => {
    const segment = fc
      .stringMatching(/^[a-z0-9](?:[a-z0-9_.-]{0,8}[a-z0-9])?$/)
      .filter((s) => !/^(?:constructor|prototype)$/.test(s))
    const key = fc.string({
      unit: fc.oneof(fc.constantFrom(...'~/%#?&=+ "\\\n0é'), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })),
      maxLength: 8,
    })
    const pointer = fc
      .array(key, { maxLength: 4 })
      .map((keys) => keys.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''))
    const reference = fc.record(
      {
        vault: fc.stringMatching(/^[a-z0-9-]{1,32}$/),
        name: fc.array(segment, { minLength: 1, maxLength: 8 }).map((segments) => segments.join('/')),
        version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        pointer,
      },
      { requiredKeys: ['vault', 'name'] },
    )
    fc.assert(
      fc.property(reference, (given) => {
        const text = formatReference(given)
        expect(parseReference(text)).toEqual(given)
        expect(text).toMatch(/^[!-~]+$/)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('parseVersion', () => {
  it.each(['1', '42', '9007199254740991'])('reads %s', (text) => {
    expect(parseVersion(text)).toBe(Number(text))
  })

  it.each([
    '',
    '0',
    '00',
    '01',
    '-1',
    '+1',
    '1.0',
    '1e3',
    ' 1',
    '1\n',
    '9007199254740992',
    '99999999999999999999',
    '１',
  ])('refuses %j', (text) => {
    expect(refusalFrom(() => parseVersion(text)).code).toBe('bad_request')
  })
})

describe('pick', () => {
  // RFC 6901 section 5.
  const document = {
    foo: ['bar', 'baz'],
    '': 0,
    'a/b': 1,
    'c%d': 2,
    'e^f': 3,
    'g|h': 4,
    'i\\j': 5,
    'k"l': 6,
    ' ': 7,
    'm~n': 8,
  }
  const json = JSON.stringify(document)

  it.each([
    ['', json],
    ['/foo', '["bar","baz"]'],
    ['/foo/0', 'bar'],
    ['/', '0'],
    ['/a~1b', '1'],
    ['/c%d', '2'],
    ['/e^f', '3'],
    ['/g|h', '4'],
    ['/i\\j', '5'],
    ['/k"l', '6'],
    ['/ ', '7'],
    ['/m~0n', '8'],
  ])('evaluates the pointer "%s" of RFC 6901 section 5', (pointer, expected) => {
    expect(pick(json, pointer)).toBe(expected)
  })

  // RFC 6901 section 6.
  it.each([
    ['#', json],
    ['#/foo', '["bar","baz"]'],
    ['#/foo/0', 'bar'],
    ['#/', '0'],
    ['#/a~1b', '1'],
    ['#/c%25d', '2'],
    ['#/e%5Ef', '3'],
    ['#/g%7Ch', '4'],
    ['#/i%5Cj', '5'],
    ['#/k%22l', '6'],
    ['#/%20', '7'],
    ['#/m~0n', '8'],
  ])('evaluates the fragment "%s" of RFC 6901 section 6', (fragment, expected) => {
    expect(pick(json, parseReference(`postern://acme/db${fragment}`).pointer!)).toBe(expected)
  })

  it('unescapes ~01 to ~1, not to a slash', () => {
    expect(pick('{"~1":"right","/":"wrong"}', '/~01')).toBe('right')
  })

  it.each([
    ['a key that is missing', '/bar'],
    ['an index behind the end', '/foo/2'],
    ['the index "-", which is behind the end', '/foo/-'],
    ['an index with a leading zero', '/foo/00'],
    ['an index with a sign', '/foo/+1'],
    ['an index that is not a number', '/foo/length'],
    ['a key inside a text', '/foo/0/length'],
    ['a key inside a number', '/a~1b/0'],
    ['an inherited property', '/constructor'],
    ['the prototype', '/__proto__'],
    ['a method of an array', '/foo/map'],
  ])('finds nothing at %s', (_, pointer) => {
    expect(pick(json, pointer)).toBeNull()
  })

  it.each([
    ['1234567890123456789', '1234567890123456789'],
    ['1.10', '1.10'],
    ['1e400', '1e400'],
    ['-0', '-0'],
    ['1E2', '1E2'],
    ['true', 'true'],
    ['{ "b":1.0, "a" : [ 1E2 ] }', '{ "b":1.0, "a" : [ 1E2 ] }'],
    ['{"a":1,"a":2}', '{"a":1,"a":2}'],
    ['{"__proto__":"x"}', '{"__proto__":"x"}'],
    ['["\\ud800"]', '["\\ud800"]'],
    ['"\\u00e9\\n"', 'é\n'],
    ['""', ''],
  ])('row 67: picks %s as %s', (written, picked) => {
    expect(pick(`{"x": [0, ${written} ]}`, '/x/1')).toBe(picked)
    expect(pick(written, '')).toBe(picked)
  })

  it('row 67: finds nothing at a null, and never the text null', () => {
    expect(pick('{"a":null}', '/a')).toBeNull()
    expect(pick('{"a":null}', '/a/b')).toBeNull()
    expect(pick('null', '')).toBeNull()
    expect(pick('{"a":"null"}', '/a')).toBe('null')
  })

  it('row 67: finds nothing at a string that is not Unicode text', () => {
    expect(pick('{"a":"x\\ud800"}', '/a')).toBeNull()
    expect(pick('{"a":"\\udc00\\ud800"}', '/a')).toBeNull()
    expect(pick('{"a":"\\ud83d\\ude00"}', '/a')).toBe('\u{1f600}')
  })

  it('row 67: gives the JSON content type to objects and arrays only', () => {
    const json = '{"o":{},"a":[],"s":"{}","n":1}'
    const types = ['', '/o', '/a', '/s', '/n'].map((pointer) => pickTyped(json, pointer)?.contentType)
    const text = 'text/plain; charset=utf-8'
    expect(types).toEqual(['application/json', 'application/json', 'application/json', text, text])
  })

  it('finds nothing in text that is not JSON', () => {
    expect(pick('not json', '')).toBeNull()
    expect(pick('', '')).toBeNull()
  })
})
