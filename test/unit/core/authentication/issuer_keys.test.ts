/**
 * Fetching and caching the keys of issuers.
 *
 * @module
 */
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { IssuerKeys, KeysUnavailable } from '../../../../core/authentication/issuer_keys.ts'
import { codeOf } from '../../../support/codes.ts'
import { rejectionOf } from '../../../support/core.ts'
import {
  attacker,
  ISSUER,
  JWKS,
  jwkOf,
  KEYS,
  METADATA,
  NOW,
  p256,
  provider,
  rsa,
  type Signer,
  tokenWith,
  trusted,
} from './issuer_fixture.ts'

const wanted = { now: NOW, urgent: false }
const unknownKey = tokenWith({}, { kid: 'unknown' })
/** A token that is wrong apart from its signature, too. */
const notForUs = tokenWith({ aud: 'other' }, { kid: 'unknown' })

describe('IssuerKeys', () => {
  it('reads the address of the keys from the metadata, not from the token', async () => {
    const site = provider()
    await site.find()
    expect(site.asked).toEqual([METADATA, JWKS])
    const direct = provider()
    await direct.issuerKeys.find({ ...trusted, jwksUri: JWKS }, wanted)
    expect(direct.asked).toEqual([JWKS])
  })

  it('finds the metadata of an issuer that ends in a slash', async () => {
    const site = provider()
    site.metadata = { issuer: `${ISSUER}/`, jwks_uri: JWKS }
    await site.issuerKeys.find({ ...trusted, issuer: `${ISSUER}/` }, wanted)
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
    const { code, detail } = await rejectionOf(site.find())
    expect([code, detail.reason]).toEqual(['unavailable', 'issuer_unavailable'])
    expect(site.asked).toEqual([METADATA])
  })

  it.each<[string, unknown]>([
    ['201 keys', { keys: Array.from({ length: 201 }, (_, i) => ({ kty: 'RSA', kid: String(i) })) }],

    ['keys that are not a list', { keys: { 0: KEYS[0] } }],
    ['no keys', {}],
    ['nothing', null],
  ])('row 32: refuses a key set with %s', async (_, jwks) => {
    const site = provider()
    site.jwks = jwks
    expect((await rejectionOf(site.find())).code).toBe('unavailable')
  })

  it('row 32: drops symmetric keys, private keys, encryption keys, and values that are not keys', async () => {
    const oct = { kty: 'oct', k: Buffer.from('secret').toString('base64url'), kid: 'oct' }
    const all = [
      oct,
      jwkOf(rsa.publicKey, 'enc', { use: 'enc' }),
      jwkOf(rsa.publicKey, 'wrap', { key_ops: ['wrapKey'] }),
      jwkOf(rsa.publicKey, 'certificates', { use: 'x509-svid' }),
      jwkOf(attacker.privateKey, 'private'),
      jwkOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey, 'curve'),
      jwkOf(generateKeyPairSync('x25519').publicKey, 'agreement'),
      { ...jwkOf(rsa.publicKey, ''), kid: 5 },
      ...[null, 'text', 5, [], {}, { kty: ['RSA'] }, { kty: '__proto__' }],
    ]
    const site = provider([...all, ...KEYS])
    expect(await site.find()).toEqual(['rsa', 'ec', 'ed'])
    for (const kid of ['oct', 'enc', 'wrap', 'certificates', 'private', 'curve', 'agreement', '5', ''])
      expect(await codeOf(provider([...all, ...KEYS]).verify(tokenWith({}, { kid })))).toBe('unauthenticated')
    const hs256: Signer = (input) => createHmac('sha256', 'secret').update(input).digest()
    expect(await codeOf(site.verify(tokenWith({}, { alg: 'HS256', kid: 'oct' }, hs256)))).toBe('unauthenticated')
  })

  const { kid: _, ...nameless } = jwkOf(rsa.publicKey, '')
  const ps256 = jwkOf(attacker.publicKey, 'rsa', { alg: 'PS256' })
  it.each<[string, unknown[], string]>([
    [
      'one key without an id, for a token without one',
      [{ ...nameless, alg: 'RS256', use: 'sig' }],
      tokenWith({}, { kid: undefined }),
    ],
    ['one key without an id, for a token with one', [nameless], tokenWith({}, { kid: 'any' })],
    ['keys with ids, for a token without one', KEYS, tokenWith({}, { kid: undefined })],
    [
      'several keys that fit, for a token without an id',
      [jwkOf(attacker.publicKey, 'a'), ...KEYS],
      tokenWith({}, { kid: undefined }),
    ],
    ['one id for two algorithms', [ps256, { ...KEYS[0], alg: 'RS256' }], tokenWith({})],
    ['one id for two keys', [jwkOf(attacker.publicKey, 'rsa'), ...KEYS], tokenWith({})],
    ["a key for SPIFFE's JWTs", [jwkOf(rsa.publicKey, 'rsa', { use: 'jwt-svid' })], tokenWith({}, { typ: 'JOSE' })],
    ['one key twice', [...KEYS, ...KEYS], tokenWith({})],
    [
      'one key twice, for signatures and for encryption',
      [jwkOf(rsa.publicKey, 'rsa', { use: 'enc' }), jwkOf(rsa.publicKey, 'rsa', { use: 'sig' })],
      tokenWith({}),
    ],
    [
      'a key whose point is not on its curve',
      [{ kty: 'EC', crv: 'P-256', kid: 'bad', x: 'AAAA', y: 'AAAA' }, ...KEYS],
      tokenWith({}),
    ],
    [
      '200 keys with certificates',
      [
        ...Array.from({ length: 199 }, (_, i) =>
          jwkOf(attacker.publicKey, `k${i}`, { x5c: ['A'.repeat(1600)], x5t: 'x' }),
        ),
        KEYS[0],
      ],
      tokenWith({}),
    ],
  ])('finds the key in a set with %s', async (_, keys, token) => {
    expect((await provider(keys).verify(token)).claims.sub).toBe('repo:a/b')
  })

  it('tries a limited number of keys for a token without an id', async () => {
    const others = Array.from({ length: 20 }, (_, i) => jwkOf(attacker.publicKey, `k${i}`))
    expect(await codeOf(provider([...others, KEYS[0]]).verify(tokenWith({}, { kid: undefined })))).toBe(
      'unauthenticated',
    )
    expect(await codeOf(provider([...others.slice(1), KEYS[0]]).verify(tokenWith({}, { kid: undefined })))).toBe('ok')
  })

  it.each([301, 302, 307, 308])('row 32: follows no redirect (%i)', async (status) => {
    const site = provider()
    site.answer = () => new Response(null, { status, headers: { Location: 'https://evil.example/jwks' } })
    expect((await rejectionOf(site.find())).code).toBe('unavailable')
    expect(site.asked).toEqual([METADATA])
    expect(site.requests.map(({ redirect }) => redirect)).toEqual(['manual'])
  })

  it('row 32: stops reading a body of 10 MB after 512 KiB', async () => {
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
    expect((await rejectionOf(site.find())).code).toBe('unavailable')
    expect(sent).toBeGreaterThan(512 * 1024)
    expect(sent).toBeLessThan(1024 * 1024)
  })

  it('sends one request for simultaneous lookups', async () => {
    const site = provider()
    const found = await Promise.all(Array.from({ length: 100 }, () => site.issuerKeys.find(trusted, wanted)))
    expect(new Set(found).size).toBe(1)
    expect(site.asked).toEqual([METADATA, JWKS])
  })

  it('fetches the keys again after ten minutes, and not before', async () => {
    const site = provider()
    for (const later of [0, 1, 300_000, 599_999]) await site.find(NOW + later)
    expect(site.asked).toHaveLength(2)
    await site.find(NOW + 600_000)
    expect(site.asked).toHaveLength(4)
  })

  it('row 32: fetches at most once in 30 seconds for tokens that are wrong anyway, for any key ids', async () => {
    const site = provider()
    await site.find()
    for (let second = 0; second < 300; second++) {
      const tokens = Array.from({ length: 5 }, (_, i) => tokenWith({ aud: 'other' }, { kid: `unknown ${second} ${i}` }))
      const codes = await Promise.all(tokens.map((token) => codeOf(site.verify(token, NOW + second * 1000))))
      expect(new Set(codes)).toEqual(new Set(['unauthenticated']))
      // The cached keys serve meanwhile.
      expect(await codeOf(site.verify(tokenWith({}), NOW + second * 1000))).toBe('ok')
    }
    expect(site.fetched()).toBe(10)
    expect(site.pauses).toEqual([])
  })

  it('row 32: fetches with growing pauses for tokens that are right apart from their key, and keeps none waiting for long', async () => {
    const site = provider()
    await site.find()
    const outcomes: string[] = []
    for (let second = 0; second < 300; second++) {
      const tokens = Array.from({ length: 5 }, (_, i) =>
        tokenWith({ exp: NOW / 1000 + 3600 }, { kid: `unknown ${second} ${i}` }),
      )
      outcomes.push(...(await Promise.all(tokens.map((token) => codeOf(site.verify(token, NOW + second * 1000))))))
    }
    expect(new Set(outcomes)).toEqual(new Set(['unauthenticated', 'unavailable']))
    expect(site.fetched()).toBeLessThan(60)
    expect(Math.max(...site.pauses)).toBeLessThanOrEqual(4000)
  })

  it('finds a key that the issuer added a moment after the last look, with one more request', async () => {
    const site = provider(KEYS.slice(0, 1))
    await site.find()
    site.jwks = { keys: KEYS }
    const added = tokenWith({}, { alg: 'ES256', kid: 'ec' }, (input) =>
      sign('sha256', input, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' }),
    )
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(site.verify(added, NOW + 100))))
    expect(new Set(codes)).toEqual(new Set(['ok']))
    expect([site.fetched(), site.pauses]).toEqual([2, [900]])
  })

  it('finds a key that replaced another without an id, and drops the removed one', async () => {
    const { kid: _, ...before } = jwkOf(attacker.publicKey, '')
    const site = provider([before])
    const old = tokenWith({}, { kid: undefined }, (input) => sign('RSA-SHA256', input, attacker.privateKey))
    expect(await codeOf(site.verify(old))).toBe('ok')
    site.jwks = { keys: [nameless] }
    expect(await codeOf(site.verify(tokenWith({}, { kid: undefined }), NOW + 5000))).toBe('ok')
    expect(await codeOf(site.verify(old, NOW + 6000))).toBe('unauthenticated')
  })

  it('row 32: asks for no other key when the key of an id does not verify', async () => {
    const site = provider()
    const forged = tokenWith({}, {}, (input) => sign('RSA-SHA256', input, attacker.privateKey))
    for (let i = 0; i < 10; i++) expect(await codeOf(site.verify(forged, NOW + i * 1000))).toBe('unauthenticated')
    expect(site.fetched()).toBe(1)
  })

  it('asks a token to come again while keys cannot be fetched, and takes it once they can', async () => {
    const site = provider()
    let up = false
    site.answer = (url) =>
      up ? Response.json(url === METADATA ? site.metadata : site.jwks) : new Response('', { status: 500 })
    const first = await rejectionOf(site.verify(tokenWith({})))
    expect(first).toMatchObject({ code: 'unavailable', detail: { reason: 'issuer_unavailable', retryAfterSeconds: 1 } })
    expect(first instanceof KeysUnavailable && first.why).toEqual({ cause: 'status', networkCode: null, status: 500 })
    up = true
    expect(await codeOf(site.verify(tokenWith({}), NOW + 200))).toBe('ok')
    expect(site.pauses).toEqual([800])
  })

  it('row 32: asks an issuer that is down with pauses of up to 30 seconds, and says how long they are', async () => {
    const site = provider()
    site.answer = () => Promise.reject(Object.assign(new TypeError('failed'), { cause: { code: 'ECONNREFUSED' } }))
    const waits: unknown[] = []
    for (let i = 0; i < 120; i++) {
      const error = await rejectionOf(site.verify(tokenWith({}), NOW + i * 500))
      expect(error.code).toBe('unavailable')
      if (i === 0) expect((error as KeysUnavailable).why.networkCode).toBe('ECONNREFUSED')
      waits.push(error.detail.retryAfterSeconds)
    }
    expect(site.asked.length).toBeLessThan(12)
    expect(Math.max(...waits.map(Number))).toBeGreaterThan(4)
    expect(Math.max(...waits.map(Number))).toBeLessThanOrEqual(30)
  })

  it('row 32: serves keys that it has seen for a day while the provider is down, and no others', async () => {
    const site = provider()
    await site.find()
    site.answer = () => new Response('down', { status: 503 })
    for (const later of [600_000, 3_600_000, 86_399_999]) expect(await site.find(NOW + later)).toHaveLength(3)
    const day = { exp: NOW / 1000 + 90_000 }
    expect(await codeOf(site.verify(tokenWith(day), NOW + 80_000_000))).toBe('ok')
    expect(await codeOf(site.verify(tokenWith(day, { kid: 'new' }), NOW + 81_000_000))).toBe('unavailable')
    expect((await rejectionOf(site.find(NOW + 86_400_000))).code).toBe('unavailable')
  })

  it('survives a clock that is set back', async () => {
    const site = provider()
    await site.find(NOW + 86_400_000)
    expect(await codeOf(site.verify(tokenWith({})))).toBe('ok')
    expect(site.fetched()).toBe(2)
  })

  it('takes the keys in a trust, and sends no request', async () => {
    const site = provider()
    const jwks = { keys: KEYS }
    expect((await site.verify(tokenWith({}), NOW, { jwks })).claims.sub).toBe('repo:a/b')
    expect(await codeOf(site.verify(unknownKey, NOW, { jwks }))).toBe('unauthenticated')
    expect(await codeOf(site.verify(notForUs, NOW, { jwks }))).toBe('unauthenticated')
    expect(site.asked).toEqual([])
  })

  it('keeps the keys of issuers apart', async () => {
    const site = provider()
    await site.find()
    const other = { ...trusted, issuer: 'https://other.example' }
    site.metadata = { issuer: other.issuer, jwks_uri: JWKS }
    site.answer = (url) => Response.json(url === JWKS ? { keys: [] } : site.metadata)
    expect((await site.issuerKeys.find(other, wanted)).keys).toEqual([])
    expect(await site.find()).toHaveLength(3)
  })

  it('row 13: sends no request to an internal issuer, even for a trust', async () => {
    const site = provider()
    for (const issuer of ['http://issuer.example', 'https://169.254.169.254', 'https://localhost', 'https://[::1]']) {
      const error = await rejectionOf(site.issuerKeys.find({ ...trusted, issuer }, wanted))
      expect((error as KeysUnavailable).why.cause).toBe('address')
    }
    site.metadata = { issuer: ISSUER, jwks_uri: 'https://169.254.169.254/keys' }
    await rejectionOf(site.find())
    expect(site.asked).toEqual([METADATA])
  })
})

describe('IssuerKeys on Workers, where requests do not wait for the promise of another', () => {
  it('lets concurrent sign-ins wait for the keys that the first one fetches', async () => {
    let requests = 0
    const keys = new IssuerKeys({
      shared: false,
      fetch: async ({ url }) => {
        requests++
        await new Promise((resolve) => setTimeout(resolve, 120))
        return Response.json(url === METADATA ? { issuer: ISSUER, jwks_uri: JWKS } : { keys: KEYS })
      },
    })
    const found = await Promise.all(Array.from({ length: 20 }, () => keys.find(trusted, { now: NOW, urgent: true })))
    expect(found.map((set) => set.keys.length)).toEqual(Array(20).fill(3))
    expect(requests).toBe(2)
  })

  it('tells the others to come again when the first one fails', async () => {
    const keys = new IssuerKeys({ shared: false, fetch: async () => new Response('', { status: 500 }) })
    const codes = await Promise.all(
      Array.from({ length: 5 }, () => codeOf(keys.find(trusted, { now: NOW, urgent: true }))),
    )
    expect(codes).toEqual(Array(5).fill('unavailable'))
  })
})
