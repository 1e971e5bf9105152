/**
 * RFC 6962 section 2.1, word for word and slow: what the fast tree is checked against.
 *
 * @module
 */
import { createHash } from 'node:crypto'

/** MTH(D[n]): the Merkle tree hash of a list of entries. */
export function merkleTreeHash(entries: readonly Uint8Array[]): Buffer {
  if (entries.length === 0) return sha256()
  if (entries.length === 1) return sha256(Uint8Array.of(0x00), entries[0]!)
  // "k is the largest power of two smaller than n"
  let k = 1
  while (k * 2 < entries.length) k *= 2
  return sha256(Uint8Array.of(0x01), merkleTreeHash(entries.slice(0, k)), merkleTreeHash(entries.slice(k)))
}

function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
