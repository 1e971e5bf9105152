/**
 * Operations on the log.
 *
 * @module
 */

import { equal } from '../../bytes.ts'
import type { Hash, TreeHead } from '../../tlog/merkle.ts'
import { consistencyProof, inclusionProof } from '../../tlog/proof.ts'
import { TILE_WIDTH, type Tile, tileHashes } from '../../tlog/tile.ts'
import { type OperationContext, type Outcome, operation } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { type TaskContext, task } from '../task.ts'
import type { SignedCheckpoint } from './checkpoint_store.ts'
import type { Delivery } from './delivery_store.ts'
import type { Entry } from './log.ts'
import type { LogKey } from './log_key_store.ts'
import type { LogRetention } from './retention_store.ts'
import type { Severity } from './severity.ts'

/** Checkpoints and proofs hold only hashes: any principal of the vault may have them. */
const open = { action: null, resource: () => 'audit' } as const

/** Entries of the log, and what it takes to verify them. */
export interface Entries {
  head: TreeHead
  /** The first entry that is kept. */
  min: number
  /** The hashes that stand for what is below it; only with the first entries that are kept. */
  frontier: Hash[]
  entries: Entry[]
}

/** Reads entries, with the head that covers them. */
export const readEntries = operation({
  action: 'admin',
  resource: () => 'audit',
  approvalBinding: 'nothing',
  // The head is that of before this very request is recorded: it covers the entries shown.
  run({ log, retention }, { from, limit, severity = 'info' }: EntriesInput): Outcome<Entries> {
    const { min } = retention
    const entries = log.entries(Math.max(from, min), limit, { severity })
    const frontier = from <= min ? log.frontier(min) : []
    const facts = { from, count: entries.length, severity }
    return { value: { head: log.head(), min, frontier, entries }, facts }
  },
})

interface EntriesInput {
  from: number
  limit: number
  /** The lowest severity to return. */
  severity?: Severity
}

/** The caller's own last entries, newest first. Unrecorded: it reveals nothing that was not the caller's own. */
export const readMine = operation({
  action: null,
  resource: () => 'self',
  run: ({ log, principal }: OperationContext, { limit }: { limit: number }): Outcome<Entry[]> => ({
    value: log.entriesOf(principal, limit),
    unrecorded: true,
  }),
})

/** The head as it is, and the newest checkpoint: who has the key signs the head when it is newer. */
export interface Head {
  head: TreeHead
  signed: SignedCheckpoint | null
  /** The term of the key that signs, and the verifier keys of terms: of the first only if it cannot be derived any more. */
  term: number
  keys: LogKey[]
  /** The root key that the next term is to derive from, and the one that the first does. */
  root: string | null
  firstRoot: string | null
}

function head({ log, logKeys, checkpoints, roots }: Stores): Head {
  const keys = { term: logKeys.term(), keys: logKeys.list(), root: roots.current(), firstRoot: roots.first() }
  return { head: log.head(), signed: checkpoints.newest(), ...keys }
}

// Quiet, as all proofs are: each would otherwise move the head that it is about.
function headOf(stores: Stores): Outcome<Head> {
  return { value: head(stores), unrecorded: true }
}

/** The state of the log. */
export interface Status extends Head {
  retention: LogRetention
  deliveries: Delivery[]
}

/** Reads the state of the log: its head, keys, retention and deliveries. */
export const readStatus = operation({
  action: 'admin',
  resource: () => 'audit',
  approvalBinding: 'nothing',
  run(context: OperationContext, _: Record<never, never>): Outcome<Status> {
    const { retention, deliveries } = context
    return { value: { ...head(context), retention: retention.current(), deliveries: deliveries.list() } }
  },
})

/** A checkpoint that the edge signed. */
type Signed = TreeHead & { note: string }

/** Keeps it, when it is of this very tree. */
function keep(stores: Stores & { now: number }, { size, root, note }: Signed): Outcome<{ size: number }> {
  const { log, checkpoints, now } = stores
  if (whyNot(stores, size) !== null || !equal(log.rootAt(size), root)) return { reason: 'tampered', facts: { size } }
  checkpoints.put(size, note, now)
  return { value: { size }, unrecorded: true }
}

/** Reads the head and the newest checkpoint, for a caller. */
export const readHead = operation({ ...open, run: (context, _: Record<never, never>) => headOf(context) })
/** Stores a checkpoint that the edge signed for a caller. */
export const keepCheckpoint = operation({ ...open, run: (context, signed: Signed) => keep(context, signed) })

/** The newest checkpoint that a witness cosigned: an earlier one than the newest, as a rule. */
export const readCosigned = operation({
  ...open,
  run({ checkpoints }: OperationContext, _: Record<never, never>): Outcome<SignedCheckpoint> {
    const found = checkpoints.newestCosigned()
    return found === null ? { reason: 'no_cosignature', unrecorded: true } : { value: found, unrecorded: true }
  },
})

/** The head and the newest checkpoint, for a vault that signs by itself. */
export const headTask = task({ resource: () => 'audit', run: (context, _: Record<never, never>) => headOf(context) })
/** Stores a checkpoint that the edge signed by itself. */
export const keepTask = task({ resource: () => 'audit', run: (context, signed: Signed) => keep(context, signed) })

/**
 * Begins the next term of the key that signs checkpoints. Its entry holds the new verifier key and is covered by
 * checkpoints under the old key too: a client that trusts the old key can learn the new one from the log itself.
 */
