import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, utf8 } from '../../../../core/bytes.ts'
import { type Hash, hashesFor, leafHash, position, type ReadHashes } from '../../../../core/tlog/merkle.ts'
import {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyConsistencyByPlatform,
  verifyInclusion,
} from '../../../../core/tlog/proof.ts'
import { merkleTreeHash } from '../../../support/reference/rfc6962.ts'

const LEAVES = Array.from({ length: 260 }, (_, i) => utf8(`entry ${i}`))
const table = new Map<number, Hash>()
const read: ReadHashes = (positions) => positions.map((p) => table.get(p)!)
LEAVES.forEach((leaf, n) => {
  hashesFor(n, leafHash(leaf), read).forEach((hash, i) => {
    table.set(position(0, n) + i, hash)
  })
})
const rootOf = (size: number) => new Uint8Array(merkleTreeHash(LEAVES.slice(0, size))) as Bytes
const size = fc.integer({ min: 1, max: LEAVES.length })

describe('inclusion', () => {
  it('is proven for every leaf of every tree, and checked against the root that RFC 6962 defines', () => {
    for (let n = 1; n <= 70; n++) {
      const root = rootOf(n)
      for (let index = 0; index < n; index++) {
        const proof = inclusionProof(index, n, read)
        expect(proof.length).toBeLessThanOrEqual(Math.ceil(Math.log2(n)))
        expect(verifyInclusion(proof, { index, size: n, leaf: leafHash(LEAVES[index]!), root })).toBe(true)
      }
    }
  })

  it('fails for another leaf, index, size or root, and for a proof that is longer, shorter or changed', () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(), (n, i, pick) => {
        const index = i % n
        const about = { index, size: n, leaf: leafHash(LEAVES[index]!), root: rootOf(n) }
        const proof = inclusionProof(index, n, read)
        const other = leafHash(utf8('another'))
        expect(verifyInclusion(proof, { ...about, leaf: other })).toBe(false)
        expect(verifyInclusion(proof, { ...about, root: other })).toBe(false)
        if (n > 1) expect(verifyInclusion(proof, { ...about, index: (index + 1) % n })).toBe(false)
        expect(verifyInclusion(proof, { ...about, index: n })).toBe(false)
        expect(verifyInclusion([...proof, other], about)).toBe(false)
        if (proof.length === 0) return
        expect(verifyInclusion(proof.slice(0, -1), about)).toBe(false)
        expect(verifyInclusion(proof.with(pick % proof.length, other), about)).toBe(false)
        expect(verifyInclusion(proof.with(0, proof[0]!.slice(1) as Hash), about)).toBe(false)
      }),
    )
  })
})

describe('hashes of another length', () => {
  const none = new Uint8Array(0)
  const [leaf, root] = [leafHash(LEAVES[0]!), rootOf(1)]
  const short = root.subarray(0, 31) as Hash
  const long = new Uint8Array([...root, 0])

  it('row 41: are neither a leaf nor a root', () => {
    expect(verifyInclusion([], { index: 0, size: 1, leaf, root })).toBe(true)
    for (const hash of [none, short, long]) {
      expect(verifyInclusion([], { index: 0, size: 1, leaf: hash, root: hash })).toBe(false)
      expect(verifyInclusion([], { index: 0, size: 1, leaf, root: hash })).toBe(false)
      for (const size of [0, 1, 2]) {
        expect(verifyConsistency([], { size, root: hash }, { size, root: hash })).toBe(false)
      }
    }
  })

  it('row 41: an empty tree has one root', async () => {
    const empty = rootOf(0)
    expect(verifyConsistency([], { size: 0, root: empty }, { size: 0, root: empty })).toBe(true)
    expect(verifyConsistency([], { size: 0, root: empty }, { size: 1, root })).toBe(true)
    for (const old of [root, leaf]) {
      expect(verifyConsistency([], { size: 0, root: old }, { size: 0, root: old })).toBe(false)
      expect(await verifyConsistencyByPlatform([], { size: 0, root: old }, { size: 1, root })).toBe(false)
    }
  })
})

describe.each([
  { by: 'our own hashes', verify: verifyConsistency },
  { by: 'those of the platform', verify: verifyConsistencyByPlatform },
])('consistency, by $by', ({ verify }) => {
  it('is proven between all sizes', async () => {
    for (let to = 0; to <= 70; to++) {
      for (let from = 0; from <= to; from++) {
        const proof = consistencyProof(from, to, read)
        expect(await verify(proof, { size: from, root: rootOf(from) }, { size: to, root: rootOf(to) })).toBe(true)
      }
    }
  })

  it('accepts an empty tree only with the root of RFC 6962', async () => {
    const now = { size: 5, root: rootOf(5) }
    expect(await verify([], { size: 0, root: rootOf(0) }, now)).toBe(true)
    expect(await verify([], { size: 0, root: rootOf(1) }, now)).toBe(false)
    expect(await verify([rootOf(1)], { size: 0, root: rootOf(0) }, now)).toBe(false)
  })

  it('fails for a fork, a smaller tree, and a proof that is longer, shorter or changed', async () => {
    await fc.assert(
      fc.asyncProperty(size, size, fc.nat(), async (a, b, pick) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)]
        const [old, now] = [
          { size: from, root: rootOf(from) },
          { size: to, root: rootOf(to) },
        ]
        const proof = consistencyProof(from, to, read)
        const other = leafHash(utf8('another'))
        expect(await verify(proof, { ...old, root: other }, now)).toBe(false)
        expect(await verify(proof, old, { ...now, root: other })).toBe(false)
        expect(await verify([...proof, other], old, now)).toBe(false)
        if (from !== to) expect(await verify(proof, now, old)).toBe(false)
        if (proof.length === 0) return
        expect(await verify(proof.slice(0, -1), old, now)).toBe(false)
        expect(await verify(proof.with(pick % proof.length, other), old, now)).toBe(false)
      }),
    )
  })
})
