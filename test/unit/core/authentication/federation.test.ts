/**
 * Assertions of an OpenID provider: whose they are, and which are accepted.
 *
 * @module
 */
import {
  constants,
  createHash,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
} from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { issuerOf, RefusedAssertion } from '../../../../core/authentication/federation.ts'
import { refusalFrom, rejectionOf } from '../../../support/core.ts'
import {
  attacker,
  ed25519,
  goodClaims,
  goodHeader,
  ISSUER,
  JWKS,
  jwkOf,
  KEYS,
  METADATA,
  NOW,
  type Part,
  p256,
  provider,
  rs256,
  rsa,
  SECONDS,
  type Signer,
  tokenWith,
} from './issuer_fixture.ts'

const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' })
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })

describe('issuerOf', () => {
  it('reads the issuer that a token claims, without verifying it', () => {
    expect(issuerOf(tokenWith({}, {}, () => Buffer.from('nonsense')))).toBe(ISSUER)
  })

  it.each([
    ...['', 'nope', 'a.b.c', '....'],
    ...[undefined, 5, null, [ISSUER], 'a'.repeat(513)].map((iss) => tokenWith({ iss })),
  ])('refuses a token without a usable issuer (%#)', (token) => {
    expect(refusalFrom(() => issuerOf(token)).code).toBe('unauthenticated')
  })
})

