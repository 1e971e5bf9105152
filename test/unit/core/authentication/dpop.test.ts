import {
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Expected, nonceAt, verifyProof } from '../../../../core/authentication/dpop.ts'
import { makeProof, makeProofKey } from '../../../../core/authentication/dpop_proof.ts'
import { rejectionOf } from '../../../support/core.ts'

const NOW = 1_760_000_000_000
const SECONDS = NOW / 1000
const TOKEN = 'pss_acme_0123456789'
const URL_HERE = 'https://postern.example/v1/vaults/acme/secrets/a'
const nonceKey = Uint8Array.from({ length: 32 }, (_, i) => i)
const otherNonceKey = nonceKey.with(0, 1)
const here: Expected = { method: 'GET', url: URL_HERE, token: TOKEN, nonceKey, now: NOW }

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const ed25519 = generateKeyPairSync('ed25519')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwkOf = (key: KeyObject): JsonWebKey => key.export({ format: 'jwk' })
const publicJwk = jwkOf(p256.publicKey)

type Part = Record<string, unknown>
type Signer = (input: string) => Buffer
const bySigning =
  (key: KeyObject, hash: string | null): Signer =>
  (input) =>
    sign(hash, Buffer.from(input), key.asymmetricKeyType === 'ec' ? { key, dsaEncoding: 'ieee-p1363' } : key)
const es256 = bySigning(p256.privateKey, 'sha256')

function craft(header: Part, payload: Part, signer: Signer = es256): string {
  const input = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${signer(input).toString('base64url')}`
}

const goodHeader = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk }
const goodClaims = {
  jti: 'e1j3V_bKic8-LAEB',
  htm: 'GET',
  htu: URL_HERE,
  iat: SECONDS,
  ath: createHash('sha256').update(TOKEN).digest('base64url'),
  nonce: nonceAt(nonceKey, NOW),
}
/** A valid proof with some members replaced; `undefined` leaves a member out. */
const proofWith = (claims: Part, header: Part = {}, signer: Signer = es256) =>
  craft({ ...goodHeader, ...header }, { ...goodClaims, ...claims }, signer)

/** RFC 7638 section 3, with Node's own hash. */
function thumbprintOf({ kty, crv, x, y }: JsonWebKey): string {
  const members = y === undefined ? { crv, kty, x } : { crv, kty, x, y }
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

async function refusedFor(proof: string, about: Partial<Expected> = {}) {
  const { code, detail } = await rejectionOf(verifyProof(proof, { ...here, ...about }))
  return [code, detail.reason]
}
const NO = ['unauthenticated', undefined]
const NONCE = ['unauthenticated', 'use_dpop_nonce']

// RFC 9449 section 7.1, figure 12.
const RFC_PROOF = [
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJ',
  'oRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJ',
  'qdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXN',
  'vdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yR',
  'qzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA',
].join('')
const RFC_JWK = {
  kty: 'EC',
  x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
  y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
  crv: 'P-256',
}

describe('verifyProof', () => {
  it('returns the key, the id of the proof, and the key to seal the answer to', async () => {
    const proof = await verifyProof(proofWith({}), here)
    expect(proof).toEqual({ jkt: thumbprintOf(publicJwk), id: expect.stringMatching(/^[\w-]{43}$/), seal: null })
    expect((await verifyProof(proofWith({ postern_seal: 'thumbprint' }), here)).seal).toBe('thumbprint')
  })

  it('accepts all of the proof in RFC 9449 section 7.1 except its nonce', async () => {
    const [header = '', payload = '', signature = ''] = RFC_PROOF.split('.')
    const key = createPublicKey({ key: RFC_JWK, format: 'jwk' })
    const signed = verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      { key, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    )
    expect(signed).toBe(true)
    expect(thumbprintOf(RFC_JWK)).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I')
    const theirs = {
      method: 'GET',
      url: 'https://resource.example.org/protectedresource',
      token: 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU',
      now: 1_562_262_618_000,
    }
    expect(await refusedFor(RFC_PROOF, theirs)).toEqual(NONCE)
    expect(await refusedFor(RFC_PROOF, { ...theirs, method: 'POST' })).toEqual(NO)
    expect(await refusedFor(RFC_PROOF, { ...theirs, token: 'another' })).toEqual(NO)
    expect(await refusedFor(`${RFC_PROOF.slice(0, -3)}AAA`, theirs)).toEqual(NO)
  })

  it.each(['EdDSA', 'Ed25519'])('takes an Ed25519 proof whose algorithm is named %s', async (alg) => {
    const jwk = jwkOf(ed25519.publicKey)
    const proof = proofWith({}, { alg, jwk }, bySigning(ed25519.privateKey, null))
    expect((await verifyProof(proof, here)).jkt).toBe(thumbprintOf(jwk))
  })

  it('computes the thumbprint over the members that identify a key', async () => {
    const jwk = { use: 'sig', kid: 'mine', ...publicJwk, alg: 'ES256', extra: 1 }
    expect((await verifyProof(proofWith({}, { jwk }), here)).jkt).toBe(thumbprintOf(publicJwk))
  })

  it('accepts a proof from makeProof', async () => {
    const key = await makeProofKey()
    expect(key.privateKey.extractable).toBe(false)
    const now = Date.now()
    for (const token of [TOKEN, null]) {
      const about = { method: 'PUT', url: `${URL_HERE}?version=1#x`, token, nonce: nonceAt(nonceKey, now) }
      const proof = await verifyProof(await makeProof(key, { ...about, seal: 's' }), {
        ...here,
        method: 'PUT',
        token,
        now,
      })
      expect(proof).toMatchObject({ jkt: thumbprintOf({ ...key.publicJwk }), seal: 's' })
    }
  })

  it('identifies a proof by its key, address and jti, not by its signature', async () => {
    const idOf = async (proof: string, about: Partial<Expected> = {}) =>
      (await verifyProof(proof, { ...here, ...about })).id
    const same = [proofWith({}), proofWith({}), proofWith({ iat: SECONDS - 5 })]
    expect(new Set(same).size).toBe(3)
    const [id, ...others] = await Promise.all(same.map((proof) => idOf(proof)))
    expect(others).toEqual([id, id])
    expect(await idOf(proofWith({ jti: 'another' }))).not.toBe(id)
    expect(await idOf(proofWith({ htu: `${URL_HERE}/b` }), { url: `${URL_HERE}/b` })).not.toBe(id)
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(await idOf(proofWith({}, { jwk: jwkOf(publicKey) }, bySigning(privateKey, 'sha256')))).not.toBe(id)
  })
})

