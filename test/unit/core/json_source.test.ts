import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonSource } from '../../../core/json_source.ts'

const sourceOf = (text: string) => JsonSource.parse(text)!
const sliceAt = (text: string, pointer: string) => {
  const source = sourceOf(text)
  const value = source.at(pointer)
  return value && source.slice(value)
}

describe('JsonSource', () => {
  it('rows 66, 67: slices the values that JSON.parse finds, and leaves all other characters', {
    timeout: 60_000,
  }, () => {
    const document = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, true, false, 0, -1.5e300),
        fc.string({ unit: 'binary' }),
        fc.array(tie('node'), { maxLength: 4 }),
        fc.dictionary(fc.string({ unit: 'binary', maxLength: 4 }), tie('node'), { maxKeys: 4 }),
      ),
    })).node
    fc.assert(
      fc.property(document, fc.constantFrom(undefined, 1, '\t', '\r\n '), (value, space) => {
        const text = ` ${JSON.stringify(value, null, space)}\n`
        const source = sourceOf(text)
        const { root } = source
        expect(source.slice(root)).toBe(text.slice(1, -1))
        const children =
          root.kind === 'object'
            ? [...source.members(root)]
            : root.kind === 'array'
              ? [...source.items(root)].map((item, at) => ({ key: String(at), value: item }))
              : []
        const parsed = children.map(({ key, value: child }) => [key, JSON.parse(source.slice(child))])
        const isContainer = typeof value === 'object' && value !== null
        expect(parsed).toEqual(isContainer ? Object.entries(JSON.parse(text)) : [])
        for (const { value: child } of children) {
          const replaced = source.replaced(child, '"new"')
          expect([replaced.startsWith(text.slice(0, child.start)), replaced.endsWith(text.slice(child.end))]).toEqual([
            true,
            true,
          ])
          expect(JSON.parse(replaced)).toBeInstanceOf(Object)
        }
      }),
    )
  })

  it.each(['', ' ', '{', "{'a':1}", '{"a":1,}', '01', 'NaN', '\ufeff{}', '{} {}', '"a\nb"', '"\\x41"', '1e', '-'])(
    'reads no document in %j',
    (text) => {
      expect(JsonSource.parse(text)).toBeNull()
    },
  )

  it.each(['1234567890123456789', '1.10', '1e400', '-0', '1E2', '-1.50e+07', 'true', 'null', '"\\ud800"', '"\\u0061"'])(
    'row 67: slices %s unchanged, in every position',
    (text) => {
      expect(sliceAt(text, '')).toBe(text)
      expect(sliceAt(`{"a" :\t${text}\r\n}`, '/a')).toBe(text)
      expect(sliceAt(`[ 0,${text} , 2]`, '/1')).toBe(text)
      expect(sliceAt(`{"x":[{}],"a":{"b":[[],${text}]},"z":""}`, '/a/b/1')).toBe(text)
    },
  )

  it('is not misled by brackets, quotes and backslashes inside strings', () => {
    const text = '{"]}\\"": "\\\\", "a,b:[{": {"\\\\": "}\\\\\\""}, "last": 1}'
    expect(sliceAt(text, '/]}"')).toBe('"\\\\"')
    expect(sliceAt(text, '/a,b:[{/\\')).toBe('"}\\\\\\""')
    expect(sliceAt(text, '/last')).toBe('1')
  })

  it('row 67: finds an own field of any name, and no inherited one', () => {
    expect(sliceAt('{"__proto__":{"constructor":"a"}}', '/__proto__/constructor')).toBe('"a"')
    expect(sliceAt('{"\\u005f_proto__":1}', '/__proto__')).toBe('1')
    for (const pointer of ['/constructor', '/toString', '/__proto__']) expect(sliceAt('{}', pointer)).toBeNull()
  })

  it.each([
    ['{"a":1,"a":2}', '/a'],
    ['{"a":1,"\\u0061":1}', '/a'],
    ['{"a":{"b":1},"a":{"c":2}}', '/a/b'],
    ['{"x":{"a":1,"b":2,"a":3}}', '/x/a'],
  ])('row 67: finds nothing in %s at %s, where a key is repeated (RFC 6901 section 4)', (text, pointer) => {
    expect(sliceAt(text, pointer)).toBeNull()
  })

  it('finds the neighbours of a repeated key', () => {
    expect(sliceAt('{"a":1,"a":2,"b":3}', '/b')).toBe('3')
  })

  it('rows 12, 67: takes time linear in a document that nests as deep as its pointer goes', () => {
    const timed = (depth: number) => {
      const text = `${'[0,'.repeat(depth)}1${']'.repeat(depth)}`
      const pointer = '/1'.repeat(depth)
      const start = performance.now()
      for (let i = 0; i < 20; i++) expect(sliceAt(text, pointer)).toBe('1')
      return performance.now() - start
    }
    timed(500)
    const few = Math.min(timed(500), timed(500), timed(500))
    const many = Math.min(timed(8000), timed(8000), timed(8000))
    // 16 times the depth; a scan of all that is below for each step would take 256 times as long.
    expect(many / few).toBeLessThan(100)
  })

  it('row 12: reads a document that nests 100,000 deep', () => {
    const text = '['.repeat(100_000) + ']'.repeat(100_000)
    expect(sliceAt(text, '/0/0/0')).toHaveLength(199_994)
    expect(sourceOf(text).isUnambiguous(sourceOf(text).root)).toBe(true)
  })

  it.each([
    ['a repeated key', '{"a":1,"a":1}', false],
    ['one that is spelled in two ways', '{"a":1,"\\u0061":1}', false],
    ['a repeated key further down', '{"x":[{"b":{"a":1,"a":2}}]}', false],
    ['a lone surrogate in a string', '{"x":["\\udc00"]}', false],
    ['a lone surrogate in a key', '{"\\ud800":1}', false],
    ['equal keys of two objects', '{"a":{"a":1},"b":{"a":1}}', true],
    ['a pair of surrogates', '{"a":"\\ud83d\\ude00"}', true],
  ])('row 67: tells %s', (_, text, expected) => {
    const source = sourceOf(text)
    expect(source.isUnambiguous(source.root)).toBe(expected)
  })
})
