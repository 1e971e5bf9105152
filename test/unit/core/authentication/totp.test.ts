import { createHmac } from 'node:crypto'
import { Secret, URI } from 'otpauth'
import { describe, expect, it } from 'vitest'
import {
  enrolment,
  makeRecoveryCodes,
  makeTotpSecret,
  recoveryHash,
  stepOf,
  stepsAhead,
} from '../../../../core/authentication/totp.ts'
import { open } from '../../../../core/crypto/envelope.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { openTotp, sealTotp } from '../../../../core/sealing/totp_secret.ts'
import { bytesOf, rejectionOf } from '../../../support/core.ts'

const RFC_SECRET = new Redacted(bytesOf('12345678901234567890'))
const ring = await Keyring.open(new Redacted(Uint8Array.from({ length: 32 }, (_, i) => i)))
const otherRing = await Keyring.open(new Redacted(new Uint8Array(32)))

describe('stepOf', () => {
  // RFC 6238 appendix B, SHA-1: eight digits there, and the last six of them here.
  it.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('finds the step of the code that RFC 6238 gives for %i seconds', (seconds, digits) => {
    const step = Math.floor(seconds / 30)
    const code = digits.slice(2)
    expect(stepOf(RFC_SECRET, code, seconds * 1000)).toBe(step)
    // From the start of the step before to the end of the step after: an authenticator that leads or lags by one step.
    for (const ms of [-30_000, -1, 0, 29_999, 59_999]) expect(stepOf(RFC_SECRET, code, step * 30_000 + ms)).toBe(step)
    for (const ms of [-30_001, 60_000]) expect(stepOf(RFC_SECRET, code, step * 30_000 + ms)).toBeNull()
  })

  it.each([
    ...[
      '287 082',
      '287-082',
      '28 70 82',
      '287\u00a0082',
      '287\u2009082',
      ' 287082',
      '287082 ',
      '287082\n',
      '\t287 082\r\n',
    ],
  ])('row 29: finds one step for all groupings of a code, here %j', (code) => {
    expect(stepOf(RFC_SECRET, code, 59_000)).toBe(1)
  })

  it.each([
    ['nothing', ''],
    ['five digits', '28708'],
    ['seven digits', '2870820'],
    ['the eight digits of the RFC', '94287082'],
    ['a NUL behind', '287082\0'],
    ['full-width digits', '２８７０８２'],
    ['one full-width digit', '28708２'],
    ['Arabic digits', '٢٨٧٠٨٢'],
    ['a sign', '+287082'],
    ['a minus sign', '287\u2212082'],
    ['a dot', '287.082'],
    ['seven digits in groups', '287 082 0'],
    ['two codes', '287082 287082'],
    ['hexadecimal', '0x4616a'],
    ['another number', '287083'],
  ])('row 29: refuses %s where the code would be right', (_, code) => {
    expect(stepOf(RFC_SECRET, '287082', 59_000)).toBe(1)
    expect(stepOf(RFC_SECRET, code, 59_000)).toBeNull()
  })

  it('refuses the code of another secret', () => {
    expect(stepOf(new Redacted(bytesOf('12345678901234567891')), '287082', 59_000)).toBeNull()
  })
})

describe('stepsAhead', () => {
  it.each([
    [0, 0],
    [60_000, -2],
    [-90_000, 3],
    [20 * 60_000, -40],
    [-20 * 60_000, 40],
  ])('tells the step of a code %i ms after it', (ms, steps) => {
    expect(stepsAhead(RFC_SECRET, '081 804', 1_111_111_109_000 + ms)).toBe(steps)
  })

  it('finds no step beyond twenty minutes, for another code, or for what is not a code', () => {
    for (const ms of [-21 * 60_000, 21 * 60_000])
      expect(stepsAhead(RFC_SECRET, '081804', 1_111_111_109_000 + ms)).toBeNull()
    for (const code of ['081805', '', '0818041']) expect(stepsAhead(RFC_SECRET, code, 1_111_111_109_000)).toBeNull()
  })
})

describe('makeTotpSecret', () => {
  it('makes 160 random bits, and hides them', () => {
    const secrets = Array.from({ length: 100 }, makeTotpSecret)
    expect(new Set(secrets.map((secret) => secret.reveal().length))).toEqual(new Set([20]))
    expect(new Set(secrets.map((secret) => Buffer.from(secret.reveal()).toString('hex'))).size).toBe(100)
    expect(JSON.stringify({ secret: secrets[0] })).toBe('{"secret":"<redacted>"}')
  })
})

