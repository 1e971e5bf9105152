import { hkdfSync } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../../core/bytes.ts'
import { open, seal } from '../../../../core/crypto/envelope.ts'
import { Keyring, parseRootKey } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { bytesOf, refusalFrom, rejectionOf, shownBy } from '../../../support/core.ts'
import { hexOf } from '../../../support/hex.ts'

const ROOT = Uint8Array.from({ length: 32 }, (_, i) => i)
const ROOT_TEXT = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
const ring = await Keyring.open(new Redacted(ROOT))
const otherRing = await Keyring.open(new Redacted(ROOT.with(31, 0)))

/** The label of the docstring, and Node's own HKDF: independent of the code under test. */
function deriveByTheBook(purpose: string, size: number, ...parts: Uint8Array[]): string {
  const info = Buffer.concat([
    Buffer.from(`postern/${purpose}/v1\0`),
    ...parts.flatMap((part) => [Uint8Array.of(part.length), part]),
  ])
  return Buffer.from(hkdfSync('sha512', ROOT, new Uint8Array(), info, size)).toString('hex')
}

/** What a KEK does to a fixed DEK: AES-KW is deterministic, so this tells keys apart that cannot be exported. */
async function markOf({ key }: { key: CryptoKey }): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-512' }
  const dek = await crypto.subtle.importKey('raw', new Uint8Array(32), algorithm, true, ['sign'])
  return hexOf(new Uint8Array(await crypto.subtle.wrapKey('raw', dek, key, 'AES-KW')))
}

describe('parseRootKey', () => {
  it('reads 32 bytes in base64url, and hides them', () => {
    const key = parseRootKey(ROOT_TEXT)
    expect(key.reveal()).toEqual(ROOT)
    expect(inspect({ key }, { showHidden: true })).not.toContain('30, 31')
  })

  it.each([
    ['nothing', ''],
    ['31 bytes', ROOT_TEXT.slice(0, -1)],
    ['33 bytes', `${ROOT_TEXT}A`],
    ['padding', `${ROOT_TEXT}=`],
    ['stray bits at the end', `${ROOT_TEXT.slice(0, -1)}9`],
    ['a line feed behind', `${ROOT_TEXT}\n`],
    ['white space in front', ` ${ROOT_TEXT}`],
    ['hexadecimal', hexOf(ROOT)],
    ['the alphabet of base64', `+${ROOT_TEXT.slice(1)}`],
    ['a passphrase', 'correct horse battery staple'],
  ])('refuses %s, and does not quote it', (_, text) => {
    const error = refusalFrom(() => parseRootKey(text, 'POSTERN_ROOT_KEY'))
    expect([error.code, error.detail.field]).toEqual(['bad_request', 'POSTERN_ROOT_KEY'])
    if (text !== '') expect(shownBy(error)).not.toContain(text)
  })
})

