import { BlockList, isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalAddress, inRange, parseRange } from '../../../core/addresses.ts'
import { canary, leaks } from '../../support/canary.ts'
import { refusalFrom, shownBy } from '../../support/core.ts'

describe('canonicalAddress', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:0db8:0:0:0:0:0:1', '2001:db8::1'],
    // RFC 5952 section 4.2.3: the longest run of zeros, the first of equals.
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    // IPv4 that is mapped into IPv6, in both spellings.
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:7f00:1', '127.0.0.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    // NAT64, RFC 6052.
    ['64:ff9b::192.0.2.33', '192.0.2.33'],
    ['64:ff9b::c000:221', '192.0.2.33'],
    // Beside these prefixes nothing is unwrapped.
    ['::fffe:7f00:1', '::fffe:7f00:1'],
    ['64:ff9b:1::7f00:1', '64:ff9b:1::7f00:1'],
    ['2002:7f00:1::', '2002:7f00:1::'],
  ])('writes %s as %s', (text, expected) => {
    expect(canonicalAddress(text)).toBe(expected)
  })

  it.each([
    ['nothing', ''],
    ['a shorthand', '127.1'],
    ['three parts', '127.0.1'],
    ['five parts', '127.0.0.0.1'],
    ['one number', '2130706433'],
    ['hexadecimal', '0x7f.0.0.1'],
    ['one hexadecimal number', '0x7f000001'],
    ['a leading zero, which some read as octal', '0177.0.0.1'],
    ['a leading zero at the end', '127.0.0.01'],
    ['a part above 255', '256.0.0.1'],
    ['a negative part', '-1.0.0.1'],
    ['a zone id', 'fe80::1%eth0'],
    ['a zone id with a number', 'fe80::1%1'],
    ['brackets', '[::1]'],
    ['a port', '127.0.0.1:80'],
    ['a bracketed address with a port', '[::1]:80'],
    ['a range', '127.0.0.1/32'],
    ['two runs of zeros', '1::2::3'],
    ['too many groups', '1:2:3:4:5:6:7:8:9'],
    ['too few groups', '1:2:3:4:5:6:7'],
    ['a group of five digits', '12345::'],
    ['a group that is not a number', 'g::'],
    ['three colons', ':::'],
    ['one colon', ':'],
    ['a mapped address with a part above 255', '::ffff:256.0.0.1'],
    ['a mapped shorthand', '::ffff:127.1'],
    ['white space in front', ' 127.0.0.1'],
    ['white space behind', '127.0.0.1 '],
    ['a line feed behind', '127.0.0.1\n'],
    ['a line feed behind IPv6', '::1\n'],
    ['a NUL', '127.0.0.1\0'],
    ['full-width digits', '１27.0.0.1'],
    ['full stops of another script', '127。0。0。1'],
    ['a name', 'localhost'],
    ['a list', '127.0.0.1, 10.0.0.1'],
    ['a star', '*'],
    ['a very long text', `${'0:'.repeat(50_000)}0`],
  ])('refuses %s', (_, text) => {
    expect(canonicalAddress(text)).toBeNull()
  })

  it('is idempotent', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const canonical = canonicalAddress(text)
        if (canonical !== null) expect(canonicalAddress(canonical)).toBe(canonical)
      }),
    )
  })

  it('accepts no text that Node does not accept as an address', () => {
    const junk = fc.string({ unit: fc.constantFrom(...'0129af.:%/ x'), maxLength: 20 })
    fc.assert(
      fc.property(fc.oneof(junk, fc.ipV4Extended(), fc.ipV6()), (text) => {
        if (canonicalAddress(text) !== null) expect(isIPv4(text) || isIPv6(text)).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('parseRange', () => {
  const shown = (text: string) => {
    const { address, prefix } = parseRange(text)
    return `${address.toString()}/${prefix}`
  }

  it.each([
    ['192.168.0.0/16', '192.168.0.0/16'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['172.16.0.0/12', '172.16.0.0/12'],
    ['192.0.2.1', '192.0.2.1/32'],
    ['192.0.2.1/32', '192.0.2.1/32'],
    ['192.0.2.254/31', '192.0.2.254/31'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['128.0.0.0/1', '128.0.0.0/1'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['2001:db8:8000::/33', '2001:db8:8000::/33'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
    ['::ffff:192.0.2.1', '192.0.2.1/32'],
  ])('reads %s as %s', (text, expected) => {
    expect(shown(text)).toBe(expected)
  })

  it.each([
    ['192.168.1.0/16', '192.168.0.0/16'],
    ['10.0.0.1/8', '10.0.0.0/8'],
    ['172.31.0.0/12', '172.16.0.0/12'],
    ['192.0.2.255/31', '192.0.2.254/31'],
    ['0.0.0.1/0', '0.0.0.0/0'],
    ['255.255.255.255/25', '255.255.255.128/25'],
    ['2001:db8::1/32', '2001:db8::/32'],
    ['2001:db8:c000::/33', '2001:db8:8000::/33'],
    ['::1/0', '::/0'],
    ['::1/127', '::/127'],
  ])('row 27: refuses %s, which has host bits set, and suggests %s', (text, meant) => {
    const error = refusalFrom(() => parseRange(text, 'allowed'))
    expect(error.message).toBe(`Range has host bits set; ${meant} has none`)
    expect(error.detail).toEqual({ field: 'allowed' })
    expect(shown(meant)).toBe(meant)
  })

  it.each([
    ['nothing', ''],
    ['a prefix alone', '/8'],
    ['an empty prefix', '10.0.0.0/'],
    ['a prefix of 33 for IPv4', '10.0.0.0/33'],
    ['a prefix of 129 for IPv6', '::/129'],
    ['a prefix of four digits', '::/1280'],
    ['a prefix with a leading zero', '10.0.0.0/08'],
    ['a negative prefix', '10.0.0.0/-8'],
    ['a prefix with a sign', '10.0.0.0/+8'],
    ['a prefix in hexadecimal', '10.0.0.0/0x8'],
    ['a prefix with an exponent', '10.0.0.0/1e1'],
    ['a net mask', '10.0.0.0/255.0.0.0'],
    ['two prefixes', '10.0.0.0/8/8'],
    ['white space before the slash', '10.0.0.0 /8'],
    ['white space behind', '10.0.0.0/8 '],
    ['a line feed behind', '10.0.0.0/8\n'],
    ['a shorthand', '10/8'],
    ['a leading zero', '010.0.0.0/8'],
    ['a zone id', 'fe80::%eth0/64'],
    ['a star', '*'],
    ['a name', 'localhost'],
    ['a mapped address with the prefix of its IPv6 form', '::ffff:10.0.0.0/104'],
  ])('row 27: refuses %s', (_, text) => {
    expect(refusalFrom(() => parseRange(text)).code).toBe('bad_request')
  })

  it('never quotes text that is not an address', () => {
    const secret = canary()
    expect(leaks(shownBy(refusalFrom(() => parseRange(`${secret}/8`))), [secret])).toEqual([])
    expect(leaks(shownBy(refusalFrom(() => parseRange(`10.0.0.0/${secret}`))), [secret])).toEqual([])
  })

  it('row 27: suggests a valid range in each refusal, for any address and prefix', () => {
    const ranges = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(
        fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }).map((groups) => {
          return groups
            .with(0, groups[0]! | 0x2000)
            .map((group) => group.toString(16))
            .join(':')
        }),
        fc.integer({ min: 0, max: 128 }),
      ),
    )
    fc.assert(
      fc.property(ranges, ([address, prefix]) => {
        let range: string
        try {
          range = shown(`${address}/${prefix}`)
        } catch {
          range = /host bits set; (\S+) has none$/.exec(
            refusalFrom(() => parseRange(`${address}/${prefix}`)).message,
          )![1]!
        }
        expect(shown(range)).toBe(range)
        expect(range.endsWith(`/${prefix}`)).toBe(true)
        expect(inRange(address, parseRange(range))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('inRange', () => {
  it.each([
    ['192.168.0.0', '192.168.0.0/16'],
    ['192.168.255.255', '192.168.0.0/16'],
    ['10.1.2.3', '10.0.0.0/8'],
    ['10.1.2.3', '0.0.0.0/0'],
    ['::ffff:10.1.2.3', '10.0.0.0/8'],
    ['::ffff:a01:203', '10.0.0.0/8'],
    ['64:ff9b::a01:203', '10.0.0.0/8'],
    ['2001:db8::1', '2001:db8::/32'],
    ['2001:db8::1', '::/0'],
    ['::1', '::1'],
  ])('%s is in %s', (address, range) => {
    expect(inRange(address, parseRange(range))).toBe(true)
  })

  it.each([
    ['192.169.0.0', '192.168.0.0/16'],
    ['192.167.255.255', '192.168.0.0/16'],
    ['192.0.2.2', '192.0.2.1'],
    ['2001:db9::1', '2001:db8::/32'],
    ['::1', '0.0.0.0/0'],
    ['10.1.2.3', '::/0'],
    ['::ffff:10.1.2.3', '::/0'],
    ['', '0.0.0.0/0'],
    ['unknown', '0.0.0.0/0'],
    ['127.1', '0.0.0.0/0'],
    ['fe80::1%eth0', '::/0'],
  ])('%j is not in %s', (address, range) => {
    expect(inRange(address, parseRange(range))).toBe(false)
  })

  it('agrees with the block list of Node on any IPv4', () => {
    const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
    fc.assert(
      fc.property(octets, octets, fc.integer({ min: 0, max: 32 }), fc.boolean(), (base, other, prefix, near) => {
        const mask = prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0
        const bits = (base.reduce((n, octet) => n * 256 + octet, 0) & mask) >>> 0
        const network = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.')
        const client = near ? base.with(3, other[3]).join('.') : other.join('.')
        const list = new BlockList()
        list.addSubnet(network, prefix)
        expect(inRange(client, parseRange(`${network}/${prefix}`))).toBe(list.check(client))
      }),
      { numRuns: 1000 },
    )
  })
})
