/**
 * The Merkle tree of RFC 6962 section 2, kept in a flat table of hashes.
 *
 * The table's order and the names follow golang.org/x/mod/sumdb/tlog: a leaf's hash comes first,
 * then the hash of each subtree that the leaf completes.
 *
 * Hashing is synchronous on purpose: an append must not await between reading the tree and
 * writing to it, or two requests fork the log.
 *
 * @module
 */
import { sha256 as sha256OfNoble } from '@noble/hashes/sha2.js'
import { type Bytes, concat } from '../bytes.ts'

/** 32 bytes of SHA-256. */
export type Hash = Bytes

/** Size and root of a tree: what a checkpoint signs. */
export interface TreeHead {
  size: number
  root: Hash
}

/** Reads stored hashes by position. Returns one hash per position, in the same order. */
export type ReadHashes = (positions: readonly number[]) => Hash[]

/** SHA-256 without a promise: the same everywhere, or a runtime's own, which is several times as fast. */
export type Sha256 = (data: Uint8Array) => Hash

const portable: Sha256 = (data) => sha256OfNoble(data) as Hash
const LEAF = Uint8Array.of(0x00)
/** Comes before the two nodes that are hashed. */
export const NODE = Uint8Array.of(0x01)

/** SHA-256(0x00 || data), RFC 6962 section 2.1. */
export function leafHash(data: Uint8Array, sha256 = portable): Hash {
  return sha256(concat(LEAF, data))
}

/** SHA-256(0x01 || left || right), RFC 6962 section 2.1. */
export function nodeHash(left: Hash, right: Hash, sha256 = portable): Hash {
  return sha256(concat(NODE, left, right))
}

/** Maps node `n` of `level` (0 is the leaves) to its position in the table. */
export function position(level: number, n: number): number {
  for (let l = level; l > 0; l--) n = 2 * n + 1
  let p = level
  for (; n > 0; n = Math.floor(n / 2)) p += n
  return p
}

/**
 * Returns the hashes to store when leaf number `n` is added, the leaf's own first. They go to the
 * table from `position(0, n)` on. On average that is two hashes a leaf.
 */
export function hashesFor(n: number, leaf: Hash, read: ReadHashes, sha256 = portable): Hash[] {
  const positions: number[] = []
  // Each trailing 1 bit of n completes a subtree with the full one to its left.
  for (let level = 0, m = n; m % 2 === 1; level++, m = (m - 1) / 2) {
    positions.push(position(level, m - 1))
  }
  const hashes = [leaf]
  for (const left of read(positions)) hashes.push(nodeHash(left, hashes.at(-1)!, sha256))
  return hashes
}

/** Returns the root hash of the first `size` leaves, from at most 1 + log2(size) reads. */
export function treeHash(size: number, read: ReadHashes): Hash {
  if (size === 0) return portable(new Uint8Array())
  return read(subtrees(size)).reduceRight((right, left) => nodeHash(left, right))
}

/** Positions of the full subtrees that cover the first `size` leaves, left to right. */
export function subtrees(size: number): number[] {
  const positions: number[] = []
  for (let lo = 0; lo < size; ) {
    // Not Math.log2, which rounds up just below 2^n for large n.
    let level = 0
    while (2 ** (level + 1) <= size - lo) level++
    positions.push(position(level, lo / 2 ** level))
    lo += 2 ** level
  }
  return positions
}

/** The first entry of a log that has forgotten what was before it. */
export interface Start {
  index: number
  /** The hashes of the full subtrees that cover the entries before, left to right. */
  frontier: readonly Hash[]
}

/** The roots of the full subtrees that the leaves so far make, largest first: all that a root needs. */
export class GrowingTree {
  #size = 0
  readonly #subtrees: Hash[] = []

  /** A tree that has leaves already; `null` when the hashes are not as many as its subtrees. */
  static from({ index, frontier }: Start): GrowingTree | null {
    const ones = Number.isSafeInteger(index) && index >= 0 ? index.toString(2).replaceAll('0', '').length : -1
    if (frontier.length !== ones || frontier.some((hash) => hash.length !== 32)) return null
    const tree = new GrowingTree()
    tree.#size = index
    tree.#subtrees.push(...frontier)
    return tree
  }

  get size(): number {
    return this.#size
  }

  /** A copy of the roots, largest first. */
  get subtrees(): Hash[] {
    return [...this.#subtrees]
  }

  add(leaf: Hash): void {
    this.#subtrees.push(leaf)
    // Each trailing 1 bit of the old size joins two subtrees of one size.
    for (let n = this.#size; n % 2 === 1; n = (n - 1) / 2) {
      const right = this.#subtrees.pop()!
      this.#subtrees.push(nodeHash(this.#subtrees.pop()!, right))
    }
    this.#size++
  }

  root(): Hash {
    if (this.#size === 0) return portable(new Uint8Array())
    return this.#subtrees.reduceRight((right, left) => nodeHash(left, right))
  }
}