describe('row 30: verifyProof refuses', () => {
  const hs256 =
    (secret: string): Signer =>
    (input) =>
      createHmac('sha256', secret).update(input).digest()
  const pem = p256.publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const { y: _, ...withoutY } = publicJwk
  const otherKey = jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)

  it.each<[string, string]>([
    ['the algorithm none without a signature', proofWith({}, { alg: 'none' }, () => Buffer.alloc(0))],
    ['the algorithm none with one', proofWith({}, { alg: 'none' })],
    ['the algorithm None', proofWith({}, { alg: 'None' })],
    ['no algorithm', proofWith({}, { alg: undefined })],
    ['the name of a member of every object as the algorithm', proofWith({}, { alg: 'constructor' })],
    ['HS256 with the public key as the secret', proofWith({}, { alg: 'HS256' }, hs256(pem))],
    ['HS256 with a key of its own', proofWith({}, { alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } }, hs256('\0\0\0'))],
    [
      'RS256',
      proofWith({}, { alg: 'RS256', jwk: jwkOf(rsa.publicKey) }, (input) =>
        sign('RSA-SHA256', Buffer.from(input), rsa.privateKey),
      ),
    ],
    ['ES384', proofWith({}, { alg: 'ES384', jwk: jwkOf(p384.publicKey) }, bySigning(p384.privateKey, 'sha384'))],
    ['ES256 on another curve', proofWith({}, { jwk: jwkOf(p384.publicKey) }, bySigning(p384.privateKey, 'sha256'))],
    ['ES256 with a curve of another name', proofWith({}, { jwk: { ...publicJwk, crv: 'P-384' } })],
    [
      'ES256 with an Ed25519 key',
      proofWith({}, { jwk: jwkOf(ed25519.publicKey) }, bySigning(ed25519.privateKey, null)),
    ],
    ['EdDSA with a P-256 key', proofWith({}, { alg: 'EdDSA' })],
    ['EdDSA with an X25519 key', proofWith({}, { alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'X25519', x: publicJwk.x } })],
    ['a private key in the header', proofWith({}, { jwk: jwkOf(p256.privateKey) })],
    ['a private member that is null', proofWith({}, { jwk: { ...publicJwk, d: null } })],
    ['a symmetric member', proofWith({}, { jwk: { ...publicJwk, k: 'AAAA' } })],
    ['a prime of a private RSA key', proofWith({}, { jwk: { ...publicJwk, p: 'AAAA' } })],
    ['no key', proofWith({}, { jwk: undefined })],
    ['a key that is null', proofWith({}, { jwk: null })],
    ['a key that is a text', proofWith({}, { jwk: JSON.stringify(publicJwk) })],
    ['a key without y', proofWith({}, { jwk: withoutY })],
    ['a key off the curve', proofWith({}, { jwk: { ...publicJwk, y: publicJwk.x } })],
    ['a key that did not sign it', proofWith({}, { jwk: otherKey })],
    ['a token of another type', proofWith({}, { typ: 'JWT' })],
    ['no type', proofWith({}, { typ: undefined })],
    ['a critical extension', proofWith({}, { crit: ['exp'], exp: 1 })],
    ['a proof that ended by its own word', proofWith({ exp: 1 })],
    ['no jti', proofWith({ jti: undefined })],
    ['an empty jti', proofWith({ jti: '' })],
    ['a jti of 129 characters', proofWith({ jti: 'a'.repeat(129) })],
    ['a jti that is a number', proofWith({ jti: 1 })],
    ['no htm', proofWith({ htm: undefined })],
    ['another htm', proofWith({ htm: 'POST' })],
    ['htm in another case', proofWith({ htm: 'get' })],
    ['several htm', proofWith({ htm: ['GET'] })],
    ['no htu', proofWith({ htu: undefined })],
    ['htu without a scheme', proofWith({ htu: 'postern.example/v1/vaults/acme/secrets/a' })],
    ['htu with http', proofWith({ htu: URL_HERE.replace('https', 'http') })],
    ['htu of another host', proofWith({ htu: URL_HERE.replace('postern', 'evil') })],
    ['htu of a host below ours', proofWith({ htu: URL_HERE.replace('postern', 'evil.postern') })],
    ['htu of another port', proofWith({ htu: URL_HERE.replace('.example', '.example:8443') })],
    ['htu of another path', proofWith({ htu: `${URL_HERE}b` })],
    ['htu with a slash behind', proofWith({ htu: `${URL_HERE}/` })],
    ['htu in another case', proofWith({ htu: URL_HERE.replace('/acme/', '/Acme/') })],
    ['htu with a query', proofWith({ htu: `${URL_HERE}?version=1` })],
    ['htu with an empty query', proofWith({ htu: `${URL_HERE}?` })],
    ['htu with a fragment', proofWith({ htu: `${URL_HERE}#a` })],
    ['htu with a user', proofWith({ htu: URL_HERE.replace('//', '//user@') })],
    ['htu with a password', proofWith({ htu: URL_HERE.replace('//', '//:secret@') })],
    ['several htu', proofWith({ htu: [URL_HERE] })],
    ['no ath', proofWith({ ath: undefined })],
    ['ath of another token', proofWith({ ath: createHash('sha256').update('another').digest('base64url') })],
    ['ath in base64 with padding', proofWith({ ath: `${goodClaims.ath}=` })],
    ['the token itself as ath', proofWith({ ath: TOKEN })],
    ['no iat', proofWith({ iat: undefined })],
    ['an iat that is a text', proofWith({ iat: String(SECONDS) })],
    ['an iat more than 300 s ahead', proofWith({ iat: SECONDS + 301 })],
    ['an iat more than 300 s ago', proofWith({ iat: SECONDS - 301 })],
    ['a seal that is not a string', proofWith({ postern_seal: { kty: 'EC' } })],
    ['a proof that is longer than 4096 characters', proofWith({ pad: 'a'.repeat(3000) })],
    ['two proofs, joined as a runtime joins two headers', `${proofWith({})}, ${proofWith({ jti: 'b' })}`],
    ['the same proof twice', `${proofWith({})},${proofWith({})}`],
    ['a space behind', `${proofWith({})} `],
    ['a line feed behind', `${proofWith({})}\n`],
    ['no signature', proofWith({}).replace(/[^.]+$/, '')],
    ['two parts', proofWith({}).replace(/\.[^.]+$/, '')],
    ['four parts', `${proofWith({})}.AAAA`],
    ['a signature that was cut', proofWith({}).slice(0, -4)],
    ['no JSON', `bm9wZQ.bm9wZQ.${'A'.repeat(86)}`],
    ['nothing', ''],
  ])('%s', async (_, proof) => {
    expect(await refusedFor(proof)).toEqual(NO)
  })

  it('any part that changed after signing', async () => {
    const parts = proofWith({}).split('.')
    const others = proofWith({ jti: 'another' }, { kid: '1' }).split('.')
    for (const at of [0, 1, 2]) expect(await refusedFor(parts.with(at, others[at]!).join('.'))).toEqual(NO)
  })

  it('an ath without a token', async () => {
    expect(await refusedFor(proofWith({}), { token: null })).toEqual(NO)
    await verifyProof(proofWith({ ath: undefined }), { ...here, token: null })
  })

  it.each<[string, unknown]>([
    ['none', undefined],
    ['one of another vault', nonceAt(otherNonceKey, NOW)],
    ['one from two minutes ago', nonceAt(nonceKey, NOW - 120_000)],
    ['one from the future', nonceAt(nonceKey, NOW + 60_000)],
    ['one that is not a string', 5],
    ['an empty one', ''],
    ['one that was cut', nonceAt(nonceKey, NOW).slice(0, -2)],
    ['one that is too long', `${nonceAt(nonceKey, NOW)}${'A'.repeat(40)}`],
    ['one in another alphabet', `${nonceAt(nonceKey, NOW).slice(0, -1)}*`],
    ['one of our time with a MAC of nothing', `${nonceAt(nonceKey, NOW).slice(0, 11)}${'A'.repeat(21)}`],
  ])('a nonce that is foreign or stale, with use_dpop_nonce: %s', async (_, nonce) => {
    expect(await refusedFor(proofWith({ nonce }))).toEqual(NONCE)
    // Only to one who proved all the rest.
    expect(await refusedFor(proofWith({ nonce, htm: 'PUT' }))).toEqual(NO)
  })
})

