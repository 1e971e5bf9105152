/**
 * Replacing the root key: a vault that is opened with a new root key, and with its own beside it as a former one, moves
 * to the new one.
 *
 * That begins a term under the new root key, to which all envelopes move as to any term (`key_tasks.ts`), and then a
 * term of the log's key. Rows that hold only a keyed hash cannot move: tokens, sessions and recovery codes stay valid
 * as long as their root key is configured.
 *
 * @module
 */
import type { Outcome } from '../operation.ts'
import type { Sql } from '../sql.ts'
import type { Stores } from '../stores.ts'
import { type TaskContext, task } from '../task.ts'
import { RootKeyStore, type RootRow, type RootUse } from './root_key_store.ts'

/** The ids of the present and former root keys of a vault. */
export interface RootKeys {
  /** Its own. */
  current: string
  /** All that it was ever under, the newest first. */
  history: RootRow[]
  /** The root keys that were former ones before the vault existed. */
  earlierRootKeys: string[]
  /** The root keys that must be configured: envelopes are sealed under them, or they sign the log. */
  needed: string[]
  /** The one that the key which signs the log derives from. */
  signing: string
}

/** The root keys of the server: the current one, those that it replaces, and all of them. */
export interface GivenRootKeys {
  current: string
  former: readonly string[]
  all: readonly string[]
}

/** Reads them from a store that was tied to a root key. */
export function rootsOf({ roots }: Pick<Stores, 'roots'>): RootKeys {
  const [current, signing] = [roots.current()!, roots.signing()!]
  return { current, signing, history: roots.all(), earlierRootKeys: roots.earlierRootKeys(), needed: roots.needed() }
}

/** Reads the root keys of any store, also of an older schema; `null` when it is bound to none. It writes nothing. */
export function rootsOfStore(sql: Sql): RootKeys | null {
  const isNow = sql.all("SELECT 1 FROM pragma_table_info('term') WHERE name = 'root'").length > 0
  if (isNow) {
    const roots = new RootKeyStore(sql)
    return roots.current() === null ? null : rootsOf({ roots })
  }
  const isVault = sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").length > 0
  const [row] = isVault ? sql.all<{ value: string }>("SELECT value FROM meta WHERE key = 'root'") : []
  if (row === undefined) return null
  const id = row.value
  return { current: id, signing: id, history: [{ id, since: 0 }], earlierRootKeys: [], needed: [id] }
}

/**
 * Whether a vault may be opened with root keys.
 *
 * @returns `own`: they are its; `replace`: the new one is to take the place of its own; else why it may not be.
 *   `missing`: one is not given that is still needed; `swapped`: the new one was replaced already, or was a former one
 *   before the vault was.
 */
export function judgeRoots(
  vault: RootKeys,
  given: GivenRootKeys,
): 'own' | 'replace' | 'foreign' | 'missing' | 'swapped' {
  const { current, history, earlierRootKeys, needed } = vault
  const isOwn = current === given.current
  if (!isOwn && [...history.map(({ id }) => id), ...earlierRootKeys].includes(given.current)) return 'swapped'
  if (!isOwn && !given.former.includes(current)) return 'foreign'
  if (needed.some((id) => !given.all.includes(id))) return 'missing'
  return isOwn ? 'own' : 'replace'
}

/** Lists the root keys of the vault, before it is used. */
export const lookAtRoots = task({
  resource: () => 'keys',
  run: (stores: Stores, _: Record<never, never>): Outcome<RootKeys> => ({ value: rootsOf(stores), unrecorded: true }),
})

/** Counts what is sealed under a root key: what would be lost without it. */
export const countRootUse = task({
  resource: () => 'keys',
  run: ({ roots }: Stores, { root }: { root: string }): Outcome<RootUse> => ({
    value: roots.use(root),
    unrecorded: true,
  }),
})

/** Replaces the vault's root key, and begins a term under the new one. */
export const replaceRoot = task({
  securityEvent: 'alert',
  resource: () => 'keys',
  resourceFacts: ({ from, to }: { from: string; to: string }) => ({ rootKey: to, before: from }),
  run(context: TaskContext, { from, to }: { from: string; to: string }): Outcome<{ term: number }> {
    const { keys, roots, replication, now } = context
    // Done before: an edge that opened the vault at the same time.
    if (roots.current() !== from) return { reason: 'superseded', unrecorded: true }
    const { number } = keys.start(null, now, to)
    // Keyed digests of values: those to come could not be compared with them.
    replication.forgetDigests()
    return { value: { term: number }, facts: { term: number } }
  },
})