describe('Keyring', () => {
  it('derives every key by HKDF-SHA-512 with its own label, as documented', async () => {
    const vault = bytesOf('acme')
    expect(ring.rootId).toBe(deriveByTheBook('root-id', 8, new Uint8Array()))
    expect(hexOf(await ring.macKey('acme', 'token'))).toBe(deriveByTheBook('token', 32, vault))
    expect(hexOf(await ring.macKey('acme', 'request'))).toBe(deriveByTheBook('request', 32, vault))
    const raw = bytesOf(deriveByTheBook('kek', 32, vault, Uint8Array.of(0, 0, 0, 1)), 'hex')
    const kek = await crypto.subtle.importKey('raw', raw, 'AES-KW', false, ['wrapKey'])
    expect(await markOf(await ring.currentKek('acme'))).toBe(await markOf({ key: kek }))
  })

  it('names the root key by 16 stable hexadecimal digits that differ between keys', async () => {
    expect(ring.rootId).toMatch(/^[0-9a-f]{16}$/)
    expect((await Keyring.open(new Redacted(ROOT))).rootId).toBe(ring.rootId)
    expect(otherRing.rootId).not.toBe(ring.rootId)
  })

  it('makes keys that can only wrap and cannot be exported', async () => {
    const { key } = await ring.currentKek('acme')
    expect([key.extractable, key.algorithm, key.usages.toSorted()]).toEqual([
      false,
      { name: 'AES-KW', length: 256 },
      ['unwrapKey', 'wrapKey'],
    ])
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow()
  })

  it('derives a separate key for each vault, term, root key and purpose', async () => {
    const marks = await Promise.all([
      ring.currentKek('acme').then(markOf),
      ring.currentKek('acm').then(markOf),
      ring.currentKek('acmee').then(markOf),
      ring.kek('acme', `${ring.rootId}.2`).then(markOf),
      ring.kek('acme', `${ring.rootId}.256`).then(markOf),
      otherRing.currentKek('acme').then(markOf),
    ])
    expect(new Set(marks).size).toBe(marks.length)
    const bytes = await Promise.all([
      ring.macKey('acme', 'token'),
      ring.macKey('acm', 'token'),
      ring.macKey('acme', 'request'),
      ring.macKey('acm', 'request'),
      otherRing.macKey('acme', 'token'),
      otherRing.macKey('acme', 'request'),
    ])
    expect(new Set(bytes.map(hexOf)).size).toBe(bytes.length)
  })

  it('returns the same key again, also by its id', async () => {
    const kek = await ring.currentKek('acme')
    expect(kek.kid).toBe(`${ring.rootId}.1`)
    expect(await ring.kek('acme', kek.kid)).toBe(kek)
    expect(await ring.macKey('acme', 'token')).toEqual(await ring.macKey('acme', 'token'))
  })

  it('keeps the cached keys of vaults apart, in any order of requests', async () => {
    const fresh = await Keyring.open(new Redacted(ROOT))
    const [b, a, bAgain] = [
      await fresh.macKey('b', 'token'),
      await fresh.macKey('a', 'token'),
      await fresh.macKey('b', 'token'),
    ]
    expect(hexOf(b)).toBe(hexOf(bAgain))
    expect(hexOf(a)).toBe(hexOf(await ring.macKey('a', 'token')))
    const [kekB, kekA] = [await fresh.currentKek('b'), await fresh.currentKek('a')]
    expect(await markOf(kekA)).toBe(await markOf(await ring.currentKek('a')))
    expect(await markOf(kekB)).toBe(await markOf(await ring.currentKek('b')))
  })

  it.each<[string, () => string]>([
    ['of another root key', () => `${otherRing.rootId}.1`],
    ['with the root id in capitals', () => `${ring.rootId.toUpperCase()}.1`],
    ['that is empty', () => ''],
  ])('row 3: refuses a key id %s, and falls back to no other key', async (_, kid) => {
    const error = await rejectionOf(ring.kek('acme', kid()))
    expect(error.code).toBe('unavailable')
    expect(error.message).toBe('The secret was sealed under a root key that is not configured')
  })

  it.each<[string, () => string]>([
    ['without a term', () => ring.rootId],
    ['with an empty term', () => `${ring.rootId}.`],
    ['of term 0', () => `${ring.rootId}.0`],
    ['of a term with a leading zero', () => `${ring.rootId}.01`],
    ['of a term with a sign', () => `${ring.rootId}.-1`],
    ['of a term that does not fit 32 bits', () => `${ring.rootId}.4294967297`],
    ['of a term that is not a number', () => `${ring.rootId}.1a`],
  ])('finds no key for an id %s, which it never writes', async (_, kid) => {
    await expect(ring.kek('acme', kid())).rejects.toThrow(RangeError)
  })

  it('row 3: distinguishes a key of another root from a changed envelope', () => {
    expect(ring.has(`${ring.rootId}.1`)).toBe(true)
    expect(ring.has(`${otherRing.rootId}.1`)).toBe(false)
    expect(ring.has('not a key id')).toBe(true)
  })

  it('opens envelopes of former and next root keys, and seals none under them', async () => {
    const [old, next] = [1, 2].map((byte) => new Redacted(new Uint8Array(32).fill(byte)))
    const [alone, nextAlone] = await Promise.all([Keyring.open(old!), Keyring.open(next!)])
    const both = await Keyring.open(new Redacted(ROOT), { formerRootKeys: [old!], nextRootKey: next })
    expect(both.rootId).toBe(ring.rootId)
    expect(both.formerIds).toEqual([alone.rootId])
    expect(both.all.map(({ rootId }) => rootId)).toEqual([ring.rootId, alone.rootId, nextAlone.rootId])
    const binding = { vault: 'acme', name: 'n', version: 1n, contentType: 't' }
    for (const [one, kek] of [
      [alone, await alone.currentKek('acme', 3)],
      [nextAlone, await nextAlone.cacheKek('acme')],
    ] as const) {
      expect(both.has(kek.kid)).toBe(true)
      expect(both.of(one.rootId).rootId).toBe(one.rootId)
      const sealed = await seal(kek, utf8('x'), binding)
      expect((await open(await both.kek('acme', kek.kid), sealed, binding)).reveal()).toEqual(utf8('x'))
      expect(await both.of(one.rootId).macKey('acme', 'token')).toEqual(await one.macKey('acme', 'token'))
    }
    expect((await both.currentKek('acme', 3)).kid).toBe(`${ring.rootId}.3`)
    expect(await both.macKey('acme', 'token')).toEqual(await ring.macKey('acme', 'token'))
    expect(both.of(null)).toBe(both)
    expect((await rejectionOf((async () => both.of(otherRing.rootId))())).detail.reason).toBe('no_key')
    expect(both.has(`${otherRing.rootId}.1`)).toBe(false)
  })
})
