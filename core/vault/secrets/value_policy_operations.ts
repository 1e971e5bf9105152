/**
 * A vault's policy: what its values have to be like, and how many old ones are kept.
 *
 * @module
 */

import type { Reason } from '../../errors.ts'
import { applies } from '../access/rules.ts'
import { NOTICE_MS } from '../audit/log_retention.ts'
import { notify } from '../notifications/tasks.ts'
import { type OperationContext, type Outcome, operation } from '../operation.ts'
import { type KeptVersions, keptAt, type VaultPolicy, type VersionedPolicy } from './value_policy_store.ts'
import { boundsOf } from './version_retention_tasks.ts'

const onPolicy = { action: 'admin', resource: () => 'policy' } as const

/** Shows the policy, and an announced stricter one. */
export const showPolicy = operation({
  ...onPolicy,
  approvalBinding: 'nothing',
  run: ({ policy }: OperationContext, _: Record<never, never>): Outcome<VersionedPolicy> => ({ value: policy.get() }),
})

/** Replaces the policy. */
export const putPolicy = operation({
  ...onPolicy,
  securityEvent: true,
  approvalBinding: ({ policy }, after: VaultPolicy) => ({ policy: after, version: policy.get().version }),
  run(context: OperationContext, after: VaultPolicy): Outcome<VersionedPolicy> {
    const { policy, hooks, now, principal } = context
    if (after.notify !== null && hooks.find(after.notify) === null) return { reason: 'no_hook' }
    const before = policy.get()
    const isErasing = isStricter(after, keptAt(before, now))
    const refused = isErasing ? objectionToErasing(context) : null
    if (refused !== null) return { reason: refused }
    const erasing = isErasing ? announced(context, before, after) : null
    policy.put({ ...after, version: before.version + 1, until: erasing?.until ?? null }, now, principal)
    const facts = { before: shown(before), after: shown(after), ...erasing?.facts }
    return { value: policy.get(), facts, ...(erasing !== null && { securityEvent: 'alert' as const }) }
  },
})

/** Whether a policy would erase what another keeps. */
function isStricter(after: KeptVersions, before: KeptVersions): boolean {
  const least = (kept: number | null) => kept ?? Number.POSITIVE_INFINITY
  return (
    least(after.keepVersions) < least(before.keepVersions) ||
    least(after.keepVersionDays) < least(before.keepVersionDays)
  )
}

/** The one that keeps more; `null` keeps all. */
function looser(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : Math.max(one, other)
}

/**
 * Why a caller may not delete all secrets, as a policy does that erases versions; `null` when it may. A `forbid` on some of
 * them is one on all, also one that others could lift: they do so for one request, and this is about each version to come.
 */
function objectionToErasing({ refuses, rules, circumstances }: OperationContext): Reason | null {
  if (rules.some((rule) => rule.effect === 'forbid' && rule.actions.includes('delete') && applies(rule, circumstances)))
    return 'denied'
  // A name of one segment and one of more: what covers both covers all.
  return refuses('delete', '**') ?? refuses('delete', '**/**')
}

/**
 * Announces that a policy will erase versions, a day from now: an administrator has that time to notice and to revert
 * it.
 */
function announced(context: OperationContext, before: VersionedPolicy, after: VaultPolicy) {
  const { secrets, now, principal } = context
  const { until } = before
  const isPending = until !== null && now < until.at
  const isSame = after.keepVersions === before.keepVersions && after.keepVersionDays === before.keepVersionDays
  const at = isPending && isSame ? until.at : now + NOTICE_MS
  const versions = secrets.countPrunable(boundsOf(after, at)!)
  notify(
    context,
    { type: 'policy.erasing', data: { versions, erasesAt: new Date(at).toISOString(), by: principal } },
    now,
  )
  const kept = keptAt(before, now)
  const keepVersions = looser(kept.keepVersions, after.keepVersions)
  const keepVersionDays = looser(kept.keepVersionDays, after.keepVersionDays)
  return { until: { keepVersions, keepVersionDays, at }, facts: { erases: versions, erasesAt: at } }
}

/** A denied text may be a secret of its own, or the name of a customer: the log holds only its length. */
function shown({ secretComplexity, keepVersions, keepVersionDays, notify }: VaultPolicy) {
  const complexity = secretComplexity && { ...secretComplexity, denied: secretComplexity.denied.length }
  return { secretComplexity: complexity, keepVersions, keepVersionDays, notify }
}
