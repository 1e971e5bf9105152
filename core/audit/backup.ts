/**
 * What a log says of backups of its vault, and of being restored from one.
 *
 * @module
 */
import { base64 } from '../bytes.ts'
import type { Outcome, Stores } from '../operation.ts'
import { task } from '../task.ts'
import type { TreeHead } from './log.ts'

/** The fact of a vault that says that it was restored, until its log does. Set by `worker/restore.ts`. */
export const RESTORED = 'restored'
/** The restoration that the log tells of. */
const NOTED = 'restoration'

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
  notable: true,
  resource: () => '',
  about: ({ file, bytes, head }: Backup) => ({ file, bytes, ...shown(head) }),
  run: (_: Stores, __: Backup): Outcome<null> => ({ value: null }),
})

/** A log that goes on from an earlier state, and what was kept elsewhere of the one that it replaces. */
export interface Restoration {
  head: TreeHead
  anchored: { target: string; head: TreeHead }[]
}

/**
 * Records that what came after this point is gone, because an operator said so. Once: an anchor that cannot be moved has
 * it done again.
 */
export const noteRestore = task({
  notable: 'alert',
  resource: () => '',
  about: (restoration: Restoration) => factsOf(restoration),
  run({ meta, now }: Stores & { now: number }, restoration: Restoration): Outcome<null> {
    // What opened the vault since its backup is not known any more: no ticket of before opens it again.
    meta.put(TICKETS_SINCE, String(Number(meta.find(RESTORED)) || now))
    const facts = JSON.stringify(factsOf(restoration))
    const known = meta.find(NOTED) === facts && meta.find(RESTORED) === null
    meta.remove(RESTORED)
    meta.put(NOTED, facts)
    return known ? { value: null, quiet: true } : { value: null }
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
    quiet: true,
  }),
})

function shown({ size, root }: TreeHead) {
  return { size, root: base64(root) }
}
