import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Hash, hashesFor, leafHash, nodeHash, position, treeHash } from '../../../../core/tlog/merkle.ts'
import { bytesOf } from '../../../support/core.ts'
import { hexOf } from '../../../support/hex.ts'
import { merkleTreeHash } from '../../../support/reference/rfc6962.ts'

/** The table in an array, with no place left empty. */
function build(leaves: readonly Uint8Array[]) {
  const table: Hash[] = []
  const reads: number[] = []
  const read = (positions: readonly number[]) => {
    reads.push(positions.length)
    return positions.map((p) => {
      const hash = table[p]
      if (hash === undefined) throw new Error(`Position ${p} was read before it was written`)
      return hash
    })
  }
  for (const [n, leaf] of leaves.entries()) {
    expect(position(0, n)).toBe(table.length)
    table.push(...hashesFor(n, leafHash(leaf), read))
  }
  return { table, read, reads }
}

// transparency-dev/merkle, testonly/constants.go.
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  (text) => bytesOf(text, 'hex'),
)
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

describe('treeHash', () => {
  it.each(ROOTS.map((root, size) => [size, root] as const))(
    'is right for the first %i known leaves: %s',
    (size, root) => {
      expect(hexOf(treeHash(size, build(LEAVES).read))).toBe(root)
      expect(hexOf(merkleTreeHash(LEAVES.slice(0, size)))).toBe(root)
    },
  )

  it('agrees with the recursion of RFC 6962 at every size from 0 to 300', () => {
    const leaves = Array.from({ length: 300 }, (_, n) => bytesOf(`entry ${n}`))
    const { read } = build(leaves)
    for (let size = 0; size <= 300; size++) {
      expect(hexOf(treeHash(size, read)), `size ${size}`).toBe(hexOf(merkleTreeHash(leaves.slice(0, size))))
    }
  })

  it('agrees with the recursion of RFC 6962 on any leaves', () => {
    const leaves = fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 300, size: 'max' })
    fc.assert(
      fc.property(leaves, fc.nat(300), (all, cut) => {
        const size = Math.min(cut, all.length)
        expect(hexOf(treeHash(size, build(all).read))).toBe(hexOf(merkleTreeHash(all.slice(0, size))))
      }),
      { numRuns: 50 },
    )
  })

  it('reads at most one hash per bit of the size', () => {
    const { read, reads } = build(Array(255).fill(bytesOf('x')))
    treeHash(255, read)
    expect(reads.at(-1)).toBe(8)
    treeHash(128, read)
    expect(reads.at(-1)).toBe(1)
  })

  it('uses positions that a double holds exactly, up to the largest size', () => {
    const asked: number[] = []
    const read = (positions: readonly number[]) => {
      asked.push(...positions)
      return positions.map(() => leafHash(new Uint8Array()))
    }
    treeHash(2 ** 52 - 1, read)
    expect(asked).toHaveLength(52)
    expect(asked.every(Number.isSafeInteger)).toBe(true)
    expect(asked.every((p, i) => i === 0 || p > asked[i - 1]!)).toBe(true)
  })
})

describe('leafHash and nodeHash', () => {
  it('differ in their first byte, so that no node passes for a leaf', () => {
    const [left, right] = [leafHash(bytesOf('a')), leafHash(bytesOf('b'))]
    const asLeaf = leafHash(Uint8Array.from([...left, ...right]))
    expect(hexOf(nodeHash(left, right))).not.toBe(hexOf(asLeaf))
    expect(hexOf(nodeHash(left, right))).not.toBe(hexOf(nodeHash(right, left)))
  })

  it('hash the known vectors', () => {
    expect(hexOf(leafHash(new Uint8Array()))).toBe(ROOTS[1])
    expect(hexOf(nodeHash(leafHash(LEAVES[0]!), leafHash(LEAVES[1]!)))).toBe(ROOTS[2])
  })
})

describe('position', () => {
  it('numbers each node once and leaves no gap, children before their parent', () => {
    const seen = new Set<number>()
    for (let level = 0; level < 9; level++) {
      for (let n = 0; n < 256 >> level; n++) {
        const p = position(level, n)
        if (level > 0) expect(p).toBe(position(level - 1, 2 * n + 1) + 1)
        seen.add(p)
      }
    }
    expect([...seen].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 511 }, (_, i) => i))
  })
})
