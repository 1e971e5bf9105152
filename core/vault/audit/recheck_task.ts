/**
 * Checks the rows of a log against each other, from the entries up: edited rows are found without waiting for an
 * auditor. The columns that index entries are in no hash; they are rebuilt from the entries.
 *
 * @module
 */
import { base64, equal, parseUtf8 } from '../../bytes.ts'
import type { TreeHead } from '../../tlog/merkle.ts'
import { GrowingTree, type Hash } from '../../tlog/merkle.ts'
import type { Outcome } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { task } from '../task.ts'
import type { IndexedEntry, Log } from './log.ts'
import { rank } from './severity.ts'

/** How far a check has come: entries below `next` were read. */
export interface Checked {
  next: number
  /** The hashes of the full subtrees that the leaves so far make. */
  subtrees: Hash[]
}

/** The result of one part of a check. */
export type CheckResult =
  | { kind: 'going'; state: Checked }
  | { kind: 'whole' }
  /** The first entry that is wrong; `null`: the tree as a whole is. */
  | { kind: 'changed'; index: number | null }

/** The input of one part of a check. */
interface Slice {
  /** `null` starts from the beginning. */
  state: Checked | null
  limit: number
  /** Heads of this log that were kept elsewhere. */
  heads: readonly TreeHead[]
}

/**
 * Whether the entries and the tree have one size. Checked before the first append, in a few reads. Nothing is recorded.
 */
export const isLogSound = task({
  resource: () => 'audit',
  run: ({ log }: Stores, _: Record<never, never>): Outcome<boolean> => ({ value: log.isSound(), unrecorded: true }),
})

/**
 * Reads the next entries, and checks that each is in its place, follows the entry before it, and that together they
 * make the tree and the heads. It records, as an alert, only a repair of the index columns.
 */
export const recheckLog = task({
  resource: () => 'audit',
  securityEvent: 'alert',
  run({ log, retention }: Stores, { state, limit, heads }: Slice): Outcome<CheckResult> {
    const { min } = retention
    // Entries that retention erased meanwhile were checked; the rest is read from its new beginning.
    const begun = state === null || state.next < min ? { next: min, subtrees: log.frontier(min) } : state
    const tree = GrowingTree.from({ index: begun.next, frontier: begun.subtrees })
    if (tree === null) return { value: { kind: 'changed', index: null }, unrecorded: true }
    let previous: Hash | null | undefined =
      begun.next === 0 ? null : begun.next === min ? undefined : log.leafAt(begun.next - 1)
    const wrong: IndexedEntry[] = []
    for (const row of log.indexed(begun.next, limit)) {
      const entry = entryIn(row, tree.size, previous)
      if (entry === null) return { value: { kind: 'changed', index: tree.size }, unrecorded: true }
      previous = log.hashOf(row.body)
      tree.add(previous)
      if (heads.some((head) => differs(tree, head)))
        return { value: { kind: 'changed', index: null }, unrecorded: true }
      const own = { severity: rank(entry.severity), principal: entry.principal }
      if (own.severity !== (row.severity ?? 0) || own.principal !== row.principal) wrong.push({ ...row, ...own })
    }
    const next = tree.size
    const done = next >= log.size
    if (done && !isTreeOf(log, tree)) return { value: { kind: 'changed', index: null }, unrecorded: true }
    const strays = done ? log.dropStrays() : 0
    for (const row of wrong) log.index(row)
    const value: CheckResult = done ? { kind: 'whole' } : { kind: 'going', state: { next, subtrees: tree.subtrees } }
    const repaired = wrong.length + strays
    return repaired === 0 ? { value, unrecorded: true } : { value, facts: { repaired, first: wrong[0]?.index ?? null } }
  },
})

interface OwnFacts {
  severity: 'info' | 'notice' | 'warning' | 'alert'
  principal: string | null
}

/** The facts that an entry states about itself; `null` when it does not belong in its place. */
function entryIn({ index, body }: IndexedEntry, expected: number, previous: Hash | null | undefined): OwnFacts | null {
  if (index !== expected) return null
  try {
    const entry = JSON.parse(parseUtf8(body) ?? '')
    if (entry.index !== expected) return null
    const link = previous === null ? null : previous && base64(previous)
    return link === undefined || link === entry.previous ? entry : null
  } catch {
    return null
  }
}

function differs(tree: GrowingTree, { size, root }: TreeHead): boolean {
  return tree.size === size && !equal(tree.root(), root)
}

function isTreeOf(log: Log, tree: GrowingTree): boolean {
  const stored = log.frontier(tree.size)
  return tree.size === log.size && stored.every((hash, i) => equal(hash, tree.subtrees[i] ?? new Uint8Array()))
}
