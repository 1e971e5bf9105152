/**
 * Retention of versions: what a vault's policy keeps no longer is erased. The current, previous and pending versions
 * always stay, and so does the history of all.
 *
 * @module
 */

import { DAY_MS } from '../../durations.ts'
import { byName, type Outcome } from '../operation.ts'
import { type TaskContext, task } from '../task.ts'
import { IDEMPOTENCY_MS } from './idempotency.ts'
import type { Bounds, Prunable } from './store.ts'
import { type KeptVersions, keptAt } from './value_policy_store.ts'

const BATCH = 500

/** Finds, among some secrets after an id, those with versions to erase; none when the policy keeps all. */
export const findPrunable = task({
  resource: () => 'policy',
  run(context: TaskContext, { after }: { after: number }): Outcome<Prunable> {
    // Keyed hashes of values: kept only as long as they identify a repeated write.
    context.secrets.forgetWrites(context.now - IDEMPOTENCY_MS)
    const bounds = boundsNow(context)
    const found =
      bounds === null ? { names: [], after: null } : context.secrets.prunable(after, { ...bounds, limit: BATCH })
    return { value: found, unrecorded: true }
  },
})

/** Erases those of one secret. */
export const pruneVersions = task({
  resource: byName,
  securityEvent: true,
  run(context: TaskContext, { name }: { name: string }): Outcome<{ versions: number[] }> {
    const secret = context.secrets.find(name)
    const bounds = boundsNow(context)
    if (secret === null || bounds === null) return { value: { versions: [] }, unrecorded: true }
    const versions = context.secrets.prune(secret.id, bounds, context.now)
    return versions.length === 0
      ? { value: { versions }, unrecorded: true }
      : { value: { versions }, facts: { versions } }
  },
})

function boundsNow({ policy, now }: TaskContext): Bounds | null {
  return boundsOf(keptAt(policy.get(), now), now)
}

/** The versions that a policy erases; `null` when it keeps all. */
export function boundsOf({ keepVersions, keepVersionDays }: KeptVersions, now: number): Bounds | null {
  if (keepVersions === null && keepVersionDays === null) return null
  return {
    keep: keepVersions ?? Number.MAX_SAFE_INTEGER,
    oldest: keepVersionDays === null ? 0 : now - keepVersionDays * DAY_MS,
  }
}
