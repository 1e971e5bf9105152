import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Binding, dekCache, kidOf, open, seal } from '../../../../core/crypto/envelope.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { bytesOf, refusalFrom, rejectionOf, shownBy } from '../../../support/core.ts'

const ring = await Keyring.open(new Redacted(Uint8Array.from({ length: 32 }, (_, i) => i)))
const kek = await ring.currentKek('acme')
const binding: Binding = { vault: 'acme', name: 'prod/db', version: 0x0102030405060708n, contentType: 'text/plain' }
const value = bytesOf('hunter2')
const sealed = await seal(kek, value, binding)

// Offsets behind the kid, as the docstring of the module has them.
const KID = kek.kid.length
const WRAP = 5 + KID
const SALT = WRAP + 40
const COMMIT = SALT + 32
const IV = COMMIT + 32
const CT = IV + 12
const MESSAGE = 'The sealed secret cannot be opened'

const slice = (bytes: Uint8Array<ArrayBuffer>, at: number, size: number) => bytes.slice(at, at + size)
const flip = (bytes: Uint8Array<ArrayBuffer>, at: number, bit = 1) => bytes.with(at, bytes[at]! ^ bit)
const put = (bytes: Uint8Array<ArrayBuffer>, at: number, part: Uint8Array) => {
  const out = bytes.slice()
  out.set(part, at)
  return out
}
const info = (label: string) => Buffer.concat([Buffer.from(label), Uint8Array.of(1)])

/** The DEK that an envelope wraps. */
async function dekOf(envelope: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const carrier = { name: 'HMAC', hash: 'SHA-512' }
  const wrap = slice(envelope, WRAP, 40)
  const key = await crypto.subtle.unwrapKey('raw', wrap, kek.key, 'AES-KW', carrier, true, ['sign'])
  return new Uint8Array(await crypto.subtle.exportKey('raw', key))
}

/** Expects the one refusal that there is, which tells nothing of why. */
async function expectTampered(promise: Promise<unknown>): Promise<void> {
  const error = await rejectionOf(promise)
  expect([error.code, error.message, error.detail, error.cause]).toEqual(['tampered', MESSAGE, {}, undefined])
}

/** Changed bytes may name another key, which is found out before any of them is decrypted. */
async function expectRefused(changed: Uint8Array<ArrayBuffer>): Promise<void> {
  let kid: string | null = null
  try {
    kid = kidOf(changed)
  } catch {}
  if (kid === null || kid === kek.kid) await expectTampered(open(kek, changed, binding))
  else await expect(open(kek, changed, binding)).rejects.toThrow(RangeError)
}

describe('seal', () => {
  it('lays the envelope out as documented: 137 bytes plus the kid longer than the value', () => {
    expect(sealed).toHaveLength(137 + KID + value.length)
    expect([...slice(sealed, 0, 5)]).toEqual([0x50, 0x53, 0x01, 0x01, KID])
    expect(Buffer.from(slice(sealed, 5, KID)).toString('latin1')).toBe(kek.kid)
    expect(CT + value.length + 16).toBe(sealed.length)
  })

  it('makes an envelope that Node opens by the documented construction', async () => {
    const dek = await dekOf(sealed)
    expect(dek).toHaveLength(32)
    const salt = slice(sealed, SALT, 32)
    const commit = Buffer.from(hkdfSync('sha512', dek, salt, info('ps/1/commit'), 32))
    expect(commit.equals(slice(sealed, COMMIT, 32))).toBe(true)
    const content = Buffer.from(hkdfSync('sha512', dek, salt, info('ps/1/enc'), 32))
    // format || suite || length and vault || length and name || version || length and content type
    const aad = Buffer.from(
      `0101${'0004'}61636d65${'0007'}70726f642f6462${'0102030405060708'}${'000a'}746578742f706c61696e`,
      'hex',
    )
    const decipher = createDecipheriv('aes-256-gcm', content, slice(sealed, IV, 12)).setAAD(aad)
    decipher.setAuthTag(sealed.slice(-16))
    const opened = Buffer.concat([decipher.update(sealed.slice(CT, -16)), decipher.final()])
    expect(opened.toString()).toBe('hunter2')
  })

  it('row 6: uses a new DEK, salt and IV each time: 1,000 seals of one value have nothing in common', {
    timeout: 60_000,
  }, async () => {
    const all = await Promise.all(Array.from({ length: 1000 }, () => seal(kek, value, binding)))
    for (const [at, size] of [
      [WRAP, 40],
      [SALT, 32],
      [COMMIT, 32],
      [IV, 12],
      [CT, value.length + 16],
    ] as const) {
      expect(new Set(all.map((one) => Buffer.from(slice(one, at, size)).toString('hex'))).size).toBe(1000)
    }
  })

  it('holds neither the value nor the names in the clear', async () => {
    const secret = canary()
    const names = { vault: 'some-vault', name: 'prod/some-name', contentType: 'text/some-type' }
    const one = await seal(kek, bytesOf(secret), { ...binding, ...names })
    expect(leaks(one, [secret])).toEqual([])
    for (const name of Object.values(names)) expect(Buffer.from(one).includes(name)).toBe(false)
  })

  it.each<[string, Partial<Binding>]>([
    ['a lone surrogate, which UTF-8 would replace', { name: 'a\ud800' }],
    ['a text too long for its length field', { contentType: 'a'.repeat(0x10000) }],
  ])('row 8: refuses to bind %s', async (_, wrong) => {
    await expect(seal(kek, value, { ...binding, ...wrong })).rejects.toThrow(RangeError)
  })
})

