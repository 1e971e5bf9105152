/**
 * A vault's policy: what its values have to be like, and how many old ones are kept.
 *
 * @module
 */
import { type Context, type Outcome, operation } from '../operation.ts'
import type { VaultPolicy, VersionedPolicy } from './vault_policy_store.ts'

const onPolicy = { action: 'admin', resource: () => 'policy' } as const

export const showPolicy = operation({
  ...onPolicy,
  binds: 'nothing',
  run: ({ policy }: Context, _: Record<never, never>): Outcome<VersionedPolicy> => ({ value: policy.get() }),
})

export const putPolicy = operation({
  ...onPolicy,
  notable: true,
  binds: ({ policy }, after: VaultPolicy) => ({ policy: after, version: policy.get().version }),
  run({ policy, hooks, now, principal }: Context, after: VaultPolicy): Outcome<VersionedPolicy> {
    if (after.notify !== null && hooks.find(after.notify) === null) return { reason: 'no_hook' }
    const before = policy.get()
    policy.put(after, before.version + 1, now, principal)
    return { value: policy.get(), facts: { before: shown(before), after: shown(after) } }
  },
})

/** What is denied may be a secret of its own, or a customer's name: the log says only how much it is. */
function shown({ secretComplexity, keepVersions, keepVersionDays, notify }: VaultPolicy) {
  const complexity = secretComplexity && { ...secretComplexity, denied: secretComplexity.denied.length }
  return { secretComplexity: complexity, keepVersions, keepVersionDays, notify }
}
