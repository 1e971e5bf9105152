/** Envelopes made of parts that each are good: of two keys, of another key's name, of a form of long ago. */
import { createDecipheriv, hkdfSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Binding, dekCache, open, seal } from '../../../../core/crypto/envelope.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { openVersion, sealValue, type VersionPlace } from '../../../../core/sealing/version.ts'
import { bytesOf, rejectionOf } from '../../../support/core.ts'
import { makeForTwoKeys } from '../../../support/reference/two_keys.ts'

const ROOT = new Redacted(new Uint8Array(32).fill(1))
const ring = await Keyring.open(ROOT)
const first = await ring.currentKek('acme', 1)
const second = await ring.currentKek('acme', 2)
const binding: Binding = { vault: 'acme', name: 'prod/db', version: 7n, contentType: 'text/plain' }
const AAD = Buffer.from(
  `0101${'0004'}61636d65${'0007'}70726f642f6462${'0000000000000007'}${'000a'}746578742f706c61696e`,
  'hex',
)
const [WRAP_SIZE, SALT_SIZE, COMMIT_SIZE, IV_SIZE] = [40, 32, 32, 12]
const HEAD = 5 + first.kid.length

const info = (label: string) => Buffer.concat([Buffer.from(label), Uint8Array.of(1)])
const derived = (dek: Uint8Array, salt: Uint8Array, label: string) =>
  Buffer.from(hkdfSync('sha512', dek, salt, info(label), 32))

async function wrapped(dek: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const carrier = await crypto.subtle.importKey('raw', dek, { name: 'HMAC', hash: 'SHA-512' }, true, ['sign'])
  return new Uint8Array(await crypto.subtle.wrapKey('raw', carrier, first.key, 'AES-KW'))
}

/** The kid of an envelope replaced by another. */
function renamed(sealed: Uint8Array<ArrayBuffer>, kid: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...sealed.slice(0, 4), kid.length, ...Buffer.from(kid), ...sealed.slice(HEAD)])
}

describe('a ciphertext that two keys decrypt', () => {
  it('row 4: opens under the key that it commits to, and never under the other, which decrypts it', async () => {
    const [one, other] = [new Uint8Array(32).fill(0x11), new Uint8Array(32).fill(0x22)]
    const salt = new Uint8Array(SALT_SIZE).fill(0x33)
    const iv = new Uint8Array(IV_SIZE).fill(0x44)
    const [oneKey, otherKey] = [derived(one, salt, 'ps/1/enc'), derived(other, salt, 'ps/1/enc')]
    const { ciphertext, tag } = makeForTwoKeys(oneKey, otherKey, {
      iv,
      aad: AAD,
      text: bytesOf('pay to the order of ann '),
    })
    // Another implementation agrees.
    const texts = [oneKey, otherKey].map((key) => {
      const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(AAD).setAuthTag(tag)
      return Buffer.concat([decipher.update(ciphertext), decipher.final()])
    })
    expect(texts[0]!.toString('latin1')).toContain('pay to the order of ann ')
    expect(texts[0]!.equals(texts[1]!)).toBe(false)

    const head = Buffer.concat([Uint8Array.of(0x50, 0x53, 1, 1, first.kid.length), Buffer.from(first.kid)])
    const envelope = async (dek: Uint8Array<ArrayBuffer>, committed: Uint8Array) => {
      const commit = derived(committed, salt, 'ps/1/commit')
      return Uint8Array.from(Buffer.concat([head, await wrapped(dek), salt, commit, iv, ciphertext, tag]))
    }
    for (const [i, dek] of [one, other].entries()) {
      expect(Buffer.from((await open(first, await envelope(dek, dek), binding)).reveal()).equals(texts[i]!)).toBe(true)
    }
    for (const [dek, committed] of [
      [other, one],
      [one, other],
    ] as const) {
      const cache = dekCache()
      await open(first, await envelope(committed, committed), binding, cache)
      const swapped = await envelope(dek, committed)
      expect((await rejectionOf(open(first, swapped, binding))).code).toBe('tampered')
      expect((await rejectionOf(open(first, swapped, binding, cache))).code).toBe('tampered')
    }
  })
})

describe('an envelope that names another key', () => {
  it('row 3: opens neither under that key nor under its own, cached or not', async () => {
    const sealed = await seal(first, bytesOf('hunter2'), binding)
    const moved = renamed(sealed, second.kid)
    const cache = dekCache()
    await open(first, sealed, binding, cache)
    expect((await rejectionOf(open(second, moved, binding))).code).toBe('tampered')
    expect((await rejectionOf(open(second, moved, binding, cache))).code).toBe('tampered')
    await expect(open(first, moved, binding, cache)).rejects.toThrow(RangeError)
  })

  const place: VersionPlace = {
    vault: 'acme',
    name: 'prod/db',
    version: 1,
    contentType: 'text/plain',
    encoding: 'utf8',
  }

  it.each<[string, (rootId: string) => string, 'tampered' | 'no_key']>([
    ['another term of the vault', (rootId) => `${rootId}.2`, 'tampered'],
    ['the cache of the vault', (rootId) => `${rootId}.cache`, 'tampered'],
    ['a root key that is gone', () => '0123456789abcdef.1', 'no_key'],
  ])('row 3: is refused even when its row names that key as well: %s', async (_, kidOf, expected) => {
    const { kid, sealed } = await sealValue(ring, new Redacted(bytesOf('hunter2')), place)
    const cache = dekCache()
    const { vault: _vault, ...shown } = place
    const row = { ...shown, kid, sealed, tags: {}, createdAt: 0, expiresAt: null }
    expect(await openVersion(ring, cache, 'acme', row)).toBeInstanceOf(Redacted)
    const named = kidOf(ring.rootId)
    const moved = { ...row, kid: named, sealed: renamed(sealed, named) }
    expect(await openVersion(ring, cache, 'acme', moved)).toBe(expected)
    expect(await openVersion(ring, dekCache(), 'acme', moved)).toBe(expected)
  })

  it('row 5: opens in the legacy format through an import only', async () => {
    const legacy = bytesOf(`${'00'.repeat(12)}:${'00'.repeat(16)}:${'00'.repeat(20)}`)
    const { vault: _, ...shown } = place
    const row = { ...shown, kid: first.kid, sealed: legacy, tags: {}, createdAt: 0, expiresAt: null }
    expect(await openVersion(ring, dekCache(), 'acme', row)).toBe('tampered')
  })
})

describe('random data', () => {
  it('row 6: varies in each byte over 1,000 seals', { timeout: 60_000 }, async () => {
    const all = await Promise.all(Array.from({ length: 1000 }, () => seal(first, bytesOf('same'), binding)))
    const end = HEAD + WRAP_SIZE + SALT_SIZE + COMMIT_SIZE + IV_SIZE
    for (let at = HEAD; at < end; at++) {
      // Of 256 values about 251 come up in 1,000 draws; fewer than 200 do not in the age of the universe.
      expect([at, new Set(all.map((one) => one[at])).size > 200]).toEqual([at, true])
    }
  })
})
