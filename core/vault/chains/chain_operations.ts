/**
 * Operations on chains and providers. Changes need `admin`, and are recorded with the state before and after.
 *
 * @module
 */

import { headOf } from '../../patterns.ts'
import type { Chain, VersionedChain } from '../../providers/chain.ts'
import { type OperationContext, type Outcome, operation, type Unusable } from '../operation.ts'
import type { ChainStore } from './chain_store.ts'
import type { HealthRow } from './health_store.ts'
import type { Lag } from './replication_store.ts'

const onChains = { action: 'admin', resource: () => 'chains' } as const

/** Lists the chains of the vault. */
export const listChains = operation({
  ...onChains,
  approvalBinding: 'nothing',
  run: ({ chains }): Outcome<readonly VersionedChain[]> => ({ value: chains.all() }),
})

/** Creates or replaces a chain. */
export const putChain = operation({
  ...onChains,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ chain: id }),
  // A chain decides where values come from: as much as a rule does.
  approvalBinding: ({ chains }, chain: Chain | Unusable) => ({ chain, revision: revisionOf(chains, chain.id) }),
  run({ chains, cache, now, principal }, chain: Chain | Unusable): Outcome<VersionedChain> {
    if ('unusable' in chain) return { reason: 'unusable' }
    const others = chains.list().filter(({ id }) => id !== chain.id)
    // Two chains with one pattern would be picked arbitrarily.
    if (others.some(({ resource }) => resource === chain.resource)) return { reason: 'pattern_taken' }
    const before = chains.list().find(({ id }) => id === chain.id)
    const version = (before?.version ?? 0) + 1
    const revised = { ...chain, revision: crypto.randomUUID() }
    chains.put(revised, version, now, principal)
    cache.purgeAll()
    const value = { ...revised, version, updatedAt: now, updatedBy: principal }
    return { value, facts: { before: before ? shown(before) : null, after: shown(value) } }
  },
})

/** Deletes a chain. */
export const deleteChain = operation({
  ...onChains,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ chain: id }),
  approvalBinding: ({ chains }, { id }: { id: string }) => ({ id, revision: revisionOf(chains, id) }),
  run({ chains, cache }, { id }: { id: string }): Outcome<VersionedChain> {
    const before = chains.list().find((chain) => chain.id === id)
    if (before === undefined) return { reason: 'no_chain' }
    chains.delete(id)
    cache.purgeAll()
    return { value: before, facts: { before: shown(before), after: null } }
  },
})

/** Identifies a chain and its content. The version alone restarts at 1 when a chain is deleted and put again. */
function revisionOf(chains: ChainStore, id: string): string | null {
  return chains.list().find((chain) => chain.id === id)?.revision ?? null
}

/** The providers that a vault uses, as far as the vault knows them. */
export interface ProvidersSeen {
  health: HealthRow[]
  lags: Lag[]
  /** Names with another value than at their primary, of those that the caller may read. */
  drifts: { provider: string; names: number }[]
}

/** Lists the providers that the vault uses, with their health. */
export const listProviders = operation({
  action: 'admin',
  resource: () => 'providers',
  approvalBinding: 'nothing',
  run({ health, replication, refuses }): Outcome<ProvidersSeen> {
    // Only a caller who may read both values learns whether they are equal.
    const drifted = replication.drifted().filter(({ name }) => refuses('read', name) === null)
    const names = Map.groupBy(drifted, ({ provider }) => provider)
    const drifts = [...names].map(([provider, of]) => ({ provider, names: of.length }))
    return { value: { health: health.list(), lags: replication.lags(), drifts } }
  },
})

/** A look at the names or the versions that a provider has. */
export interface ProviderSecretList {
  chain: VersionedChain
}

/** Permits a look at the names of a chain. Which of them are shown is decided by {@link showNames}. */
export const browseChain = operation({
  action: null,
  resource: ({ prefix }: { chain: string; prefix: string }) => prefix,
  resourceFacts: ({ chain }) => ({ chain }),
  run(context, { chain: id }): Outcome<ProviderSecretList> {
    const barred = context.barred('read')
    if (barred !== null) return { reason: barred }
    const chain = context.chains.find(id)
    // A caller who may read nothing there learns of no chain, and costs the provider no request.
    if (chain === null || !mayReadSome(context, chain)) return { reason: 'denied' }
    return { value: { chain }, unrecorded: true }
  },
})

/** What a caller is shown of the names of a provider. */
export interface NamesShown {
  names: string[]
  /** Whether the caller is shown what no name of the chain reaches: who may change the chain can reach it. */
  unnamed: boolean
}

/** Filters the names of a provider: those that the chain covers and the caller may read. */
export const showNames = operation({
  action: null,
  resource: ({ prefix }: { chain: string; prefix: string; names: string[]; unnamed?: number }) => prefix,
  resourceFacts: ({ chain }) => ({ chain }),
  run(context, { chain, names, unnamed = 0 }): Outcome<NamesShown> {
    const barred = context.barred('read')
    if (barred !== null) return { reason: barred }
    const shown = names.filter(
      (name) => context.chains.covering(name)?.id === chain && context.refuses('read', name) === null,
    )
    const isAdmin = context.refuses('admin', 'chains') === null
    const facts = { count: shown.length, ...(isAdmin && unnamed > 0 && { unnamed }) }
    return { value: { names: shown, unnamed: isAdmin }, facts }
  },
})

function shown({ updatedAt: _, updatedBy: __, ...chain }: VersionedChain) {
  return { ...chain, members: chain.members.map((member) => ({ ...member })) }
}

/** Whether some rule may permit the caller to read something that the chain covers; what, is decided for each name. */
function mayReadSome({ rules }: OperationContext, { resource: covered }: VersionedChain): boolean {
  return rules.some(({ effect, actions, resource }) => {
    if (effect !== 'permit' || !actions.includes('read')) return false
    const [one, other] = [headOf(resource), headOf(covered)]
    return one.startsWith(other) || other.startsWith(one)
  })
}
