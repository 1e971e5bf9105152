/**
 * Asking providers for values: one call for all who want the same, and few calls for who wants many.
 *
 * @module
 */

import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { carry } from '../../core/http/trace_context.ts'
import type { Upstreams } from '../../core/provider_registry/registry.ts'
import { failover, type Replica, type Reply } from '../../core/providers/failover.ts'
import { isBroken } from '../../core/providers/guarded_provider.ts'
import { type ProvidedSecret, ProviderFailure } from '../../core/providers/provider.ts'
import { sealCached } from '../../core/sealing/cached_value.ts'
import { deadlineMsOf, type Settings } from '../../core/settings/settings.ts'
import type { CachedValue } from '../../core/vault/chains/cache_store.ts'
import type { ProvidedRead } from '../../core/vault/chains/read_operations.ts'
import type { Granted } from '../../core/vault/rpc.ts'

/** Larger values are served, and not kept. */
const MAX_CACHED_BYTES = 128 * 1024
/** The most requests that one call makes at the same time. */
const MAX_AT_ONCE = 8

/** An answer of the providers. */
export interface Flight {
  reply: Reply<ProvidedSecret>
  /** The value as the cache would keep it; for one of those who share the answer. */
  keep: CachedValue | null
  /** Whether somebody else had asked already. */
  collapsed: boolean
  /**
   * To be called once the answer is recorded, and so perhaps in the cache.
   *
   * @param index Of the entry that records it; `null` when it was not.
   */
  recorded(index: number | null): void
}

/** A flight that others may share. */
interface Shared {
  flight: Promise<Flight>
  /** The entry that records it; infinite before there is one. */
  recordedAt: number
}

export interface FlightParts {
  settings: Settings
  keyring: Keyring
  upstreams: Upstreams
  /** Whether requests may wait for each other: not on Workers. */
  shared: boolean
}

export class Flights {
  readonly #parts: FlightParts
  readonly #flying = new Map<string, Shared>()

  constructor(parts: FlightParts) {
    this.#parts = parts
  }

