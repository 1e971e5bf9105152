import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { FlawedAssertion, IssuerKeys, issuerOf, verifyAssertion } from '../../../../core/authentication/federation.ts'
import type { AssertionUse, Issuer } from '../../../../core/vault/access/issuer_store.ts'
import type { Input } from '../../../../core/vault/operation_table.ts'
import type { Call } from '../../../../core/vault/rpc.ts'
import { openVault, refusalFrom, rejectionOf, tokenHashOf } from '../../../support/core.ts'

const NOW = 1_760_000_000_000
const SECONDS = NOW / 1000
const ISSUER = 'https://issuer.example'
const METADATA = `${ISSUER}/.well-known/openid-configuration`
const JWKS = 'https://keys.issuer.example/jwks'
const trusted: Issuer = { id: 'ci', issuer: ISSUER, audience: 'postern', claims: {}, principal: 'ci' }

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed25519 = generateKeyPairSync('ed25519')
const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwkOf = (key: KeyObject, kid: string, more: object = {}) => ({ ...key.export({ format: 'jwk' }), kid, ...more })
const KEYS = [jwkOf(rsa.publicKey, 'rsa'), jwkOf(p256.publicKey, 'ec'), jwkOf(ed25519.publicKey, 'ed')]

type Part = Record<string, unknown>
type Signer = (input: Buffer) => Buffer
const rs256: Signer = (input) => sign('RSA-SHA256', input, rsa.privateKey)
const goodHeader = { alg: 'RS256', typ: 'JWT', kid: 'rsa' }
const goodClaims = { iss: ISSUER, aud: 'postern', sub: 'repo:a/b', iat: SECONDS, exp: SECONDS + 600 }