describe('verifyProof accepts all that the standard allows', () => {
  it.each([
    ['the host in upper case', 'https://POSTERN.Example/v1/vaults/acme/secrets/a'],
    ['the scheme in upper case', 'HTTPS://postern.example/v1/vaults/acme/secrets/a'],
    ['the default port', 'https://postern.example:443/v1/vaults/acme/secrets/a'],
    ['dot segments', 'https://postern.example/v1/./vaults/x/../acme/secrets/a'],
  ])('htu may have %s', async (_, htu) => {
    expect(await verifyProof(proofWith({ htu }), here)).toMatchObject({ seal: null })
  })

  it('the query and the fragment of the request are ignored', async () => {
    expect(await verifyProof(proofWith({}), { ...here, url: `${URL_HERE}?version=1#x` })).toMatchObject({ seal: null })
  })

  it('a clock may differ by 300 s in either direction', async () => {
    for (const iat of [SECONDS - 300, SECONDS + 300, SECONDS + 0.5]) {
      expect(await verifyProof(proofWith({ iat }), here)).toMatchObject({ seal: null })
    }
  })

  it('a jti may have 128 characters', async () => {
    expect(await verifyProof(proofWith({ jti: 'a'.repeat(128) }), here)).toMatchObject({ seal: null })
  })

  it('row 52: a nonce is valid for its minute and the next, and not after the clock went back', async () => {
    const minute = Math.floor(NOW / 60_000) * 60_000
    const nonce = nonceAt(nonceKey, minute)
    expect(nonceAt(nonceKey, minute + 59_999)).toBe(nonce)
    const at = (now: number) => verifyProof(proofWith({ nonce, iat: Math.floor(now / 1000) }), { ...here, now })
    for (const later of [0, 59_999, 60_000, 119_999]) expect(await at(minute + later)).toMatchObject({ seal: null })
    for (const later of [-1, 120_000, 600_000, -600_000]) {
      expect((await rejectionOf(at(minute + later))).detail.reason).toBe('use_dpop_nonce')
    }
  })
})