export const rekeyLog = operation({
  action: 'admin',
  securityEvent: true,
  resource: () => 'audit',
  resourceFacts: ({ term, key }: NewLogKey) => ({ term, key }),
  approvalBinding: 'nothing',
  run(
    { logKeys, roots, now }: OperationContext,
    { term, key, root = roots.current() }: NewLogKey,
  ): Outcome<{ term: number }> {
    // Another was faster: its key is the next, and the one given belongs to no term. Or it is of a former root key.
    if (term !== logKeys.term() + 1 || root !== roots.current()) return { reason: 'raced' }
    logKeys.add({ term, key, root }, now)
    return { value: { term } }
  },
})

/** A verifier key to be. */
interface NewLogKey {
  term: number
  key: string
  root?: string | null
}

/**
 * Begins the next term for a vault whose root key was replaced. The key of the first term can no longer be derived once
 * the former root key is gone, so its verifier key is stored.
 */
export const rekeyTask = task({
  securityEvent: true,
  resource: () => 'audit',
  resourceFacts: ({ term, key }: NewLogKey) => ({ term, key }),
  run(context: TaskContext, input: Required<NewLogKey> & { first: string }): Outcome<{ term: number }> {
    const { logKeys, roots, now } = context
    const { term, key, root, first } = input
    if (term !== logKeys.term() + 1 || root !== roots.current() || roots.signing() === root)
      return { reason: 'superseded', unrecorded: true }
    const isKept = logKeys.list().some((known) => known.term === 1)
    if (!isKept) logKeys.add({ term: 1, key: first, root: roots.first() }, now)
    logKeys.add({ term, key, root }, now)
    return { value: { term } }
  },
})

/** An inclusion proof and what it is about. */
export interface Inclusion {
  leaf: Hash
  root: Hash
  hashes: Hash[]
}

/** Proves that an entry is in the tree of a size. */
export const proveInclusion = operation({
  ...open,
  run(context: OperationContext, { index, size }: { index: number; size: number }): Outcome<Inclusion> {
    const { log } = context
    if (index >= size) return { reason: 'no_entry', unrecorded: true }
    const missing = whyNot(context, index) ?? whyNot(context, size)
    if (missing !== null) return { reason: missing, unrecorded: true }
    const hashes = inclusionProof(index, size, log.read)
    return { value: { leaf: log.leafAt(index), root: log.rootAt(size), hashes }, unrecorded: true }
  },
})

/** Two sizes of a tree, the smaller first. */
interface Sizes {
  from: number
  to: number
}

function consistency(stores: Stores, { from, to }: Sizes): Outcome<{ hashes: Hash[] }> {
  if (from > to) return { reason: 'no_entry', unrecorded: true }
  // An empty tree, or the same size, needs no proof.
  const missing = from === 0 || from === to ? whyNot(stores, to) : (whyNot(stores, from) ?? whyNot(stores, to))
  if (missing !== null) return { reason: missing, unrecorded: true }
  return { value: { hashes: consistencyProof(from, to, stores.log.read) }, unrecorded: true }
}

/** Proves that a larger tree continues a smaller one. */
export const proveConsistency = operation({ ...open, run: (context, sizes: Sizes) => consistency(context, sizes) })
/** Proves consistency for a witness. */
export const consistencyTask = task({
  resource: () => 'audit',
  run: (context, sizes: Sizes) => consistency(context, sizes),
})

/**
 * Compares the log with a checkpoint that was stored elsewhere. It refuses a log that is smaller or has other entries.
 * Nothing is recorded: an entry would fork the log that should continue.
 */
export const compareHead = task({
  resource: () => 'audit',
  run({ log, retention }: Stores, { size, root }: TreeHead): Outcome<{ size: number }> {
    if (size > log.size) return { reason: 'rolled_back', unrecorded: true }
    // Retention stops at what is anchored: a log that has forgotten that much is another.
    const same = size >= retention.min && equal(log.rootAt(size), root)
    return same ? { value: { size: log.size }, unrecorded: true } : { reason: 'rolled_back', unrecorded: true }
  },
})

/** Records that a witness did not believe the log, or has seen more of it than there is. */
export const reportDissent = task({
  resource: () => 'audit',
  run: (_: Stores, { witness, size }: { witness: string; size: number | null }): Outcome<never> => ({
    reason: 'rolled_back',
    facts: { witness, size },
  }),
})

/** Entries to be sent elsewhere, at most so many bytes of them. */
export const readBatch = task({
  resource: () => 'audit',
  run(
    { log, retention }: Stores,
    { from, limit, maxBytes }: { from: number; limit: number; maxBytes: number },
  ): Outcome<Batch> {
    const start = Math.max(from, retention.min)
    return { value: { start, entries: log.entries(start, limit, { maxBytes }) }, unrecorded: true }
  },
})

/** Entries from `start` on. It is later than requested when earlier entries are past their retention. */
export interface Batch {
  start: number
  entries: Entry[]
}

/** Reads the hashes of a tile (C2SP tlog-tiles). */
export const readTile = operation({
  ...open,
  run({ log, retention }: OperationContext, tile: Tile): Outcome<{ hashes: Uint8Array }> {
    if (tile.level === 0 && tile.n * TILE_WIDTH < retention.min) return { reason: 'pruned', unrecorded: true }
    const hashes = tileHashes(tile, log.size, log.read)
    return hashes === null ? { reason: 'no_entry', unrecorded: true } : { value: { hashes }, unrecorded: true }
  },
})

/** Why an index or a size cannot be proven; `null` when it can. */
function whyNot({ log, retention }: Pick<Stores, 'log' | 'retention'>, n: number): 'no_entry' | 'pruned' | null {
  if (n > log.size) return 'no_entry'
  return n < retention.min ? 'pruned' : null
}