/** A token that is right but for what is changed; `undefined` leaves a member out. */
function tokenWith(claims: Part, header: Part = {}, signer: Signer = rs256): string {
  const parts = [
    { ...goodHeader, ...header },
    { ...goodClaims, ...claims },
  ]
  const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${signer(Buffer.from(input)).toString('base64url')}`
}

/** An identity provider behind a fetch of ours: what it answers can be changed, and each request is noted. */
function provider(keys: unknown[] = KEYS) {
  const asked: string[] = []
  const site = {
    asked,
    requests: [] as Request[],
    metadata: { issuer: ISSUER, jwks_uri: JWKS } as unknown,
    jwks: { keys } as unknown,
    answer: (url: string): Response | Promise<Response> => Response.json(url === METADATA ? site.metadata : site.jwks),
  }
  const issuerKeys = new IssuerKeys({
    fetch: async (request) => {
      asked.push(request.url)
      site.requests.push(request)
      return site.answer(request.url)
    },
  })
  return Object.assign(site, {
    issuerKeys,
    verify: (token: string, now = NOW, issuer: Partial<Issuer> = {}) =>
      verifyAssertion(token, { ...trusted, ...issuer }, issuerKeys, now),
    find: (kid: string, now = NOW) => issuerKeys.find(trusted, kid, now),
  })
}

describe('issuerOf', () => {
  it('reads whom a token says that it is from, and verifies nothing', () => {
    expect(issuerOf(tokenWith({}, {}, () => Buffer.from('nonsense')))).toBe(ISSUER)
  })

  it.each([
    ...['', 'nope', 'a.b.c', '....'],
    ...[undefined, 5, null, [ISSUER], 'a'.repeat(513)].map((iss) => tokenWith({ iss })),
  ])('refuses a token that says nothing of use (%#)', (token) => {
    expect(refusalFrom(() => issuerOf(token)).code).toBe('unauthenticated')
  })
})

describe('verifyAssertion', () => {
  it('gives the claims, and what the token is known by and until when', async () => {
    const { claims, once, expiresAt } = await provider().verify(tokenWith({ repository_id: '74' }))
    expect(claims).toEqual({ ...goodClaims, repository_id: '74' })
    expect(once).toMatch(/^[\w-]{43}$/)
    expect(expiresAt).toBe(NOW + 630_000)
  })

  it.each<[string, string, Signer]>([
    ['RS256', 'rsa', rs256],
    ['ES256', 'ec', (input) => sign('sha256', input, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' })],
    ['EdDSA', 'ed', (input) => sign(null, input, ed25519.privateKey)],
  ])('takes %s', async (alg, kid, signer) => {
    expect((await provider().verify(tokenWith({}, { alg, kid }, signer))).claims.sub).toBe('repo:a/b')
  })

  it('takes our audience alone in a list, a lagging clock, and a token without a type', async () => {
    const { verify } = provider()
    for (const change of [{ aud: ['postern'] }, { iat: SECONDS + 30 }, { exp: SECONDS - 29 }, { nbf: SECONDS + 30 }]) {
      expect((await verify(tokenWith(change))).claims).toMatchObject(change)
    }
    expect((await verify(tokenWith({}, { typ: undefined }))).claims.iss).toBe(ISSUER)
  })

  it('knows a token by what was signed, whatever its signature is spelled like', async () => {
    const { verify } = provider()
    const es256: Signer = (input) => sign('sha256', input, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' })
    const tokens = [0, 1].map(() => tokenWith({}, { alg: 'ES256', kid: 'ec' }, es256))
    expect(tokens[0]).not.toBe(tokens[1])
    const [first, second] = await Promise.all(tokens.map((token) => verify(token)))
    expect(first!.once).toBe(second!.once)
    expect((await verify(tokenWith({ sub: 'another' }))).once).not.toBe(first!.once)
  })

  const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' })
  const hs256: Signer = (input) => createHmac('sha256', pem).update(input).digest()
  const byAttacker: Signer = (input) => sign('RSA-SHA256', input, attacker.privateKey)
  const { iss, aud, sub, iat, exp } = goodClaims
  it.each<[string, string]>([
    ['the algorithm none', tokenWith({}, { alg: 'none' }, () => Buffer.alloc(0))],
    ['the algorithm none with a signature', tokenWith({}, { alg: 'none' })],
    ['HS256 with the public key as the secret', tokenWith({}, { alg: 'HS256' }, hs256)],
    ['RS512', tokenWith({}, { alg: 'RS512' }, (input) => sign('RSA-SHA512', input, rsa.privateKey))],
    ['an algorithm that the key is not of', tokenWith({}, { alg: 'ES256' })],
    ['no algorithm', tokenWith({}, { alg: undefined })],
    ['no kid', tokenWith({}, { kid: undefined })],
    ['a kid that is a path', tokenWith({}, { kid: '../../../../dev/null' })],
    ['a kid that is SQL', tokenWith({}, { kid: "rsa' OR '1'='1" })],
    ['a kid that is an address', tokenWith({}, { kid: 'https://evil.example/jwks' })],
    ['a kid that is a list', tokenWith({}, { kid: ['rsa'] })],
    ['a kid in another case', tokenWith({}, { kid: 'RSA' })],
    ['the kid of another key', tokenWith({}, { kid: 'ec' })],
    ['a key of its own in the header', tokenWith({}, { jwk: jwkOf(attacker.publicKey, 'rsa') }, byAttacker)],
    ['keys elsewhere named in the header', tokenWith({}, { jku: 'https://evil.example/jwks' }, byAttacker)],
    ['a certificate named in the header', tokenWith({}, { x5u: 'https://evil.example/x' }, byAttacker)],
    ['the signature of another key', tokenWith({}, {}, byAttacker)],
    ['an unknown critical extension', tokenWith({}, { crit: ['x'], x: 1 })],
    ['a known critical extension', tokenWith({}, { crit: ['b64'], b64: true })],
    ['an empty list of critical extensions', tokenWith({}, { crit: [] })],
    ['another audience', tokenWith({ aud: 'other' })],
    ['an audience that begins like ours', tokenWith({ aud: 'postern2' })],
    ['an audience in another case', tokenWith({ aud: 'Postern' })],
    ['two audiences, ours among them', tokenWith({ aud: ['postern', 'other'] })],
    ['our audience twice', tokenWith({ aud: ['postern', 'postern'] })],
    ['no audience', tokenWith({ aud: undefined })],
    ['an empty list of audiences', tokenWith({ aud: [] })],
    ['another issuer', tokenWith({ iss: 'https://evil.example' })],
    ['our issuer with a slash behind', tokenWith({ iss: `${ISSUER}/` })],
    ['no issuer', tokenWith({ iss: undefined })],
    ['several issuers', tokenWith({ iss: [ISSUER] })],
    ['no exp', tokenWith({ exp: undefined })],
    ['exp as a text', tokenWith({ exp: String(exp) })],
    ['exp as null', tokenWith({ exp: null })],
    ['a token that has expired', tokenWith({ exp: SECONDS - 30 })],
    ['nbf in the future', tokenWith({ nbf: SECONDS + 31 })],
    ['nbf as a text', tokenWith({ nbf: String(iat) })],
    ['no iat', tokenWith({ iat: undefined })],
    ['iat as a text', tokenWith({ iat: String(iat) })],
    ['iat in the future', tokenWith({ iat: SECONDS + 31 })],
    ['no sub', tokenWith({ sub: undefined })],
    ['a signature that was cut', tokenWith({}).slice(0, -8)],
    ['no signature', tokenWith({}).replace(/[^.]+$/, '')],
    ['nothing', ''],
    ['two parts', tokenWith({}).replace(/\.[^.]+$/, '')],
    [
      'claims that are a list',
      `${[goodHeader, [iss, aud, sub]].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.AAAA`,
    ],
  ])('row 31: refuses %s', async (_, token) => {
    const { verify, asked } = provider()
    expect((await rejectionOf(verify(token))).code).toBe('unauthenticated')
    for (const url of asked) expect([METADATA, JWKS]).toContain(url)
  })

  it('row 31: refuses claims that were changed after they were signed', async () => {
    const [right = [], other = []] = [tokenWith({}), tokenWith({ sub: 'repo:a/c' })].map((token) => token.split('.'))
    for (const at of [1, 2]) {
      expect((await rejectionOf(provider().verify(right.with(at, other[at]!).join('.')))).code).toBe('unauthenticated')
    }
  })

  it('row 31: does not look at keys that a header names, also when the signature is right', async () => {
    const { verify, asked } = provider()
    const named = { jku: 'https://evil.example/jwks', x5u: 'https://evil.example/x', jwk: KEYS[1], x5c: ['AAAA'] }
    expect((await verify(tokenWith({}, named))).claims.sub).toBe('repo:a/b')
    expect(asked).toEqual([METADATA, JWKS])
  })

  it('row 76: takes a token of any age until its exp, or of the age that its trust allows', async () => {
    const day = { iat: SECONDS - 7200, exp: SECONDS + 79_200 }
    const { verify } = provider()
    expect((await verify(tokenWith(day))).expiresAt).toBe(NOW + 79_200_000 + 30_000)
    for (const typ of ['application/at+jwt', 'at+jwt', 'jwt']) {
      expect((await verify(tokenWith(day, { typ }))).claims.sub).toBe(goodClaims.sub)
    }
    expect((await verify(tokenWith(day), NOW, { maxAgeSeconds: 7200 })).claims.sub).toBe(goodClaims.sub)
    const flawOf = async (claims: Part, maxAgeSeconds?: number) => {
      const error = await rejectionOf(verify(tokenWith(claims), NOW, { maxAgeSeconds }))
      return [error.code, error instanceof FlawedAssertion ? error.flaw : null]
    }
    expect(await flawOf(day, 3600)).toEqual(['unauthenticated', 'assertion_too_old'])
    expect(await flawOf({ ...day, exp: SECONDS - 60 })).toEqual(['unauthenticated', 'assertion_expired'])
    expect(await flawOf({ iat: SECONDS + 60 })).toEqual(['unauthenticated', 'assertion_not_yet'])
    expect(await flawOf({ nbf: SECONDS + 60 })).toEqual(['unauthenticated', 'assertion_not_yet'])
    // Not well-signed for us: no word about its time.
    expect(await flawOf({ ...day, exp: SECONDS - 60, aud: 'other' })).toEqual(['unauthenticated', null])
    expect(await flawOf({ ...day, exp: SECONDS - 60, aud: ['postern', 'other'] })).toEqual(['unauthenticated', null])
  })

  const rsaJwk = (change: Part) => ({ ...jwkOf(rsa.publicKey, 'weak'), ...change })
  const base64url = (...bytes: number[]) => Buffer.from(bytes).toString('base64url')
  it.each<[string, Part]>([
    ['e = 1', { e: base64url(1) }],
    ['e = 1 with zeros before it', { e: base64url(0, 0, 0, 1) }],
    ['e = 0', { e: base64url(0) }],
    ['an even e', { e: base64url(1, 0, 2) }],
    ['no e', { e: undefined }],
    ['an e that is no text', { e: 65_537 }],
    ['an e of 257 bits', { e: base64url(1, ...Array(31).fill(0), 1) }],
    ['1024 bits', { n: weakRsa.publicKey.export({ format: 'jwk' }).n }],
    [
      '1024 bits with zeros before them',
      {
        n: base64url(
          ...Array(128).fill(0),
          ...Buffer.from(String(weakRsa.publicKey.export({ format: 'jwk' }).n), 'base64url'),
        ),
      },
    ],
    ['an n of 32,768 bits', { n: base64url(...Array(4096).fill(255)) }],
  ])('row 31: leaves out an RSA key with %s, and keeps the others of its set', async (_, change) => {
    const { verify } = provider([rsaJwk(change), ...KEYS])
    expect((await rejectionOf(verify(tokenWith({}, { kid: 'weak' })))).code).toBe('unauthenticated')
    expect((await verify(tokenWith({}))).claims.sub).toBe(goodClaims.sub)
  })

  it('row 31: refuses a token that anybody can make for a key with e = 1', async () => {
    const { verify } = provider([rsaJwk({ e: base64url(1) })])
    // With e = 1 the signature is the padded hash itself (RFC 8017 section 9.2).
    const forge: Signer = (input) => {
      const prefix = Buffer.from('3031300d060960864801650304020105000420', 'hex')
      const digest = Buffer.concat([prefix, createHash('sha256').update(input).digest()])
      return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - digest.length - 3, 255), Buffer.from([0]), digest])
    }
    expect((await rejectionOf(verify(tokenWith({}, { kid: 'weak' }, forge)))).code).toBe('unauthenticated')
  })

  it('takes an RSA key with e = 3', async () => {
    const three = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })
    const { verify } = provider([jwkOf(three.publicKey, 'three')])
    const signed = tokenWith({}, { kid: 'three' }, (input) => sign('RSA-SHA256', input, three.privateKey))
    expect((await verify(signed)).claims.sub).toBe(goodClaims.sub)
  })

  it('refuses an RSA key of 1024 bits', async () => {
    const { verify } = provider([jwkOf(weakRsa.publicKey, 'rsa')])
    const token = tokenWith({}, {}, (input) => sign('RSA-SHA256', input, weakRsa.privateKey))
    expect((await rejectionOf(verify(token))).code).toBe('unauthenticated')
  })

  it('row 52: goes by the time that it is told', async () => {
    const { verify } = provider()
    expect((await verify(tokenWith({}), NOW + 629_999)).claims.sub).toBe('repo:a/b')
    for (const now of [NOW + 630_000, NOW - 31_000, NOW + 86_400_000]) {
      expect((await rejectionOf(verify(tokenWith({}), now))).code).toBe('unauthenticated')
    }
  })
})

describe('IssuerKeys', () => {
  it('asks the metadata for the address of the keys, and not where it is told', async () => {
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
    ['an address of keys that is no text', { issuer: ISSUER, jwks_uri: [JWKS] }],
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
    ['keys that are no list', { keys: { 0: KEYS[0] } }],
    ['no keys', {}],
    ['nothing', null],
  ])('row 32: refuses a key set with %s', async (_, jwks) => {
    const site = provider()
    site.jwks = jwks
    expect((await rejectionOf(site.find('rsa'))).code).toBe('unavailable')
  })

  it('row 32: leaves out symmetric keys, keys for encryption, keys without an id, and what is no key', async () => {
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

  it('asks once for all who ask at the same time', async () => {
    const site = provider()
    const found = await Promise.all(Array.from({ length: 100 }, () => site.find('rsa')))
    expect(new Set(found).size).toBe(1)
    expect(site.asked).toEqual([METADATA, JWKS])
  })

  it('asks again after ten minutes, and not before', async () => {
    const site = provider()
    for (const later of [0, 1, 300_000, 599_999]) await site.find('rsa', NOW + later)
    expect(site.asked).toHaveLength(2)
    await site.find('rsa', NOW + 600_000)
    expect(site.asked).toHaveLength(4)
  })

  it('row 32: asks at most once in 30 seconds, whatever key ids come', async () => {
    const site = provider()
    await site.find('rsa')
    for (let second = 0; second < 300; second++) {
      const asks = Array.from({ length: 5 }, (_, i) =>
        rejectionOf(site.find(`unknown ${second} ${i}`, NOW + second * 1000)),
      )
      for (const { code } of await Promise.all(asks)) expect(code).toBe('unauthenticated')
      // What is known serves on all the while.
      await site.find('rsa', NOW + second * 1000)
    }
    expect(site.asked.filter((url) => url === JWKS)).toHaveLength(10)
  })

  it('finds a new key as soon as 30 seconds have passed, and no more the one that is gone', async () => {
    const site = provider(KEYS.slice(0, 1))
    await site.find('rsa')
    site.jwks = { keys: KEYS.slice(1) }
    expect((await rejectionOf(site.find('ec', NOW + 29_999))).code).toBe('unauthenticated')
    expect((await site.find('ec', NOW + 30_000)).keys).toHaveLength(2)
    expect((await rejectionOf(site.find('rsa', NOW + 60_000))).code).toBe('unauthenticated')
  })

  it('row 32: asks at most once in 30 seconds also when the provider is down', async () => {
    const site = provider()
    site.answer = () => Promise.reject(new TypeError('connect ECONNREFUSED'))
    for (let second = 0; second < 60; second++) {
      expect((await rejectionOf(site.find('rsa', NOW + second * 1000))).code).toBe('unavailable')
    }
    expect(site.asked).toHaveLength(2)
  })

  it('row 32: serves keys that were seen for a day when the provider is down, and no others', async () => {
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

  it('row 13: asks no issuer inside, whatever trust says', async () => {
    const site = provider()
    for (const issuer of ['http://issuer.example', 'https://169.254.169.254', 'https://localhost', 'https://[::1]']) {
      await rejectionOf(site.issuerKeys.find({ ...trusted, issuer }, 'rsa', NOW))
    }
    site.metadata = { issuer: ISSUER, jwks_uri: 'https://169.254.169.254/keys' }
    await rejectionOf(site.find('rsa'))
    expect(site.asked).toEqual([METADATA])
  })
})

describe('session.federate', () => {
  const conditions = { repository_id: ['74'], repository_owner_id: ['65'], event_name: ['push', 'workflow_dispatch'] }
  const github = {
    iss: 'https://token.actions.githubusercontent.com',
    sub: 'repo:octo-org/octo-repo:ref:refs/heads/main',
    repository: 'octo-org/octo-repo',
    repository_id: '74',
    repository_owner_id: '65',
    event_name: 'push',
    ref: 'refs/heads/main',
  }
  let counter = 0

  function federated(claims: Record<string, readonly string[]> = conditions) {
    const bench = openVault()
    bench.enrol('ci')
    const issuer = { ...trusted, issuer: github.iss, claims }
    let { revision } = bench.granted('admin', 'issuer.put', issuer)
    /** Changes the trust, and from then on asks with it as it is now. */
    const change = (more: Partial<Issuer>) => {
      const before = revision
      revision = bench.granted('admin', 'issuer.put', { ...issuer, ...more }).revision
      return before
    }
    const ask = (more: Part, input: Partial<Input<'session.federate'>> = {}) => {
      const id = `federated ${counter++}`
      const about = { hash: tokenHashOf(id), accessor: id, jkt: null, candidates: [{ id: 'ci', revision }] }
      const caller = { credential: null, proof: null, requestId: id, address: '192.0.2.1', agent: null }
      const all = { ...github, ...more }
      const once = { claims: all, once: id, onceExpiresAt: bench.now + 600_000 }
      const call: Call = { operation: 'session.federate', caller, input: { ...about, ...once, ...input } }
      const answer = bench.execute(call)[0]!
      return answer.ok ? 'ok' : answer.reason
    }
    return { bench, ask, change }
  }

  it('signs in whose claims meet all conditions, as the principal of the trust', () => {
    const { ask, bench } = federated()
    expect(ask({})).toBe('ok')
    const [session] = bench.granted('admin', 'session.list', { principal: 'ci' })
    expect(session).toMatchObject({ principal: 'ci', method: 'federated', bound: false, mfaAt: null })
    expect(bench.log().at(-2)).toMatchObject({
      operation: 'session.federate',
      resource: 'issuers',
      facts: { principal: 'ci', trust: 'ci', subject: github.sub },
    })
  })

  it('row 33: takes the old form of a subject and the new one, since it goes by ids', () => {
    const { ask } = federated()
    expect(ask({ sub: 'repo:octo-org@65/octo-repo@74:ref:refs/heads/main' })).toBe('ok')
    expect(ask({ sub: 'repo:new-name/renamed:environment:prod', repository: 'new-name/renamed' })).toBe('ok')
  })

  it('row 33: refuses a repository of the same name with another id, and another owner', () => {
    const { ask, bench } = federated()
    expect(ask({ repository_id: '75' })).toBe('unauthenticated')
    expect(ask({ repository_owner_id: '66' })).toBe('unauthenticated')
    expect(bench.granted('admin', 'session.list', { principal: 'ci' })).toEqual([])
    expect(bench.log().filter(({ operation }) => operation === 'session.federate')).toHaveLength(2)
  })

  it('row 33: refuses an event that no condition names', () => {
    const { ask } = federated()
    for (const event of ['pull_request', 'pull_request_target', 'Push', 'push ', '']) {
      expect(ask({ event_name: event })).toBe('unauthenticated')
    }
    expect(ask({ event_name: 'workflow_dispatch' })).toBe('ok')
  })

  it.each<[string, unknown]>([
    ['is not there', undefined],
    ['is null', null],
    ['is a list that holds it', ['74']],
    ['is an object', { 74: '74' }],
    ['begins like it', '741'],
    ['ends like it', '174'],
    ['has more than 512 characters', '7'.repeat(513)],
  ])('refuses when the claim of a condition %s', (_, value) => {
    expect(federated().ask({ repository_id: value })).toBe('unauthenticated')
  })

  it('takes a number and a truth value for their text', () => {
    expect(federated().ask({ repository_id: 74 })).toBe('ok')
    expect(federated({ email_verified: ['true'] }).ask({ email_verified: true })).toBe('ok')
    expect(federated({ email_verified: ['true'] }).ask({ email_verified: false })).toBe('unauthenticated')
  })

  it('refuses a claim that every object has', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      expect(federated(JSON.parse(`{"${name}": ["*"]}`)).ask({})).toBe('unauthenticated')
    }
  })

  it('matches globs within a claim', () => {
    const { ask } = federated({ ref: ['refs/heads/*', 'refs/tags/v*'] })
    expect(['refs/heads/main', 'refs/heads/a/b', 'refs/tags/v1'].map((ref) => ask({ ref }))).toEqual(['ok', 'ok', 'ok'])
    for (const ref of ['refs/tags/1', 'refs/pull/1/merge', 'xrefs/heads/main'])
      expect(ask({ ref })).toBe('unauthenticated')
  })

  it('takes a token once', () => {
    const { ask } = federated()
    const once = { once: 'the same' }
    expect(['ok', 'unauthenticated', 'unauthenticated']).toEqual([ask({}, once), ask({}, once), ask({}, once)])
  })

  it('row 76: takes a token again with the key that it first came with, and alerts of any other', () => {
    const { ask, bench } = federated()
    const token = { once: 'the same', onceExpiresAt: bench.now + 86_400_000 }
    const mine = { ...token, jkt: 'mine' }
    expect([ask({}, mine), ask({}, mine)]).toEqual(['ok', 'ok'])
    bench.now += 3_600_000
    expect(ask({}, mine)).toBe('ok')
    for (const other of [{ ...token, jkt: 'thief' }, token]) expect(ask({}, other)).toBe('unauthenticated')
    expect(ask({}, mine)).toBe('ok')
    const refused = bench.log().filter(({ outcome }) => outcome === 'unauthenticated')
    // The same refusal of the same token is one event.
    expect(refused).toMatchObject([
      {
        operation: 'session.federate',
        severity: 'alert',
        facts: { reason: 'assertion_used', trust: 'ci', bound: true },
      },
    ])
  })

  it('row 76: takes a token without a key once, whatever key comes after, and alerts of none', () => {
    const { ask, bench } = federated()
    const token = { once: 'the same' }
    expect([ask({}, token), ask({}, token), ask({}, { ...token, jkt: 'key' })]).toEqual([
      'ok',
      'unauthenticated',
      'unauthenticated',
    ])
    expect(bench.log().filter(({ severity }) => severity === 'alert')).toEqual([])
  })

  it.each<[AssertionUse, string[], string | null]>([
    ['once', ['ok', 'unauthenticated', 'unauthenticated'], 'warning'],
    ['same-key', ['ok', 'ok', 'unauthenticated'], 'alert'],
    ['until-expiry', ['ok', 'ok', 'ok'], null],
  ])('row 76: takes a token as often as its trust says: %s', (assertions, expected, severity) => {
    const { ask, bench, change } = federated()
    change({ assertions })
    const token = { once: 'the same' }
    const got = ['mine', 'mine', 'other'].map((jkt) => ask({}, { ...token, jkt }))
    expect(got).toEqual(expected)
    const refusal = bench.log().find(({ outcome }) => outcome === 'unauthenticated')
    expect(refusal?.severity ?? null).toBe(severity)
  })

  it('row 76: keeps what a trust says when it is put again without it, and takes a trust of 0.1 for once', () => {
    const { bench, change } = federated()
    const shown = () => bench.granted('admin', 'issuer.list', {})[0]!.assertions
    expect(shown()).toBe('same-key')
    change({ assertions: 'until-expiry' })
    change({})
    expect(shown()).toBe('until-expiry')
    bench.database.all("UPDATE issuer SET body = json_remove(body, '$.assertions')")
    expect(shown()).toBe('once')
    change({})
    expect(shown()).toBe('once')
  })

  it('row 76: records why a well-signed token is refused, each token once and so many an hour at most', () => {
    const { ask, bench } = federated()
    const reasons = () =>
      bench
        .log()
        .filter(({ operation }) => operation === 'session.federate')
        .map(({ severity, facts }) => [severity, facts.reason, facts.claim ?? null])
    for (let i = 0; i < 3; i++) ask({ event_name: 'pull_request' }, { once: 'one' })
    for (let i = 0; i < 3; i++) ask({}, { once: 'two', flaw: 'assertion_too_old' })
    expect(reasons()).toEqual([
      ['warning', 'claims', 'event_name'],
      ['warning', 'assertion_too_old', null],
    ])
    for (let i = 0; i < 100; i++) ask({ repository_id: '75' })
    expect(reasons().length).toBeLessThan(15)
    const size = reasons().length
    bench.now += 3_600_000
    ask({ repository_id: '75' })
    expect(reasons()).toHaveLength(size + 1)
  })

  it('refuses when the trust changed since it was checked, or is gone', () => {
    const { ask, bench, change } = federated()
    const before = change({ audience: 'another' })
    expect(ask({}, { candidates: [{ id: 'ci', revision: before }] })).toBe('unauthenticated')
    expect(ask({})).toBe('ok')
    bench.granted('admin', 'issuer.delete', { id: 'ci' })
    expect(ask({})).toBe('unauthenticated')
  })

  it('ends the sessions that a trust made when it is changed or deleted', () => {
    const { ask, bench, change } = federated()
    const live = () => bench.granted('admin', 'session.list', { principal: 'ci' }).length
    expect([ask({}), live()]).toEqual(['ok', 1])
    change({})
    expect([live(), ask({}), live()]).toEqual([0, 'ok', 1])
    bench.granted('admin', 'issuer.delete', { id: 'ci' })
    expect(live()).toBe(0)
  })

  it('refuses a token of another issuer, though a trust in ours is named', () => {
    const { ask } = federated()
    for (const iss of ['https://evil.example', `${github.iss}/`, undefined])
      expect(ask({ iss })).toBe('unauthenticated')
  })

  it('refuses when the principal of the trust is disabled', () => {
    const { ask, bench } = federated()
    bench.granted('admin', 'principal.put', { id: 'ci', kind: 'service', disabled: true })
    expect(ask({})).toBe('unauthenticated')
  })
})
