/**
 * Brings replicas up to date with their primary, and compares them with it a few times a day.
 *
 * It copies the state, not the writes: a replica that lags is read, and gets what the primary has now. So the newest
 * write wins, a failed or repeated run does no harm, and no value waits in a queue.
 *
 * @module
 */
import type { Bytes } from '../../core/bytes.ts'
import { HOUR_MS } from '../../core/durations.ts'
import { PosternError } from '../../core/errors.ts'
import type { VersionedChain } from '../../core/providers/chain.ts'
import type { ResolvedMember } from '../../core/providers/failover.ts'
import { isBreakerOpen } from '../../core/providers/guarded_provider.ts'
import { type FailureKind, ProviderFailure, type ProviderSecret } from '../../core/providers/provider.ts'
import type { Redacted } from '../../core/redacted.ts'
import { replicaDigest, writeKey } from '../../core/sealing/digests.ts'
import type { Lagging } from '../../core/vault/chains/replication_store.ts'
import type { Brought, OfChain } from '../../core/vault/chains/replication_tasks.ts'
import type { VaultServices } from '../vault_services.ts'
import { askReplica, comparable, isCopy } from './replica.ts'
import type { Job } from './scheduler.ts'

/** How soon after a request replicas are checked. */
const SOON_MS = 1000
/** How many replicas one run brings up to date, so that other jobs have their turn. */
const AT_ONCE = 20
const COMPARE_EVERY_MS = 6 * HOUR_MS
const COMPARE_PAUSE_MS = 60_000
/** How soon a comparison that failed is retried. */
const COMPARE_RETRY_MS = 10 * 60_000

/** Failures that mean: the store has no such secret. */
const GONE: readonly FailureKind[] = ['not_found', 'deleted']

/** Brings replicas that lag up to date. */
export const replicate: Job = {
  name: 'replication',
  afterWriteMs: SOON_MS,
  async run(services) {
    const { items } = await services.perform('replica.lagging', { limit: AT_ONCE })
    for (const item of items) await bring(services, item)
    const { nextAt } = await services.perform('replica.lagging', { limit: 0 })
    return nextAt
  },
}

/** Compares each replica with its primary a few times a day, by keyed digest. */
export const compareReplicas: Job = {
  name: 'comparison',
  afterWriteMs: COMPARE_PAUSE_MS,
  async run(services) {
    const items = await services.perform('replica.uncompared', {
      everyMs: COMPARE_EVERY_MS,
      pauseMs: COMPARE_RETRY_MS,
      limit: AT_ONCE,
    })
    let missed = false
    for (const { name, provider, chain } of items) {
      const pair = pairOf(services, chain, name, provider)
      if (pair === null) await services.perform('replica.forgotten', { name, provider })
      else {
        const digests = await digestsOf(services, name, pair)
        missed ||= digests === null
        const isUnnamed = pair.replica === null
        await services.perform('replica.compared', { name, provider, digests, ...(isUnnamed && { isUnnamed }) })
      }
    }
    if (items.length === AT_ONCE) return Date.now() + COMPARE_PAUSE_MS
    return Date.now() + (missed ? COMPARE_RETRY_MS : COMPARE_EVERY_MS)
  },
}

async function bring(services: VaultServices, item: OfChain<Lagging>): Promise<void> {
  const { name, provider, mark } = item
  const pair = item.chain?.replicate ? pairOf(services, item.chain, name, provider) : null
  const reached = (how: Brought, version: string | null = null) =>
    services.perform('replica.reached', { name, provider, mark, how, version })
  if (pair === null) return void (await reached('dropped'))
  const { primary, replica } = pair
  // Nothing to try again: the comparison shows it as drift.
  if (replica === null) return void (await reached('unnamed'))
  try {
    const { how, version } = await copy(services, item, { primary, replica })
    await reached(how, version)
  } catch (error) {
    const failure = failureKindOf(error)
    const { chain: _, ...row } = item
    await services.perform('replica.failed', { ...row, failure, before: row.failure })
  }
}

interface Pair {
  primary: ResolvedMember
  /** `null` when the provider cannot have a secret of this name. */
  replica: ResolvedMember | null
}

async function copy(
  services: VaultServices,
  { name, effect, mark, replace }: Lagging,
  { primary, replica }: { primary: ResolvedMember; replica: ResolvedMember },
): Promise<{ how: Brought; version: string | null }> {
  const wanted = await read(services, primary)
  const present = await read(services, replica)
  if (wanted === null) {
    // A replica is deleted only after a deletion, never because the primary lost a secret.
    if (effect === 'write') throw new ProviderFailure('not_found')
    if (present === null) return { how: 'same', version: null }
    await askReplica(services, replica, (signal) => replica.guarded.provider.remove(replica.name, { signal }))
    return { how: 'deleted', version: null }
  }
  if (present !== null && isCopy(wanted, present)) return { how: 'same', version: present.version }
  const idempotencyKey = await writeKey(services.keyring, services.vault, [
    name,
    replica.guarded.id,
    mark,
    wanted.version,
  ])
  const { contentType, encoding } = wanted
  const { version } = await askReplica(services, replica, (signal) =>
    replica.guarded.provider.put(replica.name, wanted.value, {
      ...{ signal, idempotencyKey, encoding },
      ...(contentType !== null && { contentType }),
      ...(replace !== null && { replace }),
    }),
  )
  return { how: 'written', version }
}

/** The digests of both; `null` if one is unreadable, which does not count as drift. */
async function digestsOf(services: VaultServices, name: string, { primary, replica }: Pair) {
  try {
    const [one, other] = [await read(services, primary), replica && (await read(services, replica))]
    const digest = async (value: Redacted<Bytes> | null) =>
      value === null ? null : replicaDigest(services.keyring, services.vault, name, value)
    const [ours, theirs] = one && other ? comparable(one, other) : [one?.value ?? null, other?.value ?? null]
    return { primary: await digest(ours), replica: await digest(theirs) }
  } catch (error) {
    failureKindOf(error)
    return null
  }
}

/** Why a replica could not be reached. Throws any other error on. */
function failureKindOf(error: unknown): FailureKind {
  if (error instanceof ProviderFailure) return error.kind
  if (isBreakerOpen(error)) return 'unavailable'
  throw error
}

/** The primary of a chain and one of its replicas; `null` when the chain no longer has it, or cannot have the name. */
function pairOf(
  { registry, vault }: VaultServices,
  chain: VersionedChain | null,
  name: string,
  provider: string,
): Pair | null {
  try {
    const [primary, ...rest] = chain === null ? [] : registry.resolve(vault, chain, name)
    const replica = rest.find(({ guarded }) => guarded.id === provider)
    if (primary === undefined || primary.name === null || replica === undefined) return null
    return { primary, replica: replica.name === null ? null : replica }
  } catch (error) {
    if (error instanceof PosternError) return null
    throw error
  }
}

async function read(services: VaultServices, replica: ResolvedMember): Promise<ProviderSecret | null> {
  try {
    return await askReplica(services, replica, (signal) => replica.guarded.provider.get(replica.name, { signal }))
  } catch (error) {
    if (error instanceof ProviderFailure && GONE.includes(error.kind)) return null
    throw error
  }
}