describe('verifyAssertion', () => {
  it('returns the claims, the id of the token and its expiry', async () => {
    const { claims, once, expiresAt } = await provider().verify(tokenWith({ repository_id: '74' }))
    expect(claims).toEqual({ ...goodClaims, repository_id: '74' })
    expect(once).toMatch(/^[\w-]{43}$/)
    expect(expiresAt).toBe(NOW + 630_000)
  })

  it.each<[string, string, Signer]>([
    ['RS256', 'rsa', rs256],
    ['ES256', 'ec', (input) => sign('sha256', input, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' })],
    ['EdDSA', 'ed', (input) => sign(null, input, ed25519.privateKey)],
  ])('accepts %s', async (alg, kid, signer) => {
    expect((await provider().verify(tokenWith({}, { alg, kid }, signer))).claims.sub).toBe('repo:a/b')
  })

  it.each<[string, string, KeyObject, KeyObject, Partial<SignKeyObjectInput>]>([
    ['RS384', 'RSA-SHA384', rsa.publicKey, rsa.privateKey, {}],
    ['RS512', 'RSA-SHA512', rsa.publicKey, rsa.privateKey, {}],
    ['PS256', 'sha256', rsa.publicKey, rsa.privateKey, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
    ['PS512', 'sha512', rsa.publicKey, rsa.privateKey, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }],
    ['ES384', 'sha384', p384.publicKey, p384.privateKey, { dsaEncoding: 'ieee-p1363' }],
    ['ES512', 'sha512', p521.publicKey, p521.privateKey, { dsaEncoding: 'ieee-p1363' }],
  ])('accepts %s, which SPIFFE and others allow', async (alg, hash, publicKey, key, more) => {
    const { verify } = provider([jwkOf(publicKey, 'it')])
    const token = tokenWith({}, { alg, kid: 'it' }, (input) => sign(hash, input, { key, ...more }))
    expect((await verify(token)).claims.sub).toBe('repo:a/b')
  })

  it.each(['JWT', 'jwt', 'application/jwt', 'at+jwt', 'application/at+jwt', 'AT+JWT', 'JOSE', undefined])(
    'accepts the type %s',
    async (typ) => {
      expect((await provider().verify(tokenWith({}, { typ }))).claims.iss).toBe(ISSUER)
    },
  )

  it('accepts other audiences only where the trust says so, and never without ours', async () => {
    const { verify } = provider()
    const kubernetes = tokenWith({ aud: ['https://kubernetes.default.svc', 'postern'] })
    expect((await rejectionOf(verify(kubernetes))).code).toBe('unauthenticated')
    expect((await rejectionOf(verify(kubernetes, NOW, { audiences: 'only' }))).code).toBe('unauthenticated')
    expect((await verify(kubernetes, NOW, { audiences: 'any' })).claims.sub).toBe('repo:a/b')
    for (const aud of ['other', ['other', 'another'], [], undefined, ['Postern', 'other'], ['postern', 5]]) {
      const error = await rejectionOf(verify(tokenWith({ aud }), NOW, { audiences: 'any' }))
      expect(error instanceof RefusedAssertion && error.flaw).toBe('audience')
    }
    // The same audience twice names no other.
    expect((await verify(tokenWith({ aud: ['postern', 'postern'] }))).claims.sub).toBe('repo:a/b')
  })

  it('accepts a token without iat, unless its trust limits the age', async () => {
    const { verify } = provider()
    const token = tokenWith({ iat: undefined })
    expect((await verify(token)).expiresAt).toBe(NOW + 630_000)
    const error = await rejectionOf(verify(token, NOW, { maxAgeSeconds: 3600 }))
    expect(error instanceof RefusedAssertion && [error.flaw, error.assertion?.claims.sub]).toEqual([
      'assertion_undated',
      'repo:a/b',
    ])
  })

  it('names the first flaw for the operator, and holds the claims only of a token for this server', async () => {
    const { verify } = provider()
    const byAttacker: Signer = (input) => sign('RSA-SHA256', input, attacker.privateKey)
    const flawOf = async (token: string) => {
      const error = await rejectionOf(verify(token))
      return error instanceof RefusedAssertion ? [error.flaw, error.assertion !== null] : error.code
    }
    expect(await flawOf('a.b.c')).toEqual(['malformed', false])
    expect(await flawOf(tokenWith({}, { typ: 'logout+jwt' }))).toEqual(['type', false])
    expect(await flawOf(tokenWith({}, { alg: 'HS256' }))).toEqual(['algorithm', false])
    expect(await flawOf(tokenWith({ aud: 'other' }))).toEqual(['audience', false])
    expect(await flawOf(tokenWith({ iss: 'https://evil.example' }))).toEqual(['issuer', false])
    expect(await flawOf(tokenWith({ sub: undefined }))).toEqual(['malformed', false])
    expect(await flawOf(tokenWith({}, {}, byAttacker))).toEqual(['signature', false])
    // No word about the claims of a token that the issuer did not sign.
    expect(await flawOf(tokenWith({ aud: 'other' }, {}, byAttacker))).toEqual(['signature', false])
    expect(await flawOf(tokenWith({}, { kid: 'unknown' }))).toEqual(['key', false])
    expect(await flawOf(tokenWith({ exp: SECONDS - 60 }))).toEqual(['assertion_expired', true])
  })

  it('accepts our audience alone in a list, and a lagging clock', async () => {
    const { verify } = provider()
    for (const change of [{ aud: ['postern'] }, { iat: SECONDS + 30 }, { exp: SECONDS - 29 }, { nbf: SECONDS + 30 }]) {
      expect((await verify(tokenWith(change))).claims).toMatchObject(change)
    }
  })

  it('identifies a token by its signed part, not by the spelling of its signature', async () => {
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
    ['an algorithm that the key is not of', tokenWith({}, { alg: 'ES256' })],
    ['no algorithm', tokenWith({}, { alg: undefined })],
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
    ['no audience', tokenWith({ aud: undefined })],
    ['an empty list of audiences', tokenWith({ aud: [] })],
    ['our audience in a list within a list', tokenWith({ aud: [['postern']] })],
    ['an audience that is an object', tokenWith({ aud: { postern: 'postern' } })],
    ['an audience that is ours and a number', tokenWith({ aud: ['postern', 5] })],
    ['another issuer', tokenWith({ iss: 'https://evil.example' })],
    ['our issuer with a slash behind', tokenWith({ iss: `${ISSUER}/` })],
    ['no issuer', tokenWith({ iss: undefined })],
    ['several issuers', tokenWith({ iss: [ISSUER] })],
    ['no exp', tokenWith({ exp: undefined })],
    ['exp as a text', tokenWith({ exp: String(exp) })],
    ['exp as null', tokenWith({ exp: null })],
    ['exp beyond the year 9999', tokenWith({ exp: 253_402_300_800 })],
    ['exp as a list', tokenWith({ exp: [exp] })],
    ['nbf as null', tokenWith({ nbf: null })],
    ['iat as null', tokenWith({ iat: null })],
    ['iat before the epoch', tokenWith({ iat: -1 })],
    ['a kid that is a number', tokenWith({}, { kid: 5 })],
    ['a type that is a list', tokenWith({}, { typ: ['JWT'] })],
    ['the type of a token for logging out', tokenWith({}, { typ: 'logout+jwt' })],
    ['the type of a security event', tokenWith({}, { typ: 'secevent+jwt' })],
    ['the type of a DPoP proof', tokenWith({}, { typ: 'dpop+jwt' })],
    ['an empty type', tokenWith({}, { typ: '' })],
    ['a token that has expired', tokenWith({ exp: SECONDS - 30 })],
    ['nbf in the future', tokenWith({ nbf: SECONDS + 31 })],
    ['nbf as a text', tokenWith({ nbf: String(iat) })],
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

  it('row 31: refuses claims that changed after signing', async () => {
    const [right = [], other = []] = [tokenWith({}), tokenWith({ sub: 'repo:a/c' })].map((token) => token.split('.'))
    for (const at of [1, 2]) {
      expect((await rejectionOf(provider().verify(right.with(at, other[at]!).join('.')))).code).toBe('unauthenticated')
    }
  })

  it('row 31: ignores keys that a header names, even when the signature is right', async () => {
    const { verify, asked } = provider()
    const named = { jku: 'https://evil.example/jwks', x5u: 'https://evil.example/x', jwk: KEYS[1], x5c: ['AAAA'] }
    expect((await verify(tokenWith({}, named))).claims.sub).toBe('repo:a/b')
    expect(asked).toEqual([METADATA, JWKS])
  })

  it('row 76: accepts a token of any age until its exp, or up to the age that its trust allows', async () => {
    const day = { iat: SECONDS - 7200, exp: SECONDS + 79_200 }
    const { verify } = provider()
    expect((await verify(tokenWith(day))).expiresAt).toBe(NOW + 79_200_000 + 30_000)
    expect((await verify(tokenWith(day), NOW, { maxAgeSeconds: 7200 })).claims.sub).toBe(goodClaims.sub)
    const flawOf = async (claims: Part, maxAgeSeconds?: number) => {
      const error = await rejectionOf(verify(tokenWith(claims), NOW, { maxAgeSeconds }))
      return [error.code, error instanceof RefusedAssertion ? error.flaw : null]
    }
    expect(await flawOf(day, 3600)).toEqual(['unauthenticated', 'assertion_too_old'])
    expect(await flawOf({ ...day, exp: SECONDS - 60 })).toEqual(['unauthenticated', 'assertion_expired'])
    expect(await flawOf({ iat: SECONDS + 60 })).toEqual(['unauthenticated', 'assertion_not_yet'])
    expect(await flawOf({ nbf: SECONDS + 60 })).toEqual(['unauthenticated', 'assertion_not_yet'])
    // Not for us: no word about its time.
    expect(await flawOf({ ...day, exp: SECONDS - 60, aud: 'other' })).toEqual(['unauthenticated', 'audience'])
    expect(await flawOf({ ...day, exp: SECONDS - 60, aud: ['postern', 'other'] })).toEqual([
      'unauthenticated',
      'audience',
    ])
  })

  const rsaJwk = (change: Part) => ({ ...jwkOf(rsa.publicKey, 'weak'), ...change })
  const base64url = (...bytes: number[]) => Buffer.from(bytes).toString('base64url')
  it.each<[string, Part]>([
    ['e = 1', { e: base64url(1) }],
    ['e = 1 with zeros before it', { e: base64url(0, 0, 0, 1) }],
    ['e = 0', { e: base64url(0) }],
    ['an even e', { e: base64url(1, 0, 2) }],
    ['no e', { e: undefined }],
    ['an e that is not a string', { e: 65_537 }],
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
  ])('row 31: drops an RSA key with %s, and keeps the rest of its set', async (_, change) => {
    const { verify } = provider([rsaJwk(change), ...KEYS])
    expect((await rejectionOf(verify(tokenWith({}, { kid: 'weak' })))).code).toBe('unauthenticated')
    expect((await verify(tokenWith({}))).claims.sub).toBe(goodClaims.sub)
  })

  it('row 31: refuses a token under a key with e = 1, which anyone can forge', async () => {
    const { verify } = provider([rsaJwk({ e: base64url(1) })])
    // With e = 1 the signature is the padded hash itself (RFC 8017 section 9.2).
    const forge: Signer = (input) => {
      const prefix = Buffer.from('3031300d060960864801650304020105000420', 'hex')
      const digest = Buffer.concat([prefix, createHash('sha256').update(input).digest()])
      return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - digest.length - 3, 255), Buffer.from([0]), digest])
    }
    expect((await rejectionOf(verify(tokenWith({}, { kid: 'weak' }, forge)))).code).toBe('unauthenticated')
  })

  it('accepts an RSA key with e = 3', async () => {
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

  it('row 52: uses the given time', async () => {
    const { verify } = provider()
    expect((await verify(tokenWith({}), NOW + 629_999)).claims.sub).toBe('repo:a/b')
    for (const now of [NOW + 630_000, NOW - 31_000, NOW + 86_400_000]) {
      expect((await rejectionOf(verify(tokenWith({}), now))).code).toBe('unauthenticated')
    }
  })
})
