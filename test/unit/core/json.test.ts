import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_DEPTH, MAX_STRINGS, parseJson } from '../../../core/json.ts'
import { canary, leaks } from '../../support/canary.ts'
import { bytesOf, refusalFrom, shownBy } from '../../support/core.ts'

const parse = (text: string) => parseJson(bytesOf(text))
const reasonFor = (text: string) => refusalFrom(() => parse(text)).message
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const texts = (count: number) => JSON.stringify(Array(count).fill('a'))

describe('parseJson', () => {
  it('refuses a byte order mark by its name (RFC 8259 section 8.1)', () => {
    expect(reasonFor('\ufeff{}')).toBe('Body must not begin with a byte order mark')
  })

  it('reads every document that JSON.parse reads', { timeout: 60_000 }, () => {
    const simpleKey = fc
      .string({ unit: 'binary', maxLength: 5 })
      .filter((key) => !/^(?:__proto__|constructor|prototype)$/.test(key))
    const document = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, true, 0, -1.5e300),
        fc.string({ unit: 'binary' }),
        fc.array(tie('node'), { maxLength: 5 }),
        fc.dictionary(simpleKey, tie('node'), { maxKeys: 5 }),
      ),
    })).node
    fc.assert(
      fc.property(document, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space)
        expect(parse(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  it('is not misled by brackets, colons, quotes and backslashes inside texts', () => {
    const tricky = { 'a"{': ':[', '}\\': ']"', '\\"': '{"x":1,"x":2}', '[[[': '\\\\' }
    expect(parse(JSON.stringify(tricky))).toEqual(tricky)
  })

  it('accepts the same key in different objects', () => {
    const text = '{"a":{"a":[{"a":1},{"a":2}]},"b":"a"}'
    expect(parse(text)).toEqual(JSON.parse(text))
  })

  it('reads a text of the largest body in one piece', () => {
    const long = '\\u0061'.repeat(128 * 1024)
    expect(parse(`"${long}"`)).toHaveLength(128 * 1024)
  })

  describe('row 10: refuses equal keys', () => {
    it.each([
      ['in one object', '{"a":1,"a":2}'],
      ['with equal values', '{"a":1,"a":1}'],
      ['far apart', '{"a":1,"b":{"a":2},"a":3}'],
      ['of which one is escaped', '{"a":1,"\\u0061":2}'],
      ['that are both escaped, in different case', '{"\\u00e9":1,"\\u00E9":2}'],
      ['of which one is escaped in the short form', '{"/":1,"\\/":2}'],
      ['with white space before the colon', '{"a" :1,"a"\n\t:2}'],
      ['that are empty', '{"":1,"":2}'],
      ['inside an array', '[1,{"a":1,"a":2}]'],
      ['after an object was closed', '{"b":{},"a":1,"a":2}'],
    ])('%s', (_, text) => {
      expect(reasonFor(text)).toBe('Body must not have the same key twice')
    })
  })

  describe('row 10: refuses a key that reaches an object prototype', () => {
    it.each([
      ['{"__proto__":{"admin":true}}'],
      ['{"a":[{"__proto__":1}]}'],
      ['{"constructor":1}'],
      ['{"prototype":1}'],
      ['{"\\u005f_proto__":1}'],
      ['{"constr\\u0075ctor" : 1}'],
    ])('%s', (text) => {
      expect(reasonFor(text)).toBe('Body must not have a key that names an object prototype')
    })

    it('but not a text', () => {
      expect(parse('["__proto__","constructor"]')).toEqual(['__proto__', 'constructor'])
    })
  })

  it(`refuses a depth of ${MAX_DEPTH + 1}, and not one of ${MAX_DEPTH}`, () => {
    expect(parse(nested(MAX_DEPTH))).toBeInstanceOf(Array)
    expect(reasonFor(nested(MAX_DEPTH + 1))).toContain(`deeper than ${MAX_DEPTH}`)
    expect(reasonFor(`${'{"a":'.repeat(MAX_DEPTH + 1)}1${'}'.repeat(MAX_DEPTH + 1)}`)).toContain('deeper')
  })

  it('counts open brackets, not all brackets, as depth', () => {
    expect(parse(`[${Array(500).fill('{}').join()}]`)).toHaveLength(500)
  })

  it('row 12: refuses a depth of 100,000 without a stack overflow', () => {
    expect(refusalFrom(() => parse(nested(100_000))).code).toBe('bad_request')
    expect(refusalFrom(() => parse('['.repeat(100_000))).code).toBe('bad_request')
  })

  it(`row 12: refuses ${MAX_STRINGS + 1} texts, and not ${MAX_STRINGS}`, () => {
    expect(parse(texts(MAX_STRINGS))).toHaveLength(MAX_STRINGS)
    expect(reasonFor(texts(MAX_STRINGS + 1))).toContain(`at most ${MAX_STRINGS} texts`)
  })

  it('counts keys as strings', () => {
    const members = Array.from({ length: MAX_STRINGS + 1 }, (_, i) => `"k${i}":0`)
    expect(parse(`{${members.slice(1).join()}}`)).toBeInstanceOf(Object)
    expect(reasonFor(`{${members.join()}}`)).toContain('texts')
  })

  it('refuses bytes that are not UTF-8', () => {
    const error = refusalFrom(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)))
    expect(error.message).toBe('Body must be UTF-8')
  })

  it.each([
    ['nothing', ''],
    ['a comment', '{}//'],
    ['a trailing comma', '[1,]'],
    ['single quotes', "{'a':1}"],
    ['two documents', '{}{}'],
    ['NaN', 'NaN'],
    ['a leading zero', '01'],
    ['a line feed inside a text', '"a\nb"'],
    ['an escape that JSON has not', '"\\x41"'],
    ['an object left open', '{"a":1'],
  ])('refuses %s', (_, text) => {
    expect(reasonFor(text)).toBe('Body must be JSON')
  })

  it('names the given field', () => {
    expect(refusalFrom(() => parseJson(bytesOf('{'), { field: 'payload' })).detail).toEqual({ field: 'payload' })
  })

  it('rows 44, 57: never quotes its input', () => {
    const secret = canary()
    const quoted = JSON.stringify(secret)
    const wrong = [
      secret,
      `{"a":${quoted}`,
      `${quoted}x`,
      `{${quoted}:1,${quoted}:2}`,
      `{"__proto__":${quoted}}`,
      `${'['.repeat(40)}${quoted}${']'.repeat(40)}`,
      `[${Array(MAX_STRINGS + 1)
        .fill(quoted)
        .join()}]`,
    ]
    for (const text of wrong) expect(leaks(shownBy(refusalFrom(() => parse(text))), [secret])).toEqual([])
    const notUtf8 = Uint8Array.from([...bytesOf(quoted), 0xff])
    expect(leaks(shownBy(refusalFrom(() => parseJson(notUtf8))), [secret])).toEqual([])
  })
})