  /**
   * Asks the providers of a chain, or waits for who asks the same.
   *
   * @param index Of the entry that permits it. Only what was permitted before an answer was recorded may share it:
   *   whoever comes later asks for themselves, or is served by the cache.
   * @param traceparent What the providers are told of the trace; of those who share, it is that of the first.
   * @throws {PosternError} `bad_request` or `unavailable` when they cannot be asked for such a name at all.
   */
  async fetch(vault: string, plan: ProvidedRead, index: number | null, traceparent?: string): Promise<Flight> {
    if (!this.#parts.shared) return this.#ask(vault, plan, traceparent)
    // Whoever comes after a change asks for themselves: the barrier is another then.
    const key = JSON.stringify([vault, plan.name, plan.version, plan.chain.revision, plan.barrier])
    const flying = this.#flying.get(key)
    if (flying !== undefined && index !== null && index < flying.recordedAt) {
      return { ...(await flying.flight), keep: null, collapsed: true, recorded: () => {} }
    }
    const shared = { flight: this.#ask(vault, plan, traceparent), recordedAt: Number.POSITIVE_INFINITY }
    this.#flying.set(key, shared)
    const land = () => {
      if (this.#flying.get(key) === shared) this.#flying.delete(key)
    }
    const recorded = (at: number | null) => {
      shared.recordedAt = at ?? 0
      // Not at once: whoever was told just before that the cache has nothing is about to ask here.
      setTimeout(land, 0)
    }
    try {
      return { ...(await shared.flight), recorded }
    } catch (error) {
      land()
      throw error
    }
  }

  /** The same for many: those that a provider gives in few requests first, the rest a few at a time. */
  async fetchAll(
    vault: string,
    permitted: readonly Granted<ProvidedRead>[],
    traceparent?: string,
  ): Promise<(Flight | PosternError)[]> {
    const plans = permitted.map(({ value }) => value)
    const endsAt = performance.now() + timesOf(this.#parts.settings).deadlineMs
    const batched = await this.#fetchBatches(vault, plans, traceparent)
    const results: (Flight | PosternError)[] = []
    let next = 0
    const work = async () => {
      for (let i = next++; i < plans.length; i = next++) {
        const plan = plans[i]!
        const flight =
          batched.get(plan) ?? (await this.#fetchBy(endsAt, vault, permitted[i]!, traceparent).catch(refusalOnly))
        // It is recorded once all are there. Whoever comes while the others are waited for must not be given what may be replaced by then.
        if (!(flight instanceof PosternError) && plans.length > 1) flight.recorded(null)
        results[i] = flight
      }
    }
    await Promise.all(Array.from({ length: MAX_AT_ONCE }, work))
    return results
  }

  /** One of many, which have the time of one: slow ones must not take away what the others came to. */
  #fetchBy(
    endsAt: number,
    vault: string,
    { value: plan, index }: Granted<ProvidedRead>,
    traceparent: string | undefined,
  ): Promise<Flight> {
    const { attemptMs, deadlineMs } = timesOf(this.#parts.settings)
    const leftMs = endsAt - performance.now()
    // What is asked in a hurry is no answer for others.
    const isEnough = leftMs >= Math.min(attemptMs * plan.chain.members.length, deadlineMs * 0.9)
    return isEnough ? this.fetch(vault, plan, index, traceparent) : this.#ask(vault, plan, traceparent, leftMs)
  }

  async #ask(
    vault: string,
    plan: ProvidedRead,
    traceparent: string | undefined,
    leftMs = Number.POSITIVE_INFINITY,
  ): Promise<Flight> {
    const { settings, upstreams } = this.#parts
    const { attemptMs, deadlineMs } = timesOf(settings)
    const { name, version, chain, outdated } = plan
    const which = version === null ? {} : { version }
    const reply = await failover(
      upstreams.replicas(vault, chain, name),
      (provider, stored, signal) => provider.get(stored, { ...which, signal: carry(signal, traceparent) }),
      { attemptMs, deadlineMs: Math.min(deadlineMs, leftMs), onNotFound: chain.onNotFound, outdated },
    )
    return this.#landed(vault, plan, reply)
  }

  /** Only values: what a batch fails to give is asked for alone, where a chain's rules for failures hold. */
  async #fetchBatches(
    vault: string,
    plans: readonly ProvidedRead[],
    traceparent: string | undefined,
  ): Promise<Map<ProvidedRead, Flight>> {
    const flights = new Map<ProvidedRead, Flight>()
    const current = plans.filter(({ version }) => version === null)
    for (const some of Map.groupBy(current, ({ chain }) => chain.revision).values()) {
      const outcomes = some.length < 2 ? null : await this.#askMany(vault, some, traceparent)
      for (const [i, plan] of some.entries()) {
        const value = outcomes?.[i]
        if (value === undefined || value instanceof ProviderFailure) continue
        const reply = { value, provider: plan.chain.members[0]!.provider, skipped: [] }
        flights.set(plan, await this.#landed(vault, plan, reply))
      }
    }
    return flights
  }

  async #askMany(
    vault: string,
    plans: readonly ProvidedRead[],
    traceparent: string | undefined,
  ): Promise<(ProvidedSecret | ProviderFailure)[] | null> {
    const places = plans.map((plan) => this.#primaryOf(vault, plan))
    const upstream = places[0]?.upstream
    if (upstream?.provider.getMany === undefined || upstream.rest(Date.now()) !== null) return null
    const names = places.flatMap((place) => place?.name ?? [])
    if (names.length < plans.length) return null
    const { attemptMs } = this.#parts.settings.providers
    return upstream
      .ask((provider, signal) => provider.getMany!(names, { signal: carry(signal, traceparent) }), attemptMs)
      .catch((error) => {
        if (error instanceof ProviderFailure || isBroken(error)) return null
        throw error
      })
  }

  #primaryOf(vault: string, { chain, name }: ProvidedRead): Replica | null {
    try {
      return this.#parts.upstreams.replicas(vault, chain, name)[0]!
    } catch (error) {
      refusalOnly(error)
      return null
    }
  }

  async #landed(vault: string, plan: ProvidedRead, reply: Reply<ProvidedSecret>): Promise<Flight> {
    const keep = 'value' in reply ? await this.#sealed(vault, plan, reply) : null
    return { reply, keep, collapsed: false, recorded: () => {} }
  }

  async #sealed(
    vault: string,
    { name, version, chain, since }: ProvidedRead,
    { value: secret, provider }: { value: ProvidedSecret; provider: string },
  ): Promise<CachedValue | null> {
    if (chain.cacheSeconds + chain.maxStaleSeconds === 0) return null
    if (secret.value.reveal().length > MAX_CACHED_BYTES) return null
    const { encoding, contentType, createdAt, expiresAt } = secret
    const place = { name, asked: version ?? '', revision: chain.revision, provider, version: secret.version }
    const about = { contentType, encoding, createdAt, expiresAt, fetchedAt: since }
    return sealCached(this.#parts.keyring, vault, secret.value, { ...place, ...about })
  }
}

/** How long providers may take. */
export function timesOf(settings: Settings): { deadlineMs: number; attemptMs: number } {
  return { deadlineMs: deadlineMsOf(settings), attemptMs: settings.providers.attemptMs }
}

/** An error that is an outcome; a mistake is thrown. */
export function refusalOnly(error: unknown): PosternError {
  if (error instanceof PosternError) return error
  throw error
}
