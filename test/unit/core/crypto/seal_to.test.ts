import { createHash, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { CompactEncrypt, exportJWK, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { makeSealKey, openSealed, type SealKey } from '../../../../core/crypto/seal_key.ts'
import { parseRecipient, sealTo } from '../../../../core/crypto/seal_to.ts'
import { bytesOf, rejectionOf, shownBy } from '../../../support/core.ts'

const ANSWER = JSON.stringify({ value: 'hunter2 é 🔑' })
const ID = '4f8c2f0e-request'
const headerOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()

/** A client's key of either curve. */
async function sealKey(crv: string): Promise<SealKey> {
  if (crv === 'P-256') return makeSealKey()
  const { privateKey, publicKey } = await generateKeyPair('ECDH-ES', { crv, extractable: false })
  const { kty, x } = await exportJWK(publicKey)
  const thumbprint = createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url')
  return { header: headerOf({ kty, crv, x }), thumbprint, privateKey }
}
const publicJwk: JsonWebKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
const headerPartOf = (jwe: string) => JSON.parse(Buffer.from(jwe.split('.')[0]!, 'base64url').toString())

describe.each(['P-256', 'X25519'])('sealTo and openSealed with %s', (crv) => {
  it('return the answer to its requester', async () => {
    const key = await sealKey(crv)
    const jwe = await sealTo(await parseRecipient(key.header), ANSWER, ID)
    expect(textOf(await openSealed(jwe, key, ID))).toBe(ANSWER)
    expect(jwe).not.toContain(Buffer.from(ANSWER).toString('base64url').slice(0, 12))
  })

  it('make a compact JWE with ECDH-ES and A256GCM, bound to the request and the key', async () => {
    const key = await sealKey(crv)
    const jwe = await sealTo(await parseRecipient(key.header), ANSWER, ID)
    expect(jwe.split('.')[1]).toBe('')
    expect(headerPartOf(jwe)).toMatchObject({
      alg: 'ECDH-ES',
      enc: 'A256GCM',
      typ: 'postern-answer',
      cty: 'application/json',
      epk: { crv },
      apu: Buffer.from(ID).toString('base64url'),
      apv: Buffer.from(key.thumbprint).toString('base64url'),
    })
    expect(headerPartOf(jwe).epk).not.toHaveProperty('d')
  })

  it('use a new ephemeral key each time', async () => {
    const recipient = await parseRecipient((await sealKey(crv)).header)
    const sealed = await Promise.all(Array.from({ length: 20 }, () => sealTo(recipient, ANSWER, ID)))
    expect(new Set(sealed.map((jwe) => headerPartOf(jwe).epk.x)).size).toBe(20)
  })

  it('row 55: refuse the answer to another request', async () => {
    const key = await sealKey(crv)
    const jwe = await sealTo(await parseRecipient(key.header), ANSWER, ID)
    for (const id of ['another', '', `${ID} `, ID.toUpperCase()]) {
      expect((await rejectionOf(openSealed(jwe, key, id))).code).toBe('tampered')
    }
  })

  it('refuse another key, and reveal nothing of the answer', async () => {
    const [mine, theirs] = [await sealKey(crv), await sealKey(crv)]
    const jwe = await sealTo(await parseRecipient(mine.header), ANSWER, ID)
    const error = await rejectionOf(openSealed(jwe, theirs, ID))
    expect(error.code).toBe('tampered')
    expect(shownBy(error)).not.toContain('hunter2')
  })

  it('row 55: refuse an answer that names another key in apv, though the key is right', async () => {
    const key = await sealKey(crv)
    const { key: recipient } = await parseRecipient(key.header)
    for (const thumbprint of ['', 'another', key.thumbprint.slice(1)]) {
      const jwe = await sealTo({ key: recipient, thumbprint }, ANSWER, ID)
      expect((await rejectionOf(openSealed(jwe, key, ID))).code).toBe('tampered')
    }
  })

  it('refuse a change of any character', async () => {
    const key = await sealKey(crv)
    const jwe = await sealTo(await parseRecipient(key.header), 'v', ID)
    for (let at = 0; at < jwe.length; at++) {
      // The bits that base64url leaves over at the end of a part carry nothing.
      const changed = `${jwe.slice(0, at)}${jwe[at] === 'A' ? 'Q' : 'A'}${jwe.slice(at + 1)}`
      const same = changed.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'))
      const before = jwe.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'))
      if (same.join() === before.join()) continue
      expect((await rejectionOf(openSealed(changed, key, ID))).code).toBe('tampered')
    }
  })
})

describe('openSealed refuses', () => {
  it.each(['', '.', '....', 'a.b.c.d.e', 'nope', `${'A'.repeat(1000)}....`])(
    'text that is not a JWE: %j',
    async (jwe) => {
      expect((await rejectionOf(openSealed(jwe, await makeSealKey(), ID))).code).toBe('tampered')
    },
  )

  it('row 55: other algorithms for key agreement and encryption', async () => {
    const key = await makeSealKey()
    const recipient = await parseRecipient(key.header)
    const sealed = (alg: string, enc: string) =>
      new CompactEncrypt(bytesOf(ANSWER))
        .setProtectedHeader({ alg, enc })
        .setKeyManagementParameters({ apu: bytesOf(ID), apv: bytesOf(key.thumbprint) })
        .encrypt(recipient.key)
    expect(textOf(await openSealed(await sealed('ECDH-ES', 'A256GCM'), key, ID))).toBe(ANSWER)
    for (const [alg, enc] of [
      ['ECDH-ES+A256KW', 'A256GCM'],
      ['ECDH-ES', 'A128GCM'],
      ['ECDH-ES', 'A256CBC-HS512'],
    ] as const) {
      expect((await rejectionOf(openSealed(await sealed(alg, enc), key, ID))).code).toBe('tampered')
    }
  })

  it('another form of JWE that the key opens', async () => {
    const key = await makeSealKey()
    const recipient = await parseRecipient(key.header)
    const jwe = await sealTo(recipient, ANSWER, ID)
    const [header = '', encryptedKey = '', iv = '', ciphertext = '', tag = ''] = jwe.split('.')
    const { epk } = headerPartOf(jwe)
    const withHeader = (change: object) =>
      [headerOf({ ...headerPartOf(jwe), ...change }), encryptedKey, iv, ciphertext, tag].join('.')
    for (const changed of [
      `${jwe}.`,
      `${jwe}.AAAA`,
      [header, 'AAAA', iv, ciphertext, tag].join('.'),
      [header, encryptedKey, iv, ciphertext, tag.slice(0, 16)].join('.'),
      [header, encryptedKey, iv, '', ''].join('.'),
      withHeader({ epk: { ...epk, x: epk.y } }),
      withHeader({ epk: { ...epk, x: 'A'.repeat(43), y: 'A'.repeat(43) } }),
      withHeader({ epk: { kty: 'OKP', crv: 'X25519', x: epk.x } }),
      withHeader({ epk: null }),
    ]) {
      expect((await rejectionOf(openSealed(changed, key, ID))).code).toBe('tampered')
    }
    expect(textOf(await openSealed(jwe, key, ID))).toBe(ANSWER)
  })

  it('a header with unexpected members, sealed that way', async () => {
    const key = await makeSealKey()
    const { key: recipient } = await parseRecipient(key.header)
    const sealed = (extra: object, crit = {}) =>
      new CompactEncrypt(bytesOf(ANSWER))
        .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', ...extra })
        .setKeyManagementParameters({ apu: bytesOf(ID), apv: bytesOf(key.thumbprint) })
        .encrypt(recipient, { crit })
    expect(textOf(await openSealed(await sealed({ extra: 1 }), key, ID))).toBe(ANSWER)
    const critical = await sealed({ extra: 1, crit: ['extra'] }, { extra: true })
    expect((await rejectionOf(openSealed(critical, key, ID))).code).toBe('tampered')
  })

  it('row 55: a compressed answer of any size', async () => {
    const key = await makeSealKey()
    const recipient = await parseRecipient(key.header)
    const jwe = await new CompactEncrypt(bytesOf('a'.repeat(100)))
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', zip: 'DEF' })
      .setKeyManagementParameters({ apu: bytesOf(ID), apv: bytesOf(key.thumbprint) })
      .encrypt(recipient.key)
    expect(headerPartOf(jwe).zip).toBe('DEF')
    expect((await rejectionOf(openSealed(jwe, key, ID))).code).toBe('tampered')
  })
})

describe('makeSealKey', () => {
  it('makes a key for one request, whose private half cannot be exported', async () => {
    const [one, other] = [await makeSealKey(), await makeSealKey()]
    expect(one.header).not.toBe(other.header)
    expect(one.privateKey.extractable).toBe(false)
    expect(Object.keys(JSON.parse(Buffer.from(one.header, 'base64url').toString())).sort()).toEqual([
      ...['crv', 'kty', 'x', 'y'],
    ])
    expect((await parseRecipient(one.header)).thumbprint).toBe(one.thumbprint)
  })
})

describe('parseRecipient', () => {
  it('computes the thumbprint of RFC 7638, for the key of RFC 9449 with any additional members', async () => {
    const jwk = {
      kty: 'EC',
      x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
      y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
      crv: 'P-256',
    }
    const thumbprint = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
    expect((await parseRecipient(headerOf(jwk))).thumbprint).toBe(thumbprint)
    expect((await parseRecipient(headerOf({ use: 'enc', kid: '1', ...jwk, alg: 'ECDH-ES' }))).thumbprint).toBe(
      thumbprint,
    )
  })

  it('cannot be made to export or to decrypt with the key', async () => {
    const { key } = await parseRecipient((await makeSealKey()).header)
    expect([key.type, key.usages]).toEqual(['public', []])
  })

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const privateJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
  it.each<[string, string]>([
    ['nothing', ''],
    ['no base64url', '{}'],
    ['padding', `${headerOf(publicJwk)}=`],
    ['no JSON', Buffer.from('nope').toString('base64url')],
    ['no UTF-8', Buffer.from([0xff]).toString('base64url')],
    ['JSON that is not an object', headerOf('text')],
    ['null', headerOf(null)],
    ['a list', headerOf([publicJwk])],
    ['no members', headerOf({})],
    ['a key twice', Buffer.from('{"kty":"EC","kty":"OKP"}').toString('base64url')],
    ['a private key', headerOf(privateJwk)],
    ['a private member that is null', headerOf({ ...publicJwk, d: null })],
    ['RSA', headerOf(rsa)],
    ['P-384', headerOf(p384)],
    ['Ed25519', headerOf(ed25519)],
    ['a symmetric key', headerOf({ kty: 'oct', k: 'AAAA', x: 'AAAA' })],
    ['a curve of the other type', headerOf({ ...publicJwk, kty: 'OKP' })],
    ['P-256 without y', headerOf({ kty: 'EC', crv: 'P-256', x: publicJwk.x })],
    ['a point off the curve', headerOf({ ...publicJwk, y: publicJwk.x })],
    ['the point at zero', headerOf({ ...publicJwk, x: 'A'.repeat(43), y: 'A'.repeat(43) })],
    ['X25519 with 31 bytes', headerOf({ kty: 'OKP', crv: 'X25519', x: 'A'.repeat(42) })],
    ['x that is a number', headerOf({ ...publicJwk, x: 5 })],
    ['a key that is longer than 1024 characters', headerOf({ ...publicJwk, pad: 'a'.repeat(1024) })],
  ])('row 55: refuses %s', async (_, header) => {
    const error = await rejectionOf(parseRecipient(header))
    expect([error.code, error.detail.field]).toEqual(['bad_request', 'Postern-Seal-To'])
    expect(shownBy(error)).not.toContain(publicJwk.x)
  })

  it('accepts each refused key once its one flaw is mended', async () => {
    expect((await parseRecipient(headerOf(publicJwk))).key).toBeInstanceOf(CryptoKey)
  })
})
