/**
 * Proofs about the log (RFC 6962 section 2.1, RFC 9162 sections 2.1.3 and 2.1.4): that an entry is in a
 * tree, and that one tree is the beginning of another.
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, equal } from '../bytes.ts'
import { type Hash, NODE, nodeHash, position, type ReadHashes } from './merkle.ts'

/**
 * The audit path of a leaf: the sibling of each node from the leaf up to the root.
 *
 * It requires 0 <= index < size. At most log2(size) hashes, each from at most log2(size) reads in one go.
 */
export function inclusionProof(index: number, size: number, read: ReadHashes): Hash[] {
  return path(index, 0, size).map(([lo, hi]) => rangeHash(lo, hi, read))
}

/**
 * Proves that the tree of the first `from` leaves is the beginning of that of the first `to`.
 *
 * It requires 0 <= from <= to. Nothing has to be proven for an empty beginning or an equal end.
 */
export function consistencyProof(from: number, to: number, read: ReadHashes): Hash[] {
  if (from === 0 || from === to) return []
  return subproof(from, 0, to, true).map(([lo, hi]) => rangeHash(lo, hi, read))
}

/** Checks an inclusion proof (RFC 9162 section 2.1.3.2). All but the root may come from an attacker. */
export function verifyInclusion(
  proof: readonly Hash[],
  {
    index,
    size,
    leaf,
    root,
  }: {
    index: number
    size: number
    leaf: Hash
    root: Hash
  },
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size || !areHashes([...proof, leaf, root])) return false
  let node = leaf
  let fn = index
  let sn = size - 1
  for (const sibling of proof) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      node = nodeHash(sibling, node)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else node = nodeHash(node, sibling)
    ;[fn, sn] = [half(fn), half(sn)]
  }
  return sn === 0 && equal(node, root)
}

interface Tree {
  size: number
  root: Hash
}

/** Checks a consistency proof (RFC 9162 section 2.1.4.2). */
export function verifyConsistency(proof: readonly Hash[], old: Tree, now: Tree): boolean {
  const check = consistencyCheck(proof, old, now)
  let step = check.next()
  while (!step.done) step = check.next(sha256(concat(...step.value)) as Hash)
  return step.value
}

/** Checks a proof with the hashes of the platform, for clients that must stay small. */
export async function verifyConsistencyByPlatform(proof: readonly Hash[], old: Tree, now: Tree): Promise<boolean> {
  const check = consistencyCheck(proof, old, now)
  let step = check.next()
  while (!step.done) {
    step = check.next(new Uint8Array(await crypto.subtle.digest('SHA-256', concat(...step.value))))
  }
  return step.value
}

/** The check itself. It yields the bytes to hash and resumes with their SHA-256, computed synchronously or not. */
function* consistencyCheck(proof: readonly Hash[], old: Tree, now: Tree): Generator<Uint8Array[], boolean, Hash> {
  if (!isSize(old.size) || !isSize(now.size) || old.size > now.size) return false
  if (!areHashes([...proof, old.root, now.root])) return false
  // The root of an empty tree is always the hash of the empty string (RFC 9162 section 2.1.1).
  if (old.size === 0 && !equal(old.root, yield [])) return false
  if (old.size === now.size) return proof.length === 0 && equal(old.root, now.root)
  if (old.size === 0) return proof.length === 0
  // A whole subtree at the beginning needs no proof of itself.
  const [first, ...rest] = isPowerOfTwo(old.size) ? [old.root, ...proof] : proof
  if (first === undefined) return false
  let fn = old.size - 1
  let sn = now.size - 1
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)]
  let fr = first
  let sr = first
  for (const hash of rest) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      fr = yield [NODE, hash, fr]
      sr = yield [NODE, hash, sr]
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else sr = yield [NODE, sr, hash]
    ;[fn, sn] = [half(fn), half(sn)]
  }
  return sn === 0 && equal(fr, old.root) && equal(sr, now.root)
}

type Range = [lo: number, hi: number]

/** PATH(m, D[lo:hi]) of RFC 6962 section 2.1.1, as the ranges of leaves whose hashes it is made of. */
function path(index: number, lo: number, hi: number): Range[] {
  if (hi - lo <= 1) return []
  const mid = lo + split(hi - lo)
  return index < mid ? [...path(index, lo, mid), [mid, hi]] : [...path(index, mid, hi), [lo, mid]]
}

/** SUBPROOF(m, D[lo:hi], b) of RFC 6962 section 2.1.2. `m` counts from the first leaf of all. */
function subproof(m: number, lo: number, hi: number, complete: boolean): Range[] {
  if (m === hi) return complete ? [] : [[lo, hi]]
  const mid = lo + split(hi - lo)
  return m <= mid ? [...subproof(m, lo, mid, complete), [mid, hi]] : [...subproof(m, mid, hi, false), [lo, mid]]
}

/** MTH(D[lo:hi]), where the range is one that the recursion above makes: full subtrees, the last may be cut. */
function rangeHash(lo: number, hi: number, read: ReadHashes): Hash {
  const positions: number[] = []
  for (let at = lo; at < hi; ) {
    let level = 0
    while (2 ** (level + 1) <= hi - at) level++
    positions.push(position(level, at / 2 ** level))
    at += 2 ** level
  }
  return read(positions).reduceRight((right, left) => nodeHash(left, right))
}

/** The largest power of two below `n`. It requires n > 1. */
function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

function half(n: number): number {
  return Math.floor(n / 2)
}

function isPowerOfTwo(n: number): boolean {
  return n > 0 && 2 ** Math.round(Math.log2(n)) === n
}

function isSize(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0
}

function areHashes(proof: readonly Hash[]): boolean {
  return proof.length <= 64 && proof.every((hash) => hash.length === 32)
}
