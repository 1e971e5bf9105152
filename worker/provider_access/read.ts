/**
 * Secrets that providers keep: what the edge does once the vault has decided, and before anything is released.
 *
 * The vault says which chain a name has and what its cache holds; here the providers are asked; the vault records
 * what came of it; only then a value leaves.
 *
 * @module
 */
import type { Bytes } from '../../core/bytes.ts'
import type { DekCache } from '../../core/crypto/envelope.ts'
import { type ErrorDetail, PosternError, refusal } from '../../core/errors.ts'
import type { Reply } from '../../core/providers/failover.ts'
import type { ProvidedSecret } from '../../core/providers/provider.ts'
import type { Skipped } from '../../core/providers/skipped.ts'
import type { Redacted } from '../../core/redacted.ts'
import { openCached } from '../../core/sealing/cached_value.ts'
import type { CachedValue } from '../../core/vault/chains/cache_store.ts'
import { type ProvidedRead, type ReadReport, type Released, reasonOf } from '../../core/vault/chains/read_operations.ts'
import { type Caller, type Granted, unwrap } from '../../core/vault/rpc.ts'
import type { Encoding } from '../../core/vault/secrets/store.ts'
import { type Observation, timed } from '../telemetry/request_timing.ts'
import type { VaultHandle } from '../vault_host/host.ts'
import { type CacheStatus, type CacheUse, once } from './cache_status.ts'
import { type Flight, type FlightParts, Flights, refusalOnly } from './shared_fetch.ts'

const TEXT_TYPE = 'text/plain; charset=utf-8'
const BYTES_TYPE = 'application/octet-stream'

/** Who asks which vault. */
export interface Asking {
  vault: string
  handle: VaultHandle
  caller: Caller
  /** Where the time goes, if somebody wants to know. */
  observation?: Observation | undefined
}

/** A value that a provider keeps, released. */
export interface Provided {
  name: string
  version: string
  value: Redacted<Bytes>
  encoding: Encoding
  contentType: string
  createdAt: number | null
  expiresAt: number | null
  provider: string
  cache: CacheStatus
}

/** Reads what providers keep. */
export class Gateway {
  readonly #parts: FlightParts & { deks: DekCache }
  readonly #flights: Flights
  /** How often the cache took part how. */
  readonly counts = new Map<CacheUse | 'collapsed', number>()

  constructor(parts: FlightParts & { deks: DekCache }) {
    this.#parts = parts
    this.#flights = new Flights(parts)
  }

  /**
   * Finishes a read that the vault permitted.
   *
   * @throws {PosternError} what the providers say, recorded; `unavailable` when it cannot be recorded.
   */
  async read(asking: Asking, permitted: Granted<ProvidedRead>): Promise<Granted<Provided>> {
    const plan = permitted.value
    const fresh = await this.#fromFresh(asking.vault, plan)
    if (fresh !== null) return { ...permitted, value: fresh }
    const flight = await timed(asking.observation, 'provider', (traceparent) =>
      this.#flights.fetch(asking.vault, plan, permitted.index, traceparent),
    )
    let index: number | null = null
    try {
      const granted = await asking.handle.call('secret.provided', asking.caller, reportOf(plan, flight))
      index = granted.index
      return await this.#release(asking, plan, flight, { ...granted, quota: permitted.quota })
    } catch (error) {
      throw explained(error, plan, flight)
    } finally {
      flight.recorded(index)
    }
  }

  /** The same for many, each with its own outcome; they are recorded together. */
  async readAll(
    asking: Asking,
    permitted: readonly Granted<ProvidedRead>[],
  ): Promise<(Granted<Provided> | PosternError)[]> {
    const done: (Granted<Provided> | PosternError)[] = []
    const open: { at: number; one: Granted<ProvidedRead> }[] = []
    for (const [at, one] of permitted.entries()) {
      const fresh = await this.#fromFresh(asking.vault, one.value)
      if (fresh === null) open.push({ at, one })
      else done[at] = { ...one, value: fresh }
    }
    const wanted = open.map(({ one }) => one)
    const flights =
      wanted.length === 0
        ? []
        : await timed(asking.observation, 'provider', (traceparent) =>
            this.#flights.fetchAll(asking.vault, wanted, traceparent),
          )
    const landed = open.flatMap(({ at, one }, i) => {
      const flight = flights[i]!
      if (flight instanceof PosternError) done[at] = flight
      return flight instanceof PosternError ? [] : [{ at, plan: one.value, flight }]
    })
    const reports = landed.map(({ plan, flight }) => reportOf(plan, flight))
    const answers = await asking.handle.callAll('secret.provided', asking.caller, reports).catch((error) => {
      for (const { flight } of landed) flight.recorded(null)
      throw error
    })
    for (const [i, { at, plan, flight }] of landed.entries()) {
      flight.recorded(answers[i]!.index)
      const released = async () => this.#release(asking, plan, flight, unwrap(answers[i]!))
      done[at] = await released().catch((error) => refusalOnly(explained(error, plan, flight)))
    }
    return done
  }

