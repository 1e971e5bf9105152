/**
 * Fetching and caching the keys of issuers.
 *
 * @module
 */
import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { rejectionOf } from '../../../support/core.ts'
import {
  attacker,
  ISSUER,
  JWKS,
  jwkOf,
  KEYS,
  METADATA,
  NOW,
  provider,
  rsa,
  type Signer,
  tokenWith,
  trusted,
} from './issuer_fixture.ts'

describe('IssuerKeys', () => {
  it('reads the address of the keys from the metadata, not from the token', async () => {
    const site = provider()
    await site.find('rsa')
    expect(site.asked).toEqual([METADATA, JWKS])
    const direct = provider()
    await direct.issuerKeys.find({ ...trusted, jwksUri: JWKS }, 'rsa', NOW)
    expect(direct.asked).toEqual([JWKS])
  })

  it('finds the metadata of an issuer that ends in a slash', async () => {
    const site = provider()
    site.metadata = { issuer: `${ISSUER}/`, jwks_uri: JWKS }
    await site.issuerKeys.find({ ...trusted, issuer: `${ISSUER}/` }, 'rsa', NOW)
    expect(site.asked).toEqual([METADATA, JWKS])
  })

  it.each<[string, unknown]>([
    ['another issuer', { issuer: 'https://evil.example', jwks_uri: JWKS }],
    ['our issuer with a slash behind', { issuer: `${ISSUER}/`, jwks_uri: JWKS }],
    ['no issuer', { jwks_uri: JWKS }],
    ['no address of keys', { issuer: ISSUER }],
    ['an address of keys that is not a string', { issuer: ISSUER, jwks_uri: [JWKS] }],
    ['nothing', null],
    ['a list', []],
  ])('refuses metadata that name %s', async (_, metadata) => {
    const site = provider()
    site.metadata = metadata
    const { code, detail } = await rejectionOf(site.find('rsa'))
    expect([code, detail.reason]).toEqual(['unavailable', 'provider_answer'])
    expect(site.asked).toEqual([METADATA])
  })

  it.each<[string, unknown]>([
    ['two keys of one id', { keys: [...KEYS, jwkOf(attacker.publicKey, 'rsa')] }],
    ['51 keys', { keys: Array.from({ length: 51 }, (_, i) => ({ kty: 'RSA', kid: String(i) })) }],
    ['keys that are not a list', { keys: { 0: KEYS[0] } }],
    ['no keys', {}],
    ['nothing', null],
  ])('row 32: refuses a key set with %s', async (_, jwks) => {
    const site = provider()
    site.jwks = jwks
    expect((await rejectionOf(site.find('rsa'))).code).toBe('unavailable')
  })

  it('row 32: drops symmetric keys, encryption keys, keys without an id, and values that are not keys', async () => {
    const oct = { kty: 'oct', k: Buffer.from('secret').toString('base64url'), kid: 'oct' }
    const { kid: _, ...nameless } = jwkOf(rsa.publicKey, '')
    const site = provider([oct, jwkOf(rsa.publicKey, 'enc', { use: 'enc' }), nameless, null, 'text', 5, ...KEYS])
    expect((await site.find('rsa')).keys.map(({ kid }) => kid)).toEqual(['rsa', 'ec', 'ed'])
    for (const kid of ['oct', 'enc', '']) expect((await rejectionOf(site.find(kid))).code).toBe('unauthenticated')
    const hs256: Signer = (input) => createHmac('sha256', 'secret').update(input).digest()
    const token = tokenWith({}, { alg: 'HS256', kid: 'oct' }, hs256)
    expect((await rejectionOf(site.verify(token))).code).toBe('unauthenticated')
  })

  it.each([301, 302, 307, 308])('row 32: follows no redirect (%i)', async (status) => {
    const site = provider()
    site.answer = () => new Response(null, { status, headers: { Location: 'https://evil.example/jwks' } })
    expect((await rejectionOf(site.find('rsa'))).code).toBe('unavailable')
    expect(site.asked).toEqual([METADATA])
    expect(site.requests.map(({ redirect }) => redirect)).toEqual(['manual'])
  })

  it('row 32: stops reading a body of 10 MB after 64 KiB', async () => {
    const site = provider()
    let sent = 0
    site.answer = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            if (sent >= 10_000_000) return controller.close()
            sent += 16_384
            controller.enqueue(new Uint8Array(16_384).fill(32))
          },
        }),
      )
    expect((await rejectionOf(site.find('rsa'))).code).toBe('unavailable')
    expect(sent).toBeGreaterThan(64 * 1024)
    expect(sent).toBeLessThan(256 * 1024)
  })

  it('sends one request for simultaneous lookups', async () => {
    const site = provider()
    const found = await Promise.all(Array.from({ length: 100 }, () => site.find('rsa')))
    expect(new Set(found).size).toBe(1)
    expect(site.asked).toEqual([METADATA, JWKS])
  })

  it('fetches the keys again after ten minutes, and not before', async () => {
    const site = provider()
    for (const later of [0, 1, 300_000, 599_999]) await site.find('rsa', NOW + later)
    expect(site.asked).toHaveLength(2)
    await site.find('rsa', NOW + 600_000)
    expect(site.asked).toHaveLength(4)
  })

  it('row 32: fetches at most once in 30 seconds, for any key ids', async () => {
    const site = provider()
    await site.find('rsa')
    for (let second = 0; second < 300; second++) {
      const asks = Array.from({ length: 5 }, (_, i) =>
        rejectionOf(site.find(`unknown ${second} ${i}`, NOW + second * 1000)),
      )
      for (const { code } of await Promise.all(asks)) expect(code).toBe('unauthenticated')
      // The cached keys serve meanwhile.
      await site.find('rsa', NOW + second * 1000)
    }
    expect(site.asked.filter((url) => url === JWKS)).toHaveLength(10)
  })

  it('finds a new key after 30 seconds, and drops the removed one', async () => {
    const site = provider(KEYS.slice(0, 1))
    await site.find('rsa')
    site.jwks = { keys: KEYS.slice(1) }
    expect((await rejectionOf(site.find('ec', NOW + 29_999))).code).toBe('unauthenticated')
    expect((await site.find('ec', NOW + 30_000)).keys).toHaveLength(2)
    expect((await rejectionOf(site.find('rsa', NOW + 60_000))).code).toBe('unauthenticated')
  })

  it('row 32: fetches at most once in 30 seconds while the provider is down, too', async () => {
    const site = provider()
    site.answer = () => Promise.reject(new TypeError('connect ECONNREFUSED'))
    for (let second = 0; second < 60; second++) {
      expect((await rejectionOf(site.find('rsa', NOW + second * 1000))).code).toBe('unavailable')
    }
    expect(site.asked).toHaveLength(2)
  })

  it('row 32: serves keys that it has seen for a day while the provider is down, and no others', async () => {
    const site = provider()
    await site.find('rsa')
    site.answer = () => new Response('down', { status: 503 })
    for (const later of [600_000, 3_600_000, 86_399_999]) {
      expect((await site.find('rsa', NOW + later)).keys).toHaveLength(3)
      expect((await rejectionOf(site.find('new', NOW + later))).code).toBe('unavailable')
    }
    expect((await rejectionOf(site.find('rsa', NOW + 86_400_000))).code).toBe('unavailable')
  })

  it('keeps the keys of issuers apart', async () => {
    const site = provider()
    await site.find('rsa')
    const other = { ...trusted, issuer: 'https://other.example' }
    site.metadata = { issuer: other.issuer, jwks_uri: JWKS }
    site.answer = (url) => Response.json(url === JWKS ? { keys: [] } : site.metadata)
    expect((await rejectionOf(site.issuerKeys.find(other, 'rsa', NOW))).code).toBe('unauthenticated')
    expect((await site.find('rsa')).keys).toHaveLength(3)
  })

  it('row 13: sends no request to an internal issuer, even for a trust', async () => {
    const site = provider()
    for (const issuer of ['http://issuer.example', 'https://169.254.169.254', 'https://localhost', 'https://[::1]']) {
      await rejectionOf(site.issuerKeys.find({ ...trusted, issuer }, 'rsa', NOW))
    }
    site.metadata = { issuer: ISSUER, jwks_uri: 'https://169.254.169.254/keys' }
    await rejectionOf(site.find('rsa'))
    expect(site.asked).toEqual([METADATA])
  })
})