describe('open', () => {
  it('returns any sealed value under any binding, hidden', {
    timeout: 60_000,
  }, async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 500 }),
        fc.record({ vault: text, name: text, version: fc.bigInt(0n, 2n ** 64n - 1n), contentType: text }),
        fc.boolean(),
        async (plaintext, bound, cached) => {
          const cache = cached ? dekCache() : undefined
          const one = await seal(kek, plaintext.slice(), bound)
          expect(one).toHaveLength(137 + KID + plaintext.length)
          for (let time = 0; time < 2; time++) {
            const opened = await open(kek, one, bound, cache)
            expect(opened).toBeInstanceOf(Redacted)
            expect(opened.reveal()).toEqual(Uint8Array.from(plaintext))
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('opens an empty value and one of 64 KiB', async () => {
    for (const plaintext of [new Uint8Array(), new Uint8Array(65_536).fill(7)]) {
      const one = await seal(kek, plaintext, binding)
      expect((await open(kek, one, binding)).reveal()).toEqual(plaintext)
    }
  })

  it('reads from inside a larger buffer, as a database returns it', async () => {
    const larger = new Uint8Array(sealed.length + 20).fill(0xaa)
    larger.set(sealed, 10)
    expect((await open(kek, larger.subarray(10, 10 + sealed.length), binding)).reveal()).toEqual(value)
  })

  it('row 2: refuses an envelope with any one byte changed', { timeout: 60_000 }, async () => {
    for (let at = 0; at < sealed.length; at++) {
      for (const bit of [0x01, 0x80]) await expectRefused(flip(sealed, at, bit))
    }
  })

  it('refuses a changed byte behind the kid with the one constant message', async () => {
    for (let at = WRAP; at < sealed.length; at++) await expectTampered(open(kek, flip(sealed, at), binding))
  })

  it('row 2: refuses an envelope cut at any length', async () => {
    for (let size = 0; size < sealed.length; size++) await expectTampered(open(kek, sealed.slice(0, size), binding))
  })

  it('row 2: refuses trailing and leading bytes', async () => {
    await expectTampered(open(kek, put(new Uint8Array(sealed.length + 1), 0, sealed), binding))
    await expectTampered(open(kek, put(new Uint8Array(sealed.length + 16), 0, sealed), binding))
    await expectTampered(open(kek, put(new Uint8Array(sealed.length + 1), 1, sealed), binding))
  })

  it.each<[string, number, number]>([
    ['another magic', 0, 0x5a],
    ['format 0', 2, 0],
    ['format 2', 2, 2],
    ['suite 0', 3, 0],
    ['suite 2', 3, 2],
    ['a kid of no characters', 4, 0],
    ['a kid longer than the envelope', 4, 255],
    ['a kid of one character less', 4, KID - 1],
    ['a kid of one character more', 4, KID + 1],
  ])('row 5: refuses %s', async (_, at, byte) => {
    await expectRefused(sealed.with(at, byte))
  })

  it('refuses a kid longer than 64 characters or outside its alphabet', async () => {
    const withKid = (kid: string) => {
      const head = Buffer.concat([sealed.slice(0, 4), Uint8Array.of(kid.length), Buffer.from(kid, 'latin1')])
      return Uint8Array.from([...head, ...sealed.slice(WRAP)])
    }
    expect(kidOf(withKid('a'.repeat(64)))).toBe('a'.repeat(64))
    for (const kid of ['a'.repeat(65), 'a/b', 'a b', 'a\n', 'a\0', '\xe9', '']) {
      expect(refusalFrom(() => kidOf(withKid(kid))).message).toBe(MESSAGE)
    }
  })

  it.each<[string, Partial<Binding>]>([
    ['another vault', { vault: 'acmf' }],
    ['another name', { name: 'prod/dc' }],
    ['another version', { version: binding.version + 1n }],
    ['another content type', { contentType: 'text/html' }],
    ['a name of nothing', { name: '' }],
    ['a name and content type that run together as before', { name: 'prod/d', contentType: 'btext/plain' }],
    ['a vault and name that run together as before', { vault: 'acmep', name: 'rod/db' }],
  ])('row 1: refuses an envelope moved to %s, with and without a cached key', async (_, moved) => {
    await expectTampered(open(kek, sealed, { ...binding, ...moved }))
    const cache = dekCache()
    await open(kek, sealed, binding, cache)
    await expectTampered(open(kek, sealed, { ...binding, ...moved }, cache))
  })

  it('rows 1, 3: refuses the key of another vault or root with the same id', async () => {
    const otherVault = await ring.currentKek('other')
    const otherRing = await Keyring.open(new Redacted(new Uint8Array(32)))
    const otherRoot = await otherRing.currentKek('acme')
    for (const { key } of [otherVault, otherRoot]) await expectTampered(open({ kid: kek.kid, key }, sealed, binding))
  })

  it('row 3: never tries a key that the envelope does not name', async () => {
    const nextTerm = await ring.kek('acme', `${ring.rootId}.2`)
    await expect(open(nextTerm, sealed, binding)).rejects.toThrow(RangeError)
    await expect(open({ kid: 'other', key: kek.key }, sealed, binding)).rejects.toThrow(RangeError)
  })

  it('row 4: refuses an altered commitment although the ciphertext would decrypt', async () => {
    for (let at = COMMIT; at < COMMIT + 32; at++) await expectTampered(open(kek, flip(sealed, at), binding))
    await expectTampered(open(kek, put(sealed, COMMIT, new Uint8Array(32)), binding))
  })

  it('row 4: refuses parts of another envelope of the same value and binding', async () => {
    const other = await seal(kek, value, binding)
    for (const [from, to] of [
      [WRAP, SALT],
      [SALT, COMMIT],
      [COMMIT, IV],
      [IV, CT],
      [CT, sealed.length],
      [WRAP, IV],
    ] as const) {
      await expectTampered(open(kek, put(sealed, from, other.slice(from, to)), binding))
    }
  })

  it('reveals neither the value nor the reason of a refusal', async () => {
    const secret = canary()
    const one = await seal(kek, bytesOf(secret), binding)
    const errors = [
      await rejectionOf(open(kek, flip(one, WRAP), binding)),
      await rejectionOf(open(kek, flip(one, COMMIT), binding)),
      await rejectionOf(open(kek, flip(one, one.length - 1), binding)),
      await rejectionOf(open(kek, one, { ...binding, name: 'x' })),
      await rejectionOf(open(kek, one.slice(0, 3), binding)),
    ]
    expect(new Set(errors.map((error) => `${error.code} ${error.message} ${JSON.stringify(error.detail)}`)).size).toBe(
      1,
    )
    for (const error of errors) expect(leaks(shownBy(error), [secret])).toEqual([])
  })
})

describe('a cached key', () => {
  it('is kept for an opened envelope, and not for a refused one', async () => {
    const cache = dekCache()
    await expectTampered(open(kek, flip(sealed, sealed.length - 1), binding, cache))
    await expectTampered(open(kek, sealed, { ...binding, name: 'x' }, cache))
    expect(cache.size).toBe(0)
    await open(kek, sealed, binding, cache)
    await open(kek, sealed, binding, cache)
    expect(cache.size).toBe(1)
  })

  it('cannot be exported', async () => {
    const cache = dekCache()
    await open(kek, sealed, binding, cache)
    const [key] = [...cache.values()]
    expect(key!.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('raw', key!)).rejects.toThrow()
  })

  it('saves the unwrap: an envelope opens under a KEK that can no longer unwrap', async () => {
    const cache = dekCache()
    await open(kek, sealed, binding, cache)
    const raw = new Uint8Array(32)
    const useless = { kid: kek.kid, key: await crypto.subtle.importKey('raw', raw, 'AES-KW', false, ['unwrapKey']) }
    expect((await open(useless, sealed, binding, cache)).reveal()).toEqual(value)
    await expectTampered(open(useless, sealed, binding))
  })

  it('still authenticates every byte', async () => {
    const cache = dekCache()
    await open(kek, sealed, binding, cache)
    for (let at = WRAP; at < sealed.length; at++) await expectTampered(open(kek, flip(sealed, at), binding, cache))
    expect((await open(kek, sealed, binding, cache)).reveal()).toEqual(value)
  })

  it('row 1: is not used for another vault, even for bytes bound to that vault', async () => {
    const cache = dekCache()
    await open(kek, sealed, binding, cache)
    const other = { kid: kek.kid, key: (await ring.currentKek('other')).key }
    await expectTampered(open(other, sealed, { ...binding, vault: 'other' }, cache))
    // A forgery by an attacker who knows the DEK of one vault, and can write rows of another.
    const content = Buffer.from(hkdfSync('sha512', await dekOf(sealed), slice(sealed, SALT, 32), info('ps/1/enc'), 32))
    const aad = `0101${'0005'}6f74686572${'0007'}70726f642f6462${'0102030405060708'}${'000a'}746578742f706c61696e`
    const cipher = createCipheriv('aes-256-gcm', content, slice(sealed, IV, 12)).setAAD(Buffer.from(aad, 'hex'))
    const ciphertext = Buffer.concat([cipher.update(value), cipher.final(), cipher.getAuthTag()])
    const forged = put(sealed, CT, ciphertext)
    await expectTampered(open(other, forged, { ...binding, vault: 'other' }, cache))
    // It is well made: only the key that wraps its DEK is not that of the other vault.
    expect((await open(kek, forged, { ...binding, vault: 'other' })).reveal()).toEqual(value)
  })

  it('is evicted when the cache is full', async () => {
    const cache = dekCache(2)
    for (let i = 0; i < 4; i++) await open(kek, await seal(kek, value, binding), binding, cache)
    expect(cache.size).toBe(2)
  })
})