  /** What the cache has, when it is fresh: the vault has released it already. */
  async #fromFresh(vault: string, plan: ProvidedRead): Promise<Provided | null> {
    const value = plan.cached && (await this.#open(vault, plan.cached))
    return plan.cached && value && this.#fromCache(plan, plan.cached, value)
  }

  async #release(
    asking: Asking,
    plan: ProvidedRead,
    flight: Flight,
    granted: Granted<Released>,
  ): Promise<Granted<Provided>> {
    const { stale, stored } = granted.value
    const { reply, collapsed } = flight
    if (stale !== null) {
      const value = await this.#open(asking.vault, stale)
      if (value !== null) return { ...granted, value: this.#fromCache(plan, stale, value, reply.skipped) }
      // It always refuses: what should have stood in is not what was kept.
      const report = { ...reportOf(plan, flight), tampered: true }
      return this.#release(asking, plan, flight, await asking.handle.call('secret.provided', asking.caller, report))
    }
    if (!('value' in reply)) throw new RangeError('Vault released what nobody has')
    const how = plan.cache === 'hit' ? 'miss' : plan.cache
    this.#count(collapsed ? 'collapsed' : how)
    const ttlSeconds = stored ? plan.chain.cacheSeconds : null
    const cache = { how, ageSeconds: null, ttlSeconds, stored, collapsed, skipped: reply.skipped }
    return { ...granted, value: providedOf(plan.name, reply.provider, reply.value, cache) }
  }

  #open(vault: string, cached: CachedValue): Promise<Redacted<Bytes> | null> {
    return openCached(this.#parts.keyring, this.#parts.deks, vault, cached)
  }

  #fromCache(
    plan: ProvidedRead,
    cached: CachedValue,
    value: Redacted<Bytes>,
    skipped: readonly Skipped[] = [],
  ): Provided {
    const ageSeconds = Math.max(0, Math.floor((plan.since - cached.fetchedAt) / 1000))
    const how = cached === plan.cached ? 'hit' : 'stale-if-error'
    this.#count(how)
    const ttlSeconds = plan.chain.cacheSeconds - ageSeconds
    const cache = { how, ageSeconds, ttlSeconds, stored: false, collapsed: false, skipped } as const
    return providedOf(plan.name, cached.provider, { ...cached, value }, cache)
  }

  #count(how: CacheUse | 'collapsed'): void {
    this.counts.set(how, (this.counts.get(how) ?? 0) + 1)
  }
}

/** A refusal for what the providers said, with what its caller, who may read the secret, is told of them. */
function explained(error: unknown, { version }: ProvidedRead, { reply }: Flight): unknown {
  if (!(error instanceof PosternError) || !('failure' in reply)) return error
  const { reason } = error.detail
  if (reason === undefined || reason !== reasonOf(reply.failure, version ?? '')) return error
  const { limitBytes = null } = reply
  const detail = { ...error.detail, ...passedOverOf(reply), ...(limitBytes !== null && { limitBytes }) }
  if (limitBytes === null) return refusal(reason, detail)
  return new PosternError(
    error.code,
    `Provider has more under this name than the ${limitBytes} bytes that are read`,
    detail,
  )
}

/** The members that were passed over, for the detail of a refusal. */
export function passedOverOf({ skipped }: Pick<Reply<never>, 'skipped'>): Pick<ErrorDetail, 'passedOver'> {
  return skipped.length === 0 ? {} : { passedOver: once(skipped) }
}

function reportOf(plan: ProvidedRead, { reply, keep }: Flight): ReadReport {
  const { name, version, chain, since, cached } = plan
  const about = {
    ...{ name, version, revision: chain.revision, since, skipped: reply.skipped },
    // A cached value was there, and could not be opened.
    ...(cached !== null && { tampered: true }),
  }
  if (!('value' in reply)) return { ...about, outcome: { failure: reply.failure, provider: reply.provider } }
  const kept = keep === null ? {} : { keep }
  return { ...about, outcome: { provider: reply.provider, version: reply.value.version, ...kept } }
}

function providedOf(
  name: string,
  provider: string,
  secret: Omit<ProvidedSecret, 'name'>,
  cache: CacheStatus,
): Provided {
  const { version, value, encoding, createdAt, expiresAt } = secret
  const contentType = secret.contentType ?? (encoding === 'utf8' ? TEXT_TYPE : BYTES_TYPE)
  return { name, version, value, encoding, contentType, createdAt, expiresAt, provider, cache }
}
