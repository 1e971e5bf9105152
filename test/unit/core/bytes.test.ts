import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as bytes from '../../../core/bytes.ts'

const anyBytes = fc.uint8Array({ maxLength: 200 })

describe('utf8', () => {
  it('encodes one to four bytes a character, as Node does', () => {
    expect(bytes.hex(bytes.utf8('aé€😀'))).toBe('61c3a9e282acf09f9880')
  })

  it('is inverted by parseUtf8 for every well-formed text', { timeout: 60_000 }, () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => bytes.parseUtf8(bytes.utf8(text)) === text))
  })
})

describe('parseUtf8', () => {
  it('keeps a byte order mark, so that no two byte strings give one text', () => {
    expect(bytes.parseUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa')
  })

  it.each([
    ['a byte that never occurs', [0xff]],
    ['a continuation byte alone', [0x80]],
    ['a sequence cut short', [0xe2, 0x82]],
    ['an overlong form of "/"', [0xc0, 0xaf]],
    ['a surrogate (CESU-8)', [0xed, 0xa0, 0x80]],
    ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ])('refuses %s', (_, wrong) => {
    expect(bytes.parseUtf8(Uint8Array.from([0x61, ...wrong]))).toBeNull()
  })
})

describe('concat', () => {
  it('joins in order, and makes a copy', () => {
    const first = Uint8Array.of(1, 2)
    const joined = bytes.concat(first, Uint8Array.of(), Uint8Array.of(3))
    first[0] = 9
    expect([...joined]).toEqual([1, 2, 3])
    expect([...bytes.concat()]).toEqual([])
  })
})

describe('u64be', () => {
  it.each([
    [0n, '0000000000000000'],
    [1n, '0000000000000001'],
    [0x0102030405060708n, '0102030405060708'],
    [2n ** 64n - 1n, 'ffffffffffffffff'],
  ])('writes %s in 8 bytes, the most significant first', (n, expected) => {
    expect(bytes.hex(bytes.u64be(n))).toBe(expected)
  })
})

describe('randomBytes', () => {
  it('returns the requested number of bytes, different each time', () => {
    const seen = new Set(Array.from({ length: 100 }, () => bytes.hex(bytes.randomBytes(16))))
    expect(seen.size).toBe(100)
    expect([...seen].every((text) => text.length === 32)).toBe(true)
  })
})

// RFC 4648 section 10.
const RFC_4648 = [
  ['', '', '', ''],
  ['f', '66', 'Zg==', 'Zg'],
  ['fo', '666f', 'Zm8=', 'Zm8'],
  ['foo', '666f6f', 'Zm9v', 'Zm9v'],
  ['foob', '666f6f62', 'Zm9vYg==', 'Zm9vYg'],
  ['fooba', '666f6f6261', 'Zm9vYmE=', 'Zm9vYmE'],
  ['foobar', '666f6f626172', 'Zm9vYmFy', 'Zm9vYmFy'],
] as const

describe.each(RFC_4648)('the RFC 4648 vector "%s"', (text, hex, base64, base64url) => {
  const value = bytes.utf8(text)

  it('is written as in the RFC', () => {
    expect([bytes.hex(value), bytes.base64(value), bytes.base64url(value)]).toEqual([hex, base64, base64url])
  })

  it('is read back', () => {
    expect(bytes.parseHex(hex)).toEqual(value)
    expect(bytes.parseBase64(base64)).toEqual(value)
    expect(bytes.parseBase64url(base64url)).toEqual(value)
  })
})

describe('hex', () => {
  it('agrees with Node on any bytes, and reads back', () => {
    fc.assert(
      fc.property(anyBytes, (value) => {
        expect(bytes.hex(value)).toBe(Buffer.from(value).toString('hex'))
        expect(bytes.parseHex(bytes.hex(value))).toEqual(Uint8Array.from(value))
      }),
    )
  })

  it.each([
    ['an odd number of digits', 'abc'],
    ['upper case', 'AB'],
    ['mixed case', 'aB'],
    ['a prefix', '0xab'],
    ['a character outside the alphabet', 'ag'],
    ['a sign', '-1'],
    ['white space in front', ' ab'],
    ['a line feed behind', 'ab\n'],
    ['full-width digits', '１２'],
  ])('refuses %s', (_, text) => {
    expect(bytes.parseHex(text)).toBeNull()
  })
})

describe('base64', () => {
  it('agrees with Node on any bytes, and reads back', () => {
    fc.assert(
      fc.property(anyBytes, (value) => {
        expect(bytes.base64(value)).toBe(Buffer.from(value).toString('base64'))
        expect(bytes.parseBase64(bytes.base64(value))).toEqual(Uint8Array.from(value))
      }),
    )
  })

  it('writes and reads more bytes than an engine accepts as arguments', () => {
    const value = new Uint8Array(300_000).map((_, i) => i * 7)
    expect(bytes.base64(value)).toBe(Buffer.from(value).toString('base64'))
    expect(bytes.parseBase64(bytes.base64(value))).toEqual(value)
  })

  it.each([
    ['missing padding', 'Zg'],
    ['half of the padding', 'Zg='],
    ['too much padding', 'Zg==='],
    ['padding alone', '===='],
    ['padding in the middle', 'Zg==Zg=='],
    ['stray bits behind one byte', 'Zh=='],
    ['stray bits behind two bytes', 'Zm9='],
    ['white space inside', 'Zm 9v'],
    ['a line feed behind', 'Zm9v\n'],
    ['the alphabet of base64url', '-_-_'],
    ['a character outside the alphabet', 'Zm9*'],
    ['one digit', 'Z'],
  ])('refuses %s', (_, text) => {
    expect(bytes.parseBase64(text)).toBeNull()
  })
})

describe('base64url', () => {
  it('uses the alphabet that is safe in URLs', () => {
    expect(bytes.base64url(Uint8Array.of(0xfb, 0xff, 0xbf))).toBe('-_-_')
    expect(bytes.parseBase64url('-_-_')).toEqual(Uint8Array.of(0xfb, 0xff, 0xbf))
  })

  it('agrees with Node on any bytes, and reads back', () => {
    fc.assert(
      fc.property(anyBytes, (value) => {
        expect(bytes.base64url(value)).toBe(Buffer.from(value).toString('base64url'))
        expect(bytes.parseBase64url(bytes.base64url(value))).toEqual(Uint8Array.from(value))
      }),
    )
  })

  it.each([
    ['padding', 'Zg=='],
    ['stray bits behind one byte', 'Zh'],
    ['stray bits behind two bytes', 'Zm9'],
    ['a length that no bytes have', 'Zm9vY'],
    ['the alphabet of base64', '+/+/'],
    ['white space', 'Zm9v '],
    ['a line feed behind', 'Zm9v\n'],
    ['a character outside the alphabet', 'Zm9.'],
  ])('refuses %s', (_, text) => {
    expect(bytes.parseBase64url(text)).toBeNull()
  })

  it('has one spelling for each value: only canonical text parses', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'AQgw01+/-_='), maxLength: 9 })
    fc.assert(
      fc.property(digits, (text) => {
        for (const [parse, write] of [
          [bytes.parseBase64, bytes.base64],
          [bytes.parseBase64url, bytes.base64url],
          [bytes.parseHex, bytes.hex],
        ] as const) {
          const value = parse(text)
          if (value !== null) expect(write(value)).toBe(text)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('equal', () => {
  it('is true for equal contents in different memory', () => {
    expect(bytes.equal(Uint8Array.of(1, 2, 3), Uint8Array.of(0, 1, 2, 3).subarray(1))).toBe(true)
    expect(bytes.equal(Uint8Array.of(), Uint8Array.of())).toBe(true)
  })

  it.each([
    ['the first byte differs', [9, 2, 3], [1, 2, 3]],
    ['the last byte differs', [1, 2, 3], [1, 2, 9]],
    ['one bit differs', [1, 2, 3], [1, 2, 0x83]],
    ['the second is longer', [1, 2], [1, 2, 3]],
    ['the first is longer', [1, 2, 3], [1, 2]],
    ['the second is longer by a zero', [1, 2], [1, 2, 0]],
    ['the first is longer by a zero', [1, 2, 0], [1, 2]],
    ['one is empty', [], [0]],
    ['the other is empty', [0], []],
    ['lengths are 256 apart', Array(256).fill(0), []],
  ])('row 53: is false when %s', (_, a, b) => {
    expect(bytes.equal(Uint8Array.from(a), Uint8Array.from(b))).toBe(false)
  })

  it('row 53: reads every byte, wherever the first difference is, so that its time reveals nothing', () => {
    const looks = (at: number | null, size = 32) => {
      let count = 0
      const secret = new Uint8Array(32)
      const counted = new Proxy(secret, {
        get(target, key) {
          if (typeof key === 'string' && /^[0-9]+$/.test(key)) count++
          return Reflect.get(target, key)
        },
      })
      const given = new Uint8Array(size)
      if (at !== null) given[at] = 1
      expect(bytes.equal(counted, given)).toBe(at === null && size === 32)
      return count
    }
    for (const at of [null, 0, 1, 15, 30, 31]) expect([at, looks(at)]).toEqual([at, 32])
    for (const size of [0, 1, 31, 33]) expect([size, looks(null, size)]).toEqual([size, 32])
  })

  it('agrees with Buffer.compare on any two', () => {
    const few = fc.uint8Array({ max: 1, maxLength: 4 })
    fc.assert(
      fc.property(few, few, (a, b) => {
        expect(bytes.equal(a, b)).toBe(Buffer.compare(a, b) === 0)
      }),
    )
  })
})
