import { describe, expect, it } from 'vitest'
import { parseRange } from '../../../../core/addresses.ts'
import { type AddressPolicy, clientAddress, isTrustedProxy } from '../../../../worker/http/client_address.ts'

const trustedProxies = ['10.0.0.0/8', '2001:db8:1::/48'].map((range) => parseRange(range))

interface Sources {
  socket?: string | null
  /** `X-Forwarded-For`. */
  forwarded?: string | null
  /** `Forwarded`. */
  rfc7239?: string | null
  /** `CF-Connecting-IP`. */
  cloudflare?: string | null
}

function by(how: AddressPolicy['clientAddress'], sources: Sources, proxies = trustedProxies): string | null {
  const { socket = null, forwarded, rfc7239, cloudflare } = sources
  const given = { 'X-Forwarded-For': forwarded, Forwarded: rfc7239, 'CF-Connecting-IP': cloudflare }
  const headers = new Map(Object.entries(given))
  const get = (name: string) => headers.get(name) ?? null
  return clientAddress(socket, { get }, { clientAddress: how, trustedProxies: proxies })
}

describe('row 26: clientAddress by the socket', () => {
  it('trusts no header', () => {
    const headers = { forwarded: '198.51.100.7', cloudflare: '198.51.100.8' }
    expect(by('socket', { socket: '192.0.2.1', ...headers })).toBe('192.0.2.1')
    expect(by('socket', { socket: '10.0.0.1', ...headers })).toBe('10.0.0.1')
    expect(by('socket', headers)).toBeNull()
  })

  it.each([
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', null],
    ['127.1', null],
    ['192.0.2.01', null],
    ['192.0.2.1:1234', null],
    ['', null],
  ])('reads %j as %j', (socket, address) => {
    expect(by('socket', { socket })).toBe(address)
  })
})

describe('row 26: clientAddress by Cloudflare', () => {
  it('trusts only the header of Cloudflare', () => {
    const others = { socket: '192.0.2.1', forwarded: '198.51.100.7' }
    expect(by('cloudflare', { ...others, cloudflare: '203.0.113.9' })).toBe('203.0.113.9')
    expect(by('cloudflare', { ...others, cloudflare: '2001:DB8::9' })).toBe('2001:db8::9')
    expect(by('cloudflare', others)).toBeNull()
  })

  it.each([
    ['a hash in place of an IPv6 address', '240.0.0.1'],
    ['the last of those', '255.255.255.255'],
    ['such a hash, mapped into IPv6', '::ffff:240.1.2.3'],
    ['a Worker of another zone', '2a06:98c0:3600::103'],
    ['that, spelled out', '2A06:98C0:3600:0000:0000:0000:0000:0103'],
    ['two addresses', '203.0.113.9, 203.0.113.10'],
    ['an address with a port', '203.0.113.9:443'],
    ['an address with a space', ' 203.0.113.9'],
    ['a name', 'client.example'],
    ['nothing', ''],
  ])('does not take %s for a client', (_, cloudflare) => {
    expect(by('cloudflare', { cloudflare })).toBeNull()
  })

  it('takes the neighbours of these ranges for clients', () => {
    for (const cloudflare of ['239.255.255.255', '2a06:98c0:3600::102', '2a06:98c0:3600::104']) {
      expect(by('cloudflare', { cloudflare })).toBe(cloudflare)
    }
  })
})

