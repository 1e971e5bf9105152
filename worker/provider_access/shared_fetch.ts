/**
 * Deduplicates concurrent fetches of one value from providers, and batches fetches of many.
 *
 * @module
 */

import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { carry } from '../../core/http/trace_context.ts'
import type { ProviderRegistry } from '../../core/provider_registry/registry.ts'
import { type ChainMember, type ChainReply, failover } from '../../core/providers/failover.ts'
import { isBreakerOpen } from '../../core/providers/guarded_provider.ts'
import { ProviderFailure, type ProviderSecret } from '../../core/providers/provider.ts'
import { sealCached } from '../../core/sealing/cached_value.ts'
import { deadlineMsOf, type Settings } from '../../core/settings/settings.ts'
import { isUniqueVersionId } from '../../core/stages.ts'
import type { CachedValue } from '../../core/vault/chains/cache_store.ts'
import type { ProviderRead } from '../../core/vault/chains/read_operations.ts'
import type { Granted } from '../../core/vault/rpc.ts'

/** Larger values are served, but not cached. */
const MAX_CACHED_BYTES = 128 * 1024
/** The most requests of one call that are fetched at a time. */
const MAX_AT_ONCE = 8

/** The outcome of a fetch from a chain. */
export interface FetchedReply {
  reply: ChainReply<ProviderSecret>
  /** The value, sealed for the cache; `null` when it will not be cached, or another request caches it. */
  keep: CachedValue | null
  /** Whether the reply is shared with a request that came first. */
  collapsed: boolean
  /**
   * Must be called once the reply is recorded, and so may be in the cache.
   *
   * @param index The entry that records the reply; `null` when recording failed.
   */
  recorded(index: number | null): void
}

/** A fetch that other requests may share. */
interface SharedFetch {
  fetched: Promise<FetchedReply>
  /** The entry that records the reply; infinite until it is recorded. */
  recordedAt: number
}

/** The services that fetches use. */
export interface FetchServices {
  settings: Settings
  keyring: Keyring
  registry: ProviderRegistry
  /** Whether a request may wait for another's I/O. On Workers it may not. */
  shared: boolean
}

/** Fetches from chains; concurrent fetches of one value share one request. */
export class SharedFetches {
  readonly #services: FetchServices
  readonly #inFlight = new Map<string, SharedFetch>()

  constructor(services: FetchServices) {
    this.#services = services
  }

