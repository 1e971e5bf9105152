import { describe, expect, it } from 'vitest'
import { dekCache } from '../../../../core/crypto/envelope.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { openCursor, sealCursor } from '../../../../core/sealing/list_cursor.ts'
import { fingerprints } from '../../../../core/sealing/request_fingerprint.ts'
import { openVersion, sealValue, type VersionPlace } from '../../../../core/sealing/version.ts'
import type { SealedVersion } from '../../../../core/vault/secrets/operations.ts'
import { bytesOf, rejectionOf } from '../../../support/core.ts'

const [ROOT, OTHER_ROOT] = [new Redacted(new Uint8Array(32).fill(1)), new Redacted(new Uint8Array(32).fill(2))]
const ring = await Keyring.open(ROOT)
const otherRing = await Keyring.open(OTHER_ROOT)
const place: VersionPlace = { vault: 'acme', name: 'prod/db', version: 1, contentType: 'text/plain', encoding: 'utf8' }
const value = bytesOf('hunter2')

async function row(change: Partial<SealedVersion> = {}): Promise<SealedVersion> {
  const { kid, sealed } = await sealValue(ring, new Redacted(value), place)
  const { vault: _, ...shown } = place
  return { ...shown, kid, sealed, tags: {}, createdAt: 0, expiresAt: null, ...change }
}

describe('openVersion', () => {
  it('opens the output of sealValue, hidden', async () => {
    const opened = await openVersion(ring, dekCache(), 'acme', await row())
    expect(opened).toBeInstanceOf(Redacted)
    expect((opened as Redacted<Uint8Array>).reveal()).toEqual(value)
  })

  it.each<[string, Partial<SealedVersion>]>([
    ['moved to another name', { name: 'prod/dc' }],
    ['passed off as another version', { version: 2 }],
    ['given a version that is not an integer', { version: 1.5 }],
    ['given another content type', { contentType: 'text/html' }],
    ['given another encoding', { encoding: 'base64' }],
    ['no envelope at all', { sealed: new Uint8Array(200) }],
    ['empty', { sealed: new Uint8Array() }],
    ['said to be of another term', { kid: `${ring.rootId}.2` }],
    ['attributed to a key with a foreign id', { kid: 'x' }],
  ])('rows 1, 2: detects a row that is %s', async (_, change) => {
    expect(await openVersion(ring, dekCache(), 'acme', await row(change))).toBe('tampered')
  })

  it('row 1: detects a row that was copied to another vault', async () => {
    expect(await openVersion(ring, dekCache(), 'other', await row())).toBe('tampered')
  })

  it('row 3: reports a missing root key rather than a changed row', async () => {
    expect(await openVersion(otherRing, dekCache(), 'acme', await row())).toBe('no_key')
  })
})

describe('fingerprints', () => {
  const of = async (...asked: Parameters<typeof fingerprints>) => (await fingerprints(...asked))[0]!

  it('are equal for equal requests, and differ between requests, vaults and root keys', async () => {
    const request = { name: 'a', value: 'x' }
    const same = await of(ring, 'acme', { ...request })
    expect(await of(ring, 'acme', request)).toBe(same)
    expect(same).toMatch(/^[A-Za-z0-9_-]{43}$/)
    const others = await Promise.all([
      of(ring, 'acme', { ...request, value: 'y' }),
      of(ring, 'other', request),
      of(otherRing, 'acme', request),
    ])
    expect(new Set([same, ...others]).size).toBe(4)
  })
})

describe('under a former root key', () => {
  it('a request is recognised as before, and its fingerprint is stored under the new one', async () => {
    const both = await Keyring.open(OTHER_ROOT, { formerRootKeys: [ROOT] })
    const [kept, former] = await fingerprints(both, 'acme', { name: 'a' })
    expect([kept, former]).toEqual([
      ...(await fingerprints(otherRing, 'acme', { name: 'a' })),
      ...(await fingerprints(ring, 'acme', { name: 'a' })),
    ])
  })

  it('a cursor opens, and new ones are sealed under the new key', async () => {
    const both = await Keyring.open(OTHER_ROOT, { formerRootKeys: [ROOT] })
    const [before, after] = [await sealCursor(ring, 'acme', 'list', 'n'), await sealCursor(both, 'acme', 'list', 'n')]
    expect([await openCursor(both, 'acme', 'list', before), await openCursor(both, 'acme', 'list', after)]).toEqual([
      'n',
      'n',
    ])
    expect(await openCursor(otherRing, 'acme', 'list', after)).toBe('n')
    expect((await rejectionOf(openCursor(otherRing, 'acme', 'list', before))).code).toBe('bad_request')
  })
})

describe('a sealed cursor', () => {
  const seal = (name = 'prod/hidden') => sealCursor(ring, 'acme', 'list', name)

  it('opens to the name it was made from, and differs each time', async () => {
    for (const name of ['', 'a', 'prod/hidden~']) {
      expect(await openCursor(ring, 'acme', 'list', await seal(name))).toBe(name)
    }
    expect(await seal()).not.toBe(await seal())
  })

  it('does not show the name', async () => {
    const cursor = await seal()
    expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(Buffer.from(cursor, 'base64url').includes('hidden')).toBe(false)
  })

  it.each<[string, (cursor: string) => Promise<string>]>([
    ['in another list', (cursor) => openCursor(ring, 'acme', 'other list', cursor)],
    ['in another vault', (cursor) => openCursor(ring, 'other', 'list', cursor)],
    ['under another root key', (cursor) => openCursor(otherRing, 'acme', 'list', cursor)],
    ['cut', (cursor) => openCursor(ring, 'acme', 'list', cursor.slice(0, -4))],
    ['as nothing', () => openCursor(ring, 'acme', 'list', '')],
    ['as a name that the reader chose', () => openCursor(ring, 'acme', 'list', 'prod/db')],
    ['with padding', (cursor) => openCursor(ring, 'acme', 'list', `${cursor}=`)],
  ])('is refused %s', async (_, reopen) => {
    const error = await rejectionOf(reopen(await seal()))
    expect([error.code, error.detail.field]).toEqual(['bad_request', 'cursor'])
  })

  it('is refused with any one character changed', async () => {
    const cursor = await seal()
    for (let at = 0; at < cursor.length; at++) {
      const changed = cursor.slice(0, at) + (cursor[at] === 'A' ? 'B' : 'A') + cursor.slice(at + 1)
      expect((await rejectionOf(openCursor(ring, 'acme', 'list', changed))).code).toBe('bad_request')
    }
  })
})
