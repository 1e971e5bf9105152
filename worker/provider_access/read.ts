/**
 * Reads secrets that providers keep.
 *
 * A read takes two transactions of the vault. The first, `secret.read`, decides, and returns the chain and what the
 * cache holds: the vault has no network, so it cannot fetch. The second, `secret.provided`, reports what the providers
 * answered: the vault decides again, because rules may have changed during the fetch, and records provider, version and
 * the members passed over. Only then is the value released; an outcome that cannot be recorded is not released.
 * A fresh value from the cache takes the first transaction alone, since its source is recorded already.
 *
 * @module
 */
import type { Bytes } from '../../core/bytes.ts'
import type { DekCache } from '../../core/crypto/envelope.ts'
import { DEFAULT_CONTENT_TYPE, type Encoding } from '../../core/encoding.ts'
import { type ErrorDetail, PosternError, refusal } from '../../core/errors.ts'
import type { VersionedChain } from '../../core/providers/chain.ts'
import type { ChainReply } from '../../core/providers/failover.ts'
import type { ProviderSecret } from '../../core/providers/provider.ts'
import type { SkippedMember } from '../../core/providers/skipped.ts'
import type { StoreTags } from '../../core/providers/store_tags.ts'
import type { Redacted } from '../../core/redacted.ts'
import { openCached } from '../../core/sealing/cached_value.ts'
import type { CachedValue } from '../../core/vault/chains/cache_store.ts'
import { type ProviderRead, type ReadReport, type Released, reasonOf } from '../../core/vault/chains/read_operations.ts'
import { type Caller, type Granted, unwrap } from '../../core/vault/rpc.ts'
import { type RequestTiming, timed } from '../telemetry/request_timing.ts'
import type { VaultHandle } from '../vault_host/host.ts'
import { type CacheStatus, type CacheUse, distinct } from './cache_status.ts'
import { type FetchedReply, type FetchServices, refusalOnly, SharedFetches } from './shared_fetch.ts'

/** The request that a provider is accessed for. */
export interface VaultRequest {
  vault: string
  handle: VaultHandle
  caller: Caller
  /** Times the request, when settings ask for it. */
  timing?: RequestTiming | undefined
}

/** A secret that a provider keeps, released by the vault. Times are in milliseconds since the Unix epoch. */
export interface ReleasedSecret {
  name: string
  version: string
  value: Redacted<Bytes>
  encoding: Encoding
  contentType: string
  tags: StoreTags | null
  createdAt: number | null
  expiresAt: number | null
  provider: string
  cache: CacheStatus
}

/** Reads secrets from providers and from the cache. */
export class ProviderReader {
  readonly #services: FetchServices & { deks: DekCache }
  readonly #fetches: SharedFetches
  /** Counts reads by the part that the cache took. */
  readonly counts = new Map<CacheUse | 'collapsed', number>()

  constructor(services: FetchServices & { deks: DekCache }) {
    this.#services = services
    this.#fetches = new SharedFetches(services)
  }

  /**
   * Finishes a read that the vault permitted.
   *
   * @throws {PosternError} the refusal for what the providers answered, recorded; `unavailable` when it cannot be recorded.
   */
  async read(request: VaultRequest, permitted: Granted<ProviderRead>): Promise<Granted<ReleasedSecret>> {
    const plan = permitted.value
    const fresh = await this.#fromFresh(request.vault, plan)
    if (fresh !== null) return { ...permitted, value: fresh }
    const fetched = await timed(request.timing, 'provider', (traceparent) =>
      this.#fetches.fetch(request.vault, plan, permitted.index, traceparent),
    )
    let index: number | null = null
    try {
      const granted = await request.handle.call('secret.provided', request.caller, reportOf(plan, fetched))
      index = granted.index
      return await this.#release(request, plan, fetched, { ...granted, quota: permitted.quota })
    } catch (error) {
      throw this.#explained(error, plan, fetched)
    } finally {
      fetched.recorded(index)
    }
  }