  /**
   * Fetches a value from the providers of a chain, or joins a fetch of the same value.
   *
   * @param index The entry that permits the read. A read may share a reply only if it was permitted before the reply
   *   was recorded; later reads fetch for themselves, or are served by the cache.
   * @param traceparent Is sent to the providers. A shared fetch sends that of the first request.
   * @throws {PosternError} `unavailable` when a provider of the chain cannot be used.
   */
  async fetch(vault: string, plan: ProviderRead, index: number | null, traceparent?: string): Promise<FetchedReply> {
    // A client that accepts no cached value would not accept an answer that is on its way either.
    if (!this.#services.shared || plan.maxAgeSeconds !== undefined) return this.#ask(vault, plan, traceparent)
    // A change moves the barrier, so that a read after it does not join a fetch before it.
    const key = JSON.stringify([vault, plan.name, plan.version, plan.chain.revision, plan.barrier])
    const running = this.#inFlight.get(key)
    if (running !== undefined && index !== null && index < running.recordedAt) {
      return { ...(await running.fetched), keep: null, collapsed: true, recorded: () => {} }
    }
    const shared = { fetched: this.#ask(vault, plan, traceparent), recordedAt: Number.POSITIVE_INFINITY }
    this.#inFlight.set(key, shared)
    const forget = () => {
      if (this.#inFlight.get(key) === shared) this.#inFlight.delete(key)
    }
    const recorded = (at: number | null) => {
      shared.recordedAt = at ?? 0
      // Not at once: a request that just missed the cache is about to come here.
      setTimeout(forget, 0)
    }
    try {
      return { ...(await shared.fetched), recorded }
    } catch (error) {
      forget()
      throw error
    }
  }

  /** Fetches many values: in batches where the provider has them, the rest a few at a time. */
  async fetchAll(
    vault: string,
    permitted: readonly Granted<ProviderRead>[],
    traceparent?: string,
  ): Promise<(FetchedReply | PosternError)[]> {
    const plans = permitted.map(({ value }) => value)
    const endsAt = performance.now() + timesOf(this.#services.settings).deadlineMs
    const batched = await this.#fetchBatches(vault, plans, traceparent)
    const results: (FetchedReply | PosternError)[] = []
    let next = 0
    const work = async () => {
      for (let i = next++; i < plans.length; i = next++) {
        const plan = plans[i]!
        const fetched =
          batched.get(plan) ?? (await this.#fetchBy(endsAt, vault, permitted[i]!, traceparent).catch(refusalOnly))
        // All are recorded together, at the end. A request that comes before must not share a value that may be replaced by then.
        if (!(fetched instanceof PosternError) && plans.length > 1) fetched.recorded(null)
        results[i] = fetched
      }
    }
    await Promise.all(Array.from({ length: MAX_AT_ONCE }, work))
    return results
  }

  /** Fetches one of many. All have the time of one together, so that slow values do not cost those that arrived. */
  #fetchBy(
    endsAt: number,
    vault: string,
    { value: plan, index }: Granted<ProviderRead>,
    traceparent: string | undefined,
  ): Promise<FetchedReply> {
    const { attemptMs, deadlineMs } = timesOf(this.#services.settings)
    const leftMs = endsAt - performance.now()
    // A fetch with little time left must not fail others: it is not shared.
    const isEnough = leftMs >= Math.min(attemptMs * plan.chain.members.length, deadlineMs * 0.9)
    return isEnough ? this.fetch(vault, plan, index, traceparent) : this.#ask(vault, plan, traceparent, leftMs)
  }

  async #ask(
    vault: string,
    plan: ProviderRead,
    traceparent: string | undefined,
    leftMs = Number.POSITIVE_INFINITY,
  ): Promise<FetchedReply> {
    const { settings, registry } = this.#services
    const { attemptMs, deadlineMs } = timesOf(settings)
    const { name, version, chain, outdated } = plan
    const which = version === null ? {} : { version }
    const members = registry.resolve(vault, chain, name)
    // A number or a label may stand for another value at a replica, which has versions of its own.
    const isAmbiguous = version !== null && !isUniqueVersionId(version)
    const reply = await failover(
      isAmbiguous ? members.slice(0, 1) : members,
      (provider, stored, signal) => provider.get(stored, { ...which, signal: carry(signal, traceparent) }),
      { attemptMs, deadlineMs: Math.min(deadlineMs, leftMs), onNotFound: chain.onNotFound, outdated },
    )
    return this.#sealedReply(vault, plan, reply)
  }

  /** Fetches in batches. Names that a batch fails to give are fetched alone, by the chain's rules for failures. */
  async #fetchBatches(
    vault: string,
    plans: readonly ProviderRead[],
    traceparent: string | undefined,
  ): Promise<Map<ProviderRead, FetchedReply>> {
    const replies = new Map<ProviderRead, FetchedReply>()
    const isNamed = (plan: ProviderRead) => this.#primaryOf(vault, plan)?.name !== null
    const current = plans.filter((plan) => plan.version === null && isNamed(plan))
    for (const some of Map.groupBy(current, ({ chain }) => chain.revision).values()) {
      const outcomes = some.length < 2 ? null : await this.#askMany(vault, some, traceparent)
      for (const [i, plan] of some.entries()) {
        const value = outcomes?.[i]
        if (value === undefined || value instanceof ProviderFailure) continue
        const reply = { value, provider: plan.chain.members[0]!.provider, skipped: [] }
        replies.set(plan, await this.#sealedReply(vault, plan, reply))
      }
    }
    return replies
  }

  async #askMany(
    vault: string,
    plans: readonly ProviderRead[],
    traceparent: string | undefined,
  ): Promise<(ProviderSecret | ProviderFailure)[] | null> {
    const places = plans.flatMap((plan) => this.#primaryOf(vault, plan) ?? [])
    const guarded = places[0]?.guarded
    if (guarded?.provider.getMany === undefined || guarded.rest(Date.now()) !== null) return null
    const names = places.flatMap(({ name }) => name ?? [])
    if (names.length < plans.length) return null
    const { attemptMs } = this.#services.settings.providers
    return guarded
      .ask((provider, signal) => provider.getMany!(names, { signal: carry(signal, traceparent) }), attemptMs)
      .catch((error) => {
        if (error instanceof ProviderFailure || isBreakerOpen(error)) return null
        throw error
      })
  }

  #primaryOf(vault: string, { chain, name }: ProviderRead): ChainMember | null {
    try {
      return this.#services.registry.resolve(vault, chain, name)[0]!
    } catch (error) {
      refusalOnly(error)
      return null
    }
  }

  async #sealedReply(vault: string, plan: ProviderRead, reply: ChainReply<ProviderSecret>): Promise<FetchedReply> {
    const keep = 'value' in reply ? await this.#sealed(vault, plan, reply) : null
    return { reply, keep, collapsed: false, recorded: () => {} }
  }

  async #sealed(
    vault: string,
    { name, version, chain, since }: ProviderRead,
    { value: secret, provider }: { value: ProviderSecret; provider: string },
  ): Promise<CachedValue | null> {
    if (chain.cacheSeconds + chain.maxStaleSeconds === 0) return null
    if (secret.value.reveal().length > MAX_CACHED_BYTES) return null
    const { encoding, contentType, createdAt, expiresAt } = secret
    const tags = secret.tags ? JSON.stringify(secret.tags) : null
    const place = { name, asked: version ?? '', revision: chain.revision, provider, version: secret.version }
    const about = { contentType, encoding, createdAt, expiresAt, tags, fetchedAt: since }
    return sealCached(this.#services.keyring, vault, secret.value, { ...place, ...about })
  }
}

/** The time that providers have, for all attempts and for one, in milliseconds. */
export function timesOf(settings: Settings): { deadlineMs: number; attemptMs: number } {
  return { deadlineMs: deadlineMsOf(settings), attemptMs: settings.providers.attemptMs }
}

/** Returns a refusal. Throws any other error, which is a mistake in our code. */
export function refusalOnly(error: unknown): PosternError {
  if (error instanceof PosternError) return error
  throw error
}
