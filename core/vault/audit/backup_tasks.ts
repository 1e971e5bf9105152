/**
 * Tasks that record backups of a vault, and its restoration from one.
 *
 * @module
 */
import { base64, equal } from '../../bytes.ts'
import type { TreeHead } from '../../tlog/merkle.ts'
import type { Outcome } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { task } from '../task.ts'

/** The key of the fact that a vault was restored, until its log records it. Set by `cli/restore.ts`. */
export const RESTORED = 'restored'
/** The last restoration that the log records. */
const NOTED = 'restoration'

/** The backups that this log recorded, with their roots: retention may erase the entries that identify them. */
const MADE = 'backups'
/** The most backups that can be kept. */
const MAX_MADE = 1000

/** A backup that was found, and the log that its checkpoint is of. */
export type FoundBackup = Omit<Backup, 'bytes'>
/** Since when tickets have to be made: see `access/ticket_operations.ts`. */
export const TICKETS_SINCE = 'tickets_since'

/** A backup: its file, and the log that it holds. */
export interface Backup {
  file: string
  bytes: number
  head: TreeHead
}

/** Records that all of the vault, as it was, is in a file elsewhere now. */
export const noteBackup = task({
  securityEvent: true,
  resource: () => '',
  resourceFacts: ({ file, bytes, head }: Backup) => ({ file, bytes, ...shown(head) }),
  run({ meta }: Stores, { file, head }: Backup): Outcome<null> {
    const made = [...madeBackups(meta), [file, base64(head.root)] as const]
    meta.put(MADE, JSON.stringify(made.slice(-MAX_MADE)))
    return { value: null }
  },
})

/**
 * Finds the backups of this log: those that it recorded, and those that hold its beginning. Another vault of the same
 * id has other entries, and so another root at each size.
 */
export const findOwnBackups = task({
  resource: () => '',
  run({ log, retention, meta }: Stores, { backups }: { backups: readonly FoundBackup[] }): Outcome<string[]> {
    const made = new Map(madeBackups(meta))
    const { min } = retention
    const isBeginning = ({ size, root }: TreeHead) =>
      size > 0 && size >= min && size <= log.size && equal(log.rootAt(size), root)
    const own = backups.filter(({ file, head }) => made.get(file) === base64(head.root) || isBeginning(head))
    return { value: own.map(({ file }) => file), unrecorded: true }
  },
})

function madeBackups(meta: Stores['meta']): (readonly [file: string, root: string])[] {
  return JSON.parse(meta.find(MADE) ?? '[]')
}

/** A log that continues from an earlier state, and the checkpoints elsewhere of the log that it replaces. */
export interface Restoration {
  head: TreeHead
  anchored: { target: string; head: TreeHead }[]
}

/**
 * Records that an operator accepted the loss of all later entries. Once: it is repeated if an anchor cannot be moved.
 */
export const noteRestore = task({
  securityEvent: 'alert',
  resource: () => '',
  resourceFacts: (restoration: Restoration) => factsOf(restoration),
  run({ meta, now }: Stores & { now: number }, restoration: Restoration): Outcome<null> {
    // The tickets used since the backup are unknown, so no earlier ticket opens the vault again.
    meta.put(TICKETS_SINCE, String(Number(meta.find(RESTORED)) || now))
    const facts = JSON.stringify(factsOf(restoration))
    const known = meta.find(NOTED) === facts && meta.find(RESTORED) === null
    meta.remove(RESTORED)
    meta.put(NOTED, facts)
    return known ? { value: null, unrecorded: true } : { value: null }
  },
})

function factsOf({ head, anchored }: Restoration) {
  return { ...shown(head), replaces: anchored.map(({ target, head }) => ({ target, ...shown(head) })) }
}

/** Whether the vault was restored since it was last opened. */
export const findRestore = task({
  resource: () => '',
  run: ({ meta }: Stores, _: Record<never, never>): Outcome<boolean> => ({
    value: meta.find(RESTORED) !== null,
    unrecorded: true,
  }),
})

function shown({ size, root }: TreeHead) {
  return { size, root: base64(root) }
}