  /** Finishes many reads. Each has its own outcome; all are recorded in one batch. */
  async readAll(
    request: VaultRequest,
    permitted: readonly Granted<ProviderRead>[],
  ): Promise<(Granted<ReleasedSecret> | PosternError)[]> {
    const done: (Granted<ReleasedSecret> | PosternError)[] = []
    const open: { at: number; one: Granted<ProviderRead> }[] = []
    for (const [at, one] of permitted.entries()) {
      const fresh = await this.#fromFresh(request.vault, one.value)
      if (fresh === null) open.push({ at, one })
      else done[at] = { ...one, value: fresh }
    }
    const wanted = open.map(({ one }) => one)
    const fetches =
      wanted.length === 0
        ? []
        : await timed(request.timing, 'provider', (traceparent) =>
            this.#fetches.fetchAll(request.vault, wanted, traceparent),
          )
    const completed = open.flatMap(({ at, one }, i) => {
      const fetched = fetches[i]!
      if (fetched instanceof PosternError) done[at] = fetched
      return fetched instanceof PosternError ? [] : [{ at, plan: one.value, fetched }]
    })
    const reports = completed.map(({ plan, fetched }) => reportOf(plan, fetched))
    const answers = await request.handle.callAll('secret.provided', request.caller, reports).catch((error) => {
      for (const { fetched } of completed) fetched.recorded(null)
      throw error
    })
    for (const [i, { at, plan, fetched }] of completed.entries()) {
      fetched.recorded(answers[i]!.index)
      const released = async () => this.#release(request, plan, fetched, unwrap(answers[i]!))
      done[at] = await released().catch((error) => refusalOnly(this.#explained(error, plan, fetched)))
    }
    return done
  }

  /** Opens the cached value, when it is fresh: the vault has released it already. */
  async #fromFresh(vault: string, plan: ProviderRead): Promise<ReleasedSecret | null> {
    const value = plan.cached && (await this.#open(vault, plan.cached))
    return plan.cached && value && this.#fromCache(plan, plan.cached, value)
  }

  async #release(
    request: VaultRequest,
    plan: ProviderRead,
    fetched: FetchedReply,
    granted: Granted<Released>,
  ): Promise<Granted<ReleasedSecret>> {
    const { stale, stored } = granted.value
    const { reply, collapsed } = fetched
    if (stale !== null) {
      const value = await this.#open(request.vault, stale)
      if (value !== null) return { ...granted, value: this.#fromCache(plan, stale, value, reply.skipped) }
      // The cached fallback fails authentication: the vault always refuses.
      const report = { ...reportOf(plan, fetched), tampered: true }
      return this.#release(request, plan, fetched, await request.handle.call('secret.provided', request.caller, report))
    }
    if (!('value' in reply)) throw new RangeError('Vault released a read without a value')
    const how = plan.cache === 'hit' ? 'miss' : plan.cache
    this.#count(collapsed ? 'collapsed' : how)
    const ttlSeconds = stored ? plan.chain.cacheSeconds : null
    const cache = { how, ageSeconds: null, ttlSeconds, stored, collapsed, skipped: reply.skipped }
    return { ...granted, value: releasedSecret(plan.name, reply.provider, reply.value, cache) }
  }

  #open(vault: string, cached: CachedValue): Promise<Redacted<Bytes> | null> {
    return openCached(this.#services.keyring, this.#services.deks, vault, cached)
  }

  #fromCache(
    plan: ProviderRead,
    cached: CachedValue,
    value: Redacted<Bytes>,
    skipped: readonly SkippedMember[] = [],
  ): ReleasedSecret {
    const ageSeconds = Math.max(0, Math.floor((plan.since - cached.fetchedAt) / 1000))
    const how = cached === plan.cached ? 'hit' : 'stale-if-error'
    this.#count(how)
    const ttlSeconds = plan.chain.cacheSeconds - ageSeconds
    const cache = { how, ageSeconds, ttlSeconds, stored: false, collapsed: false, skipped } as const
    return releasedSecret(
      plan.name,
      cached.provider,
      { ...cached, value, tags: cached.tags ? JSON.parse(cached.tags) : null },
      cache,
    )
  }

  /** Adds how the provider names secrets to the refusal of a name that it does not have. */
  #explained(error: unknown, plan: ProviderRead, fetched: FetchedReply): unknown {
    const refused = explained(error, plan, fetched)
    if (!(refused instanceof PosternError) || refused.code !== 'not_found' || !('failure' in fetched.reply))
      return refused
    const advice = this.#services.registry.namingAdvice(fetched.reply.provider ?? '')
    return advice === null ? refused : new PosternError(refused.code, `${refused.message}. ${advice}`, refused.detail)
  }

  #count(how: CacheUse | 'collapsed'): void {
    this.counts.set(how, (this.counts.get(how) ?? 0) + 1)
  }
}

/** Adds to a refusal what the providers answered. Its caller may read the secret, and so may know. */
function explained(error: unknown, { version, chain }: ProviderRead, { reply }: FetchedReply): unknown {
  if (!(error instanceof PosternError) || !('failure' in reply)) return error
  const { reason } = error.detail
  if (reason === undefined || reason !== reasonOf(reply.failure, version ?? '')) return error
  const { limitBytes = null, problem } = reply
  if (problem !== undefined) return unnamedError(chain, { provider: reply.provider, problem }, error.detail)
  const detail = { ...error.detail, ...passedOverOf(reply), ...(limitBytes !== null && { limitBytes }) }
  if (limitBytes === null) return refusal(reason, detail)
  return new PosternError(
    error.code,
    `Provider has more under this name than the ${limitBytes} bytes that are read`,
    detail,
  )
}

/** Says which chain and provider cannot have a name, and the way out. */
export function unnamedError(
  { id }: Pick<VersionedChain, 'id'>,
  { provider, problem }: { provider: string | null; problem: string },
  detail: ErrorDetail = {},
): PosternError {
  const message = `Chain ${id} cannot have this name at ${provider}. ${problem}. Give it a name there in names of the chain`
  return new PosternError('bad_request', message, { ...detail, reason: 'provider_name', field: 'name' })
}

/** The members that failover passed over, for the detail of a refusal. */
export function passedOverOf({ skipped }: Pick<ChainReply<never>, 'skipped'>): Pick<ErrorDetail, 'passedOver'> {
  return skipped.length === 0 ? {} : { passedOver: distinct(skipped) }
}

function reportOf(plan: ProviderRead, { reply, keep }: FetchedReply): ReadReport {
  const { name, version, chain, since, cached, maxAgeSeconds } = plan
  const about = {
    ...{ name, version, revision: chain.revision, since, skipped: reply.skipped },
    // A cached value exists, but fails authentication.
    ...(cached !== null && { tampered: true }),
    ...(maxAgeSeconds !== undefined && { maxAgeSeconds }),
  }
  if (!('value' in reply)) return { ...about, outcome: { failure: reply.failure, provider: reply.provider } }
  const kept = keep === null ? {} : { keep }
  return { ...about, outcome: { provider: reply.provider, version: reply.value.version, ...kept } }
}

function releasedSecret(
  name: string,
  provider: string,
  secret: Omit<ProviderSecret, 'name'>,
  cache: CacheStatus,
): ReleasedSecret {
  const { version, value, encoding, createdAt, expiresAt } = secret
  const contentType = secret.contentType ?? DEFAULT_CONTENT_TYPE[encoding]
  const { tags = null } = secret
  return { name, version, value, encoding, contentType, tags, createdAt, expiresAt, provider, cache }
}