/** Nodes as proxies write them, and the address of each. */
const NODES: readonly (readonly [string, string | null])[] = [
  ['203.0.113.9:51234', '203.0.113.9'],
  ['[2001:db8:2::1]:443', '2001:db8:2::1'],
  ['[2001:db8:2::1]', '2001:db8:2::1'],
  ['"[2001:db8:2::1]"', '2001:db8:2::1'],
  ['"[2001:DB8:2:0::1]:443"', '2001:db8:2::1'],
  ['"203.0.113.9"', '203.0.113.9'],
  ['2001:db8:2::1', '2001:db8:2::1'],
  // All of it is an address: without brackets there is no port.
  ['2001:db8:2::1:443', '2001:db8:2::1:443'],
  ['[::ffff:203.0.113.9]:80', '203.0.113.9'],
  ['203.0.113.9:_port', '203.0.113.9'],
  ['unknown', null],
  ['unknown:443', null],
  ['_hidden', null],
  ['_SEVKISEK:_p', null],
  ['[fe80::1%eth0]', null],
  ['[fe80::1%25eth0]:80', null],
  ['fe80::1%eth0', null],
  ['203.0.113.9:', null],
  ['203.0.113.9:http', null],
  ['203.0.113.9:123456', null],
  ['203.0.113.9:80:80', null],
  ['203.0.113.09:80', null],
  ['127.1:80', null],
  ['[203.0.113.9]:80', '203.0.113.9'],
  ['[2001:db8:2::1', null],
  ['2001:db8:2::1]', null],
  ['[2001:db8:2::1]443', null],
  ['[[2001:db8:2::1]]', null],
  ['client.example:80', null],
  ['203.0.113.9 198.51.100.7', null],
  ['', null],
]

describe('row 26: clientAddress by X-Forwarded-For', () => {
  it.each<[string, string | null, string | null, string | null]>([
    ['the client that the proxy heard from', '192.0.2.1', '10.0.0.1', '192.0.2.1'],
    ['the rightmost address that is not a trusted proxy', '192.0.2.1, 10.0.0.2', '10.0.0.1', '192.0.2.1'],
    ['not what the client made up', '198.51.100.7, 192.0.2.1', '10.0.0.1', '192.0.2.1'],
    ['no trusted proxy that the client forged', '10.0.0.9, 192.0.2.1, 10.0.0.2', '10.0.0.1', '192.0.2.1'],
    ['nothing behind what cannot be read', '192.0.2.1, unknown, 10.0.0.2', '10.0.0.1', null],
    ['nothing behind an empty hop', '192.0.2.1,, 10.0.0.2', '10.0.0.1', null],
    ['a client behind a proxy that writes ports', '192.0.2.1:1234, 10.0.0.2:55', '10.0.0.1', '192.0.2.1'],
    [
      'no trusted proxy that the client forged with a port',
      '10.0.0.9:1, 192.0.2.1:1, 10.0.0.2:1',
      '10.0.0.1',
      '192.0.2.1',
    ],
    ['not what the client put into quotes', '198.51.100.7, "192.0.2.9, 192.0.2.1', '10.0.0.1', '192.0.2.1'],
    ['a client of several header lines, joined', '198.51.100.7, 192.0.2.1', '10.0.0.1', '192.0.2.1'],
    ['a client that does not come through a proxy', '198.51.100.7', '192.0.2.1', '192.0.2.1'],
    ['a proxy by its mapped address', '192.0.2.1', '::ffff:10.0.0.1', '192.0.2.1'],
    ['a proxy with IPv6', '2001:DB8:2::1, 2001:db8:1::5', '2001:db8:1::1', '2001:db8:2::1'],
    ['no address when all are proxies', '10.0.0.3, 10.0.0.2', '10.0.0.1', null],
    ['no address when the proxy sends none', null, '10.0.0.1', null],
    ['no address without a socket', '192.0.2.1', null, null],
  ])('finds %s', (_, forwarded, socket, address) => {
    expect(by('forwarded', { forwarded, socket, cloudflare: '203.0.113.9' })).toBe(address)
  })

  it('trusts no header without trusted proxies', () => {
    expect(by('forwarded', { forwarded: '198.51.100.7', socket: '10.0.0.1' }, [])).toBe('10.0.0.1')
  })

  it('reads no other header', () => {
    const others = { rfc7239: 'for=198.51.100.7', cloudflare: '198.51.100.7' }
    expect(by('forwarded', { ...others, socket: '10.0.0.1' })).toBeNull()
    expect(by('forwarded', { ...others, forwarded: 'unknown', socket: '10.0.0.1' })).toBeNull()
  })

  it.each(NODES)('reads the hop %s as %j', (node, address) => {
    expect(by('forwarded', { forwarded: node, socket: '10.0.0.1' })).toBe(address)
    // Behind one proxy more, and after a hop that the client made up.
    const longer = `198.51.100.7, ${node}, 10.0.0.2`
    expect(by('forwarded', { forwarded: longer, socket: '10.0.0.1' })).toBe(address)
  })
})

