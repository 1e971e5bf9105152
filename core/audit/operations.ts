/**
 * What can be asked of a vault's log.
 *
 * @module
 */

import { equal } from '../bytes.ts'
import { type Context, type Outcome, operation } from '../operation.ts'
import type { Entry, SignedCheckpoint, TreeHead } from './log.ts'
import type { Hash } from './merkle.ts'
import { consistencyProof, inclusionProof } from './proof.ts'
import { type Tile, tileHashes } from './tile.ts'

/** Checkpoints and proofs hold hashes only: whoever may ask the vault anything may have them. */
const open = { action: null, resource: () => 'audit' } as const

export const readEntries = operation({
  action: 'admin',
  resource: () => 'audit',
  // The head is that of before this very request is recorded: it covers the entries shown.
  run({ log }, { from, limit }: { from: number; limit: number }): Outcome<{ head: TreeHead; entries: Entry[] }> {
    const entries = log.entries(from, limit)
    return { value: { head: log.head(), entries }, facts: { from, count: entries.length } }
  },
})

/** The newest checkpoint, and the head as it is: the edge signs it when it is newer. */
export const readHead = operation({
  ...open,
  run({ log }: Context, _: Record<never, never>): Outcome<{ head: TreeHead; signed: SignedCheckpoint | null }> {
    // Quiet, as all proofs are: each would otherwise move the head that it is about.
    return { value: { head: log.head(), signed: log.checkpoint() }, quiet: true }
  },
})

/** Keeps a checkpoint that the edge signed: of this very tree, or none. */
export const keepCheckpoint = operation({
  ...open,
  run({ log, now }: Context, { size, root, note }: TreeHead & { note: string }): Outcome<{ size: number }> {
    if (size > log.size || !equal(log.rootAt(size), root)) return { reason: 'tampered', facts: { size } }
    log.keepCheckpoint(size, note, now)
    return { value: { size }, quiet: true }
  },
})

/** An inclusion proof and what it is about. */
export interface Inclusion {
  leaf: Hash
  root: Hash
  hashes: Hash[]
}

export const proveInclusion = operation({
  ...open,
  run({ log }: Context, { index, size }: { index: number; size: number }): Outcome<Inclusion> {
    if (size > log.size || index >= size) return { reason: 'no_entry', quiet: true }
    const hashes = inclusionProof(index, size, log.read)
    return { value: { leaf: log.leafAt(index), root: log.rootAt(size), hashes }, quiet: true }
  },
})

export const proveConsistency = operation({
  ...open,
  run({ log }: Context, { from, to }: { from: number; to: number }): Outcome<{ hashes: Hash[] }> {
    if (from > to || to > log.size) return { reason: 'no_entry', quiet: true }
    return { value: { hashes: consistencyProof(from, to, log.read) }, quiet: true }
  },
})

export const readTile = operation({
  ...open,
  run({ log }: Context, tile: Tile): Outcome<{ hashes: Uint8Array }> {
    const hashes = tileHashes(tile, log.size, log.read)
    return hashes === null ? { reason: 'no_entry', quiet: true } : { value: { hashes }, quiet: true }
  },
})