describe('sealTotp and openTotp', () => {
  it('return a secret that makes the same codes', async () => {
    const sealed = await sealTotp(ring, { vault: 'acme' }, 'ann', RFC_SECRET)
    const opened = await openTotp(ring, 'acme', { principal: 'ann', ...sealed })
    expect(opened.reveal()).toEqual(RFC_SECRET.reveal())
    expect(stepOf(opened, '287082', 59_000)).toBe(1)
  })

  it('refuse another principal, vault or root key, and a flipped bit', async () => {
    const { kid, sealed } = await sealTotp(ring, { vault: 'acme' }, 'ann', RFC_SECRET)
    const anns = { principal: 'ann', kid, sealed }
    expect((await rejectionOf(openTotp(ring, 'acme', { ...anns, principal: 'bob' }))).code).toBe('tampered')
    expect((await rejectionOf(openTotp(ring, 'acme', { ...anns, principal: '' }))).code).toBe('tampered')
    expect((await rejectionOf(openTotp(ring, 'other', anns))).code).toBe('tampered')
    expect((await rejectionOf(openTotp(otherRing, 'acme', anns))).code).toBe('unavailable')
    const flipped = sealed.with(sealed.length - 1, sealed.at(-1)! ^ 1)
    expect((await rejectionOf(openTotp(ring, 'acme', { ...anns, sealed: flipped }))).code).toBe('tampered')
  })

  it('do not open as a secret of the vault with the name of the principal', async () => {
    const { kid, sealed } = await sealTotp(ring, { vault: 'acme' }, 'ann', RFC_SECRET)
    const kek = await ring.kek('acme', kid)
    for (const [version, contentType] of [
      [1n, 'totp'],
      [0n, 'text/plain'],
    ] as const) {
      const binding = { vault: 'acme', name: 'ann', version, contentType }
      expect((await rejectionOf(open(kek, sealed, binding))).code).toBe('tampered')
    }
  })
})

describe('enrolment', () => {
  it('shows what an authenticator app needs', () => {
    const { uri, qr } = enrolment(RFC_SECRET, 'Postern', 'ann@acme')
    const { searchParams } = new URL(uri)
    expect(uri).toMatch(/^otpauth:\/\/totp\//)
    expect(searchParams.get('secret')).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
    expect([searchParams.get('issuer'), searchParams.get('digits'), searchParams.get('period')]).toEqual([
      ...['Postern', '6', '30'],
    ])
    expect(URI.parse(uri).secret.base32).toBe(new Secret({ buffer: RFC_SECRET.reveal().buffer }).base32)
    expect(qr).toMatch(/^<svg[\s>]/)
  })
})

describe('recovery codes', () => {
  const code = 'abcd-efgh-ijkm-npqr'
  const key = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)

  it('are ten distinct codes of 16 unambiguous letters', () => {
    const sets = Array.from({ length: 100 }, makeRecoveryCodes)
    for (const set of sets) expect(set).toHaveLength(10)
    const codes = sets.flat()
    expect(new Set(codes).size).toBe(1000)
    for (const text of codes) expect(text).toMatch(/^[a-km-np-z2-9]{4}(-[a-km-np-z2-9]{4}){3}$/)
    // All 32 letters, at each of the places: 1000 codes miss one with a chance of 16·32·(31/32)^1000.
    for (const at of [0, 1, 5, 18]) expect(new Set(codes.map((text) => text[at])).size).toBe(32)
  })

  it('are kept as a keyed hash of the principal and the code', () => {
    const byTheBook = createHmac('sha256', key).update(`recovery\nann\n${code}`).digest('base64url')
    expect(recoveryHash(key, 'ann', code)).toBe(byTheBook)
    expect(recoveryHash(key, 'bob', code)).not.toBe(byTheBook)
    expect(recoveryHash(key.with(0, 0), 'ann', code)).not.toBe(byTheBook)
  })

  it.each([
    ...[
      'abcdefghijkmnpqr',
      'ABCD-EFGH-IJKM-NPQR',
      ' abcd-efgh-ijkm-npqr',
      'abcd-efgh-ijkm-npqr\n',
      'abcd efgh ijkm npqr',
    ],
    ...['abc-defgh-ijkm-npqr', 'AbCd\u00a0efghIJKMnpqr'],
  ])('have one hash for all groupings and either case, here %j', (text) => {
    expect(recoveryHash(key, 'ann', text)).toBe(recoveryHash(key, 'ann', code))
  })

  it.each([
    ...['', 'abcd', 'abcd-efgh-ijkm-npqr-stuv', 'abcd-efgh-ijkm-npq1', 'abcd-efgh-ijkm-npq0', 'abcd-efgh-ijkm-npql'],
    ...['abcd–efgh–ijkm–npqr', 'ａbcd-efgh-ijkm-npqr', '\u212abcd-efgh-ijkm-npqr', 'abcd-efgh-ijkm-npqr\0'],
  ])('have no hash when written as %j', (text) => {
    expect(recoveryHash(key, 'ann', text)).toBeNull()
  })
})