describe('row 26: clientAddress by Forwarded', () => {
  it.each(NODES.filter(([node]) => !node.startsWith('"')))('reads for=%s as %j', (node, address) => {
    for (const value of [`for="${node}"`, `For="${node}";proto=https;by=_gate`, `proto=http; for="${node}" ;`]) {
      expect(by('rfc7239', { rfc7239: value, socket: '10.0.0.1' })).toBe(address)
      const longer = `for=198.51.100.7, ${value}, for=10.0.0.2`
      expect(by('rfc7239', { rfc7239: longer, socket: '10.0.0.1' })).toBe(address)
    }
  })

  it.each<[string, string, string | null]>([
    ['a node without quotes', 'for=192.0.2.60;proto=http;by=203.0.113.43', '192.0.2.60'],
    ['a port without quotes', 'for=192.0.2.60:4711', '192.0.2.60'],
    ['brackets without quotes', 'for=[2001:db8:cafe::17]:4711', '2001:db8:cafe::17'],
    ['a name in any case', 'FOR=192.0.2.60', '192.0.2.60'],
    ['escaped characters in quotes', 'for="192.0.2\\.60"', '192.0.2.60'],
    ['the rightmost element that is not a proxy', 'for=192.0.2.43, for="10.0.0.3"', '192.0.2.43'],
    ['not what the client made up', 'for=198.51.100.7, for=192.0.2.60', '192.0.2.60'],
    ['a proxy behind a quote that the client left open', 'for="198.51.100.7, for=192.0.2.60', '192.0.2.60'],
    ['nothing in an element of another form', '192.0.2.60', null],
    ['nothing in an element with two nodes', 'for=198.51.100.7;for=192.0.2.60', null],
    ['nothing beside a malformed pair', 'for=192.0.2.60;proto', null],
    ['nothing in an element without a node', 'proto=https;by=192.0.2.60', null],
    ['nothing around spaces', 'for = 192.0.2.60', null],
    ['nothing in quotes within quotes', 'for="\\"192.0.2.60\\""', null],
    ['nothing in a host of the client', 'for=192.0.2.60;host="a, for=198.51.100.7"', null],
    ['nothing in no header', '', null],
  ])('finds %s', (_, rfc7239, address) => {
    expect(by('rfc7239', { rfc7239, socket: '10.0.0.1' })).toBe(address)
  })

  it('reads no other header, and none of a peer that is not a proxy', () => {
    expect(by('rfc7239', { forwarded: '198.51.100.7', cloudflare: '198.51.100.7', socket: '10.0.0.1' })).toBeNull()
    expect(by('rfc7239', { rfc7239: 'for=198.51.100.7', socket: '192.0.2.1' })).toBe('192.0.2.1')
  })
})

describe('isTrustedProxy', () => {
  it('accepts the configured proxies, and no others', () => {
    expect(['10.0.0.1', '::ffff:10.0.0.1', '2001:db8:1::1'].map((at) => isTrustedProxy(at, trustedProxies))).toEqual([
      ...[true, true, true],
    ])
    for (const socket of [null, '', '11.0.0.1', '2001:db8:2::1', '10.0.0.1:80', 'localhost']) {
      expect(isTrustedProxy(socket, trustedProxies)).toBe(false)
    }
    expect(isTrustedProxy('10.0.0.1', [])).toBe(false)
  })
})
