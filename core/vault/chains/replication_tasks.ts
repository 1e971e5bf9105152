/**
 * Tasks about providers: which replicas lag or have drifted, and the health of providers. The edge compares and copies:
 * see `worker/background/replicate.ts`.
 *
 * @module
 */

import type { VersionedChain } from '../../providers/chain.ts'
import type { HealthState } from '../../providers/health.ts'
import type { FailureKind } from '../../providers/provider.ts'
import type { Outcome } from '../operation.ts'
import { byName } from '../operation.ts'
import { task } from '../task.ts'
import type { Compared, Lagging } from './replication_store.ts'

/** A replica to look at, and the chain that it is of; `null` when it is of none any more. */
export type OfChain<T> = T & { chain: VersionedChain | null }

/** Lists the replicas that are due now, and when the next one will be. */
export const laggingReplicas = task({
  resource: () => 'replicas',
  run(
    { chains, replication, now },
    { limit }: { limit: number },
  ): Outcome<{ items: OfChain<Lagging>[]; nextAt: number | null }> {
    const items = replication.due(now, limit).map((row) => ({ ...row, chain: chains.covering(row.name) }))
    return { value: { items, nextAt: replication.nextDue() }, unrecorded: true }
  },
})

/** How a replica came to be as the primary is, or why it never will: `unnamed` cannot have a secret of this name. */
export type Brought = 'written' | 'deleted' | 'same' | 'dropped' | 'unnamed'

/** Stores that a replica caught up with its primary. */
export const replicaReached = task({
  resource: byName,
  resourceFacts: ({
    provider,
    how,
  }: {
    name: string
    provider: string
    mark: string
    how: Brought
    version: string | null
  }) => ({
    provider,
    how,
  }),
  run({ replication, cache, now }, { name, provider, mark, how, version }): Outcome<{ done: boolean }> {
    const done = replication.done(name, provider, mark)
    // A cached fallback may hold the former value of this replica.
    if (how !== 'dropped') cache.purge(name, now)
    if (how === 'deleted' || how === 'dropped') replication.unwatch(name, provider)
    else replication.watch(name, [provider])
    const changed = how === 'written' || how === 'deleted'
    const facts = { ...(version !== null && { version }) }
    return changed ? { value: { done }, facts } : { value: { done }, unrecorded: true }
  },
})

/** Stores that a replica could not catch up; recorded when that is new. */
export const replicaFailed = task({
  resource: byName,
  resourceFacts: ({ provider, failure }: Lagging & { failure: FailureKind }) => ({ provider, failure }),
  run({ replication, now }, row: Lagging & { failure: FailureKind; before: FailureKind | null }): Outcome<null> {
    replication.failed(row, row.failure, now)
    const facts = { lagSeconds: Math.floor((now - row.since) / 1000) }
    return row.before === row.failure ? { value: null, unrecorded: true } : { value: null, facts }
  },
})

/** Lists the replicas that are due for a comparison with their primary. */
export const uncomparedReplicas = task({
  resource: () => 'replicas',
  run(
    { chains, replication, now },
    { everyMs, pauseMs, limit }: { everyMs: number; pauseMs: number; limit: number },
  ): Outcome<OfChain<Compared>[]> {
    const items = replication.uncompared({ before: now - everyMs, triedBefore: now - pauseMs }, limit)
    return { value: items.map((row) => ({ ...row, chain: chains.covering(row.name) })), unrecorded: true }
  },
})

/** Keyed digests of what the primary and a replica have; `null` where there is no such secret. */
export interface Comparison {
  name: string
  provider: string
  primary: string | null
  replica: string | null
}

/** Notes how a replica compared, or that it could not be; recorded when it drifted, and when it came back. */
export const replicaCompared = task({
  securityEvent: true,
  resource: byName,
  resourceFacts: ({
    provider,
  }: {
    name: string
    provider: string
    digests: Omit<Comparison, 'name' | 'provider'> | null
    /** Whether the replica cannot have a secret of this name. */
    isUnnamed?: boolean
  }) => ({
    provider,
  }),
  run({ replication, now }, { name, provider, digests, isUnnamed = false }): Outcome<{ differs: boolean | null }> {
    const before = replication.comparison(name, provider)
    if (before === null) return { value: { differs: null }, unrecorded: true }
    if (digests === null) {
      replication.notCompared(name, provider, now)
      return { value: { differs: before.differs }, unrecorded: true }
    }
    const { primary, replica } = digests
    const differs = primary !== replica
    replication.compared(name, provider, { digest: replica, differs }, now)
    if (primary === null && replica === null) replication.unwatch(name, provider)
    if (differs === (before.differs ?? false)) return { value: { differs }, unrecorded: true }
    const missing = replica === null ? 'replica' : primary === null ? 'primary' : null
    const why = isUnnamed && differs ? { why: 'name' } : {}
    return { value: { differs }, facts: { differs, ...(missing && { missing }), ...why } }
  },
})

/** Ends the comparisons of a replica. */
export const forgetReplica = task({
  resource: byName,
  run({ replication }, { name, provider }: { name: string; provider: string }): Outcome<null> {
    replication.unwatch(name, provider)
    return { value: null, unrecorded: true }
  },
})

/** Tells which providers the vault uses: those of its chains. */
export const providersInUse = task({
  resource: () => 'providers',
  run({ chains }, _: Record<never, never>): Outcome<string[]> {
    const ids = chains.all().flatMap(({ members }) => members.map(({ provider }) => provider))
    return { value: [...new Set(ids)], unrecorded: true }
  },
})

/** Notes how a provider is; recorded when that is new. */
export const providerSeen = task({
  securityEvent: true,
  resource: () => 'providers',
  resourceFacts: ({ provider, state }: { provider: string; state: HealthState; failure: FailureKind | null }) => ({
    provider,
    state,
  }),
  run({ health, now }, seen): Outcome<null> {
    const before = health.put(seen, now)
    const isNews = before === null ? seen.state !== 'up' : before !== seen.state
    const facts = { before, ...(seen.failure && { failure: seen.failure }) }
    return isNews ? { value: null, facts } : { value: null, unrecorded: true }
  },
})
