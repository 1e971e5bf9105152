import { describe, expect, it } from 'vitest'
import { parseRange } from '../../../../core/addresses.ts'
import {
  type AddressPolicy,
  type AddressSources,
  clientAddress,
  isTrustedProxy,
} from '../../../../worker/http/client_address.ts'

const trustedProxies = ['10.0.0.0/8', '2001:db8:1::/48'].map((range) => parseRange(range))
const by = (how: AddressPolicy['clientAddress'], origin: Partial<AddressSources>, proxies = trustedProxies) =>
  clientAddress(
    { socket: null, forwarded: null, cloudflare: null, ...origin },
    { clientAddress: how, trustedProxies: proxies },
  )

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

describe('row 26: clientAddress by X-Forwarded-For', () => {
  it.each<[string, string | null, string | null, string | null]>([
    ['the client that the proxy heard from', '192.0.2.1', '10.0.0.1', '192.0.2.1'],
    ['the rightmost address that is not a trusted proxy', '192.0.2.1, 10.0.0.2', '10.0.0.1', '192.0.2.1'],
    ['not what the client made up', '198.51.100.7, 192.0.2.1', '10.0.0.1', '192.0.2.1'],
    ['no trusted proxy that the client forged', '10.0.0.9, 192.0.2.1, 10.0.0.2', '10.0.0.1', '192.0.2.1'],
    ['nothing behind what cannot be read', '192.0.2.1, unknown, 10.0.0.2', '10.0.0.1', null],
    ['nothing behind an empty hop', '192.0.2.1,, 10.0.0.2', '10.0.0.1', null],
    ['nothing behind a hop with a port', '192.0.2.1:1234', '10.0.0.1', null],
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
