/**
 * What a vault does for a write to a name that a provider keeps: it decides and records, before and after the edge
 * makes the write, and sees to the replicas.
 *
 * @module
 */

import { DAY_MS } from '../../durations.ts'
import type { Reason } from '../../errors.ts'
import type { VersionedChain } from '../../providers/chain.ts'
import type { FailureKind } from '../../providers/provider.ts'
import { type OperationContext, type Outcome, operation } from '../operation.ts'
import type { Idempotency } from '../secrets/store.ts'
import { bounded, reasonOf, replicasOf } from './read_operations.ts'
import type { Effect } from './replication_store.ts'

/** How long a write may take before its replicas become due without its report. */
const WRITE_GRACE_MS = 60_000
const WRITE_MEMORY_MS = DAY_MS

/** A write or a delete that was permitted, of a name that a provider keeps. */
export interface ProviderWrite {
  chain: VersionedChain
  /** The version that an earlier request with the same idempotency key wrote. */
  replayed: string | null
  /** Which of the request's fingerprints it was first begun by; `null` without an idempotency key. */
  under: string | null
}

/** An outcome that has a value. */
type Permitted<T> = Extract<Outcome<T>, { value: T }>

/** Plans a write. The cache drops the name, and the replicas become due even if the edge crashes. */
export function beginWrite(
  { cache, replication, now }: OperationContext,
  chain: VersionedChain,
  name: string,
  { effect, replace }: { effect: Effect; replace?: 'shape' | undefined },
): Permitted<ProviderWrite> {
  cache.purge(name, now)
  replication.begin(name, copiesOf(chain), effect, { now, dueAt: now + WRITE_GRACE_MS, replace })
  const [primary] = chain.members
  return {
    value: { chain, replayed: null, under: null },
    facts: { chain: chain.id, provider: primary!.provider, begun: effect, ...(replace && { replace }) },
  }
}

/** The outcome of a write at the primary of a chain. */
export interface WriteReport {
  name: string
  chain: string
  provider: string
  effect: Effect
  /** What failed before it was sent did surely not happen. */
  outcome: { version: string | null } | { failure: FailureKind; sent: boolean }
  /** The members of a revision of the chain that cannot have a secret of this name: nothing is copied to them. */
  unnamed?: { revision: string; providers: readonly string[] }
  replace?: 'shape' | undefined
  idempotency?: Idempotency
}

/** Records the outcome of a permitted write. It needs no further right: the write is done, and nothing is released. */
export const reportWrite = operation({
  action: null,
  continuation: true,
  resource: ({ name }: WriteReport) => name,
  resourceFacts: ({ chain, provider, effect }) => ({ chain, provider, effect }),
  run(context: OperationContext, report: WriteReport): Outcome<{ at: number }> {
    const { cache, chains, replication, secrets, principal, now } = context
    const { name, effect, outcome, replace, idempotency } = report
    const isMade = !('failure' in outcome)
    cache.purge(name, now)
    const chain = chains.covering(name)
    const unnamed = unnamedIn(chain, report)
    replication.drop(name, unnamed)
    // Marks the replicas again: a copy made while the write was in flight may hold the former value.
    const begun = { now, dueAt: now, isMade, ...(isMade && { replace }) }
    const copies = copiesOf(chain).filter((provider) => !unnamed.includes(provider))
    replication.begin(name, copies, effect, begun)
    if ('failure' in outcome) {
      const { failure, sent } = outcome
      const reason = writeReasonOf(failure, sent)
      if (replace !== undefined && reason !== 'write_unknown') replication.keepShape(name)
      return { reason, facts: { failure, sent } }
    }
    const { version } = outcome
    if (idempotency && version !== null) {
      const { key, fingerprint } = idempotency
      secrets.remember(principal, key, { fingerprint, name, number: 0, provided: version }, now, now - WRITE_MEMORY_MS)
    }
    return { value: { at: now }, facts: version === null ? {} : { version: bounded(version) } }
  },
})

/** The providers that need no copy. What the primary cannot have is copied to none. */
function unnamedIn(chain: VersionedChain | null, { unnamed }: WriteReport): readonly string[] {
  // With another revision, they may have the name by now.
  if (chain === null || unnamed?.revision !== chain.revision) return []
  return unnamed.providers.includes(chain.members[0]!.provider) ? replicasOf(chain) : unnamed.providers
}

/** The providers that writes are copied to. */
export function copiesOf(chain: VersionedChain | null): string[] {
  return chain?.replicate ? replicasOf(chain) : []
}

/** A write that did not come back may have been done. */
function writeReasonOf(failure: FailureKind, sent: boolean): Reason {
  if (failure === 'foreign_shape' || failure === 'name') return reasonOf(failure)
  if (!sent) return 'provider_unavailable'
  if (failure === 'timeout' || failure === 'unavailable') return 'write_unknown'
  return reasonOf(failure)
}
