/**
 * Reads of names at providers: the vault decides and records before and after the edge calls the provider, and keeps
 * the cache. Values arrive and leave sealed.
 *
 * @module
 */
import type { Reason } from '../../errors.ts'
import type { VersionedChain } from '../../providers/chain.ts'
import type { FailureKind } from '../../providers/provider.ts'
import { ABSENT, isAbsence, type SkippedMember, type SkipReason } from '../../providers/skipped.ts'
import { type Facts, type OperationContext, type Outcome, operation } from '../operation.ts'
import type { Stores } from '../stores.ts'
import type { CachedValue } from './cache_store.ts'

/** How long it is remembered that there is no such secret. */
const ABSENT_MS = 5000
/** The result of a read that took longer than any request is not cached. */
const MAX_READ_MS = 10 * 60_000

/** A read that was permitted, of a name that a provider keeps. */
export interface ProviderRead {
  name: string
  version: string | null
  chain: VersionedChain
  /** Replicas that still have the value before a rotation, which is no longer valid: they are skipped. */
  outdated: readonly string[]
  /** When the read was permitted. Its value is not cached if the secret changed after that. */
  since: number
  /** When the name changed last: reads before and after must not share an answer. */
  barrier: number
  /** A value that is fresh enough to be served in place of the provider's. */
  cached: CachedValue | null
  /** How the cache took part in the read (RFC 9211): `stale` when it holds an older value, `request` when the client
   * does not accept the fresh one. */
  cache: 'hit' | 'stale' | 'miss' | 'bypass' | 'request'
  /** The greatest age of a cached value that the client accepts, in seconds: 0 for none, `undefined` for any. */
  maxAgeSeconds: number | undefined
}

/** What to read of a secret. */
export interface ReadInput {
  name: string
  /** A number, or a stage, an id or a label; the current version by default. */
  version?: number | string
  /** A JSON pointer to the part that the caller gets, which the edge picks. */
  field?: string
  /** The greatest age of a cached value that the client accepts, in seconds: 0 for none; any by default. */
  maxAgeSeconds?: number
}

/** Plans the read of a name that a chain covers. `secret.read` has authorized it. */
export function planRead(
  context: Pick<OperationContext, 'cache' | 'replication' | 'revalidations' | 'limits' | 'principal' | 'now'>,
  chain: VersionedChain,
  { name, version, maxAgeSeconds }: ReadInput,
): Outcome<ProviderRead> {
  const { cache, replication, principal, now } = context
  const asked = version === undefined || version === 'current' ? '' : String(version)
  const lagging = chain.members.length > 1 ? replication.outdated(name, now) : []
  const outdated = replicasOf(chain).filter((provider) => lagging.includes(provider))
  const about = {
    chain: chain.id,
    ...(version !== undefined && { asked: String(version) }),
    ...(outdated.length > 0 && { outdated }),
  }
  const accepts = (one: { fetchedAt: number }) =>
    maxAgeSeconds === undefined || isWithin(one, maxAgeSeconds * 1000, now)
  const known = cache.refusal(name, asked)
  const refusal = known?.revision === chain.revision && isWithin(known, absentMs(chain), now) ? known : null
  if (refusal !== null && accepts(refusal)) {
    const { provider, failure } = refusal
    return { reason: reasonOf(failure, asked), facts: { ...about, provider, cache: 'negative' } }
  }
  const kept = cache.value(name, asked)
  const isOutdated = kept !== null && lagging.includes(kept.provider)
  const usable = kept !== null && kept.revision === chain.revision && !isOutdated && !hasEnded(kept, now) ? kept : null
  const fresh = usable !== null && isWithin(usable, chain.cacheSeconds * 1000, now) ? usable : null
  const cached = fresh !== null && accepts(fresh) ? fresh : null
  // The cache could have answered, and its client does not accept that.
  const isDemanded = cached === null && (fresh !== null || refusal !== null)
  const quota = isDemanded ? context.revalidations.admit(context.limits.revalidationWindows(principal), now) : null
  if (quota?.allowed === false) {
    const facts = { ...about, cache: 'request', window: quota.name }
    return { reason: 'throttled', quota, facts, ...(!quota.first && { unrecorded: true }) }
  }
  const value = {
    ...{
      name,
      version: asked === '' ? null : asked,
      chain,
      outdated,
      since: now,
      barrier: cache.barrier(name),
      cached,
      maxAgeSeconds,
    },
    cache: cached
      ? ('hit' as const)
      : isDemanded
        ? ('request' as const)
        : usable
          ? ('stale' as const)
          : keeps(chain)
            ? ('miss' as const)
            : ('bypass' as const),
  }
  return { value, facts: { ...about, cache: value.cache, ...(cached && servedFacts(cached, now)) } }
}

/** The outcome of a read at the providers. */
export interface ReadReport {
  name: string
  version: string | null
  revision: string
  since: number
  skipped: SkippedMember[]
  /** Set when a cached value could not be opened. */
  tampered?: boolean
  /** {@link ProviderRead.maxAgeSeconds}. */
  maxAgeSeconds?: number
  outcome:
    | { provider: string; version: string; keep?: CachedValue }
    // The provider is `null` when none answered.
    | { failure: FailureKind; provider: string | null }
}

/** The released value: the one that the edge has, or an older one from the cache. */
export interface Released {
  stale: CachedValue | null
  /** Whether the value was kept. */
  stored: boolean
}

/** Records the outcome of a permitted read before the value is released. It authorizes the read again. */
export const reportRead = operation({
  action: 'read',
  continuation: true,
  resource: ({ name }: ReadReport) => name,
  approvalBinding: 'nothing',
  run(context, report: ReadReport): Outcome<Released> {
    const { chains, cache, replication, now } = context
    const { name, revision, outcome, skipped } = report
    const chain = chains.covering(name)
    if (chain?.revision !== revision) return { reason: 'chain_changed' }
    if (report.tampered) cache.purge(name, now)
    const asked = report.version ?? ''
    const about: Facts = {
      ...{ chain: chain.id, skipped: skipped.map(({ provider, why }) => `${provider}:${why}`) },
      ...(asked && { asked }),
      ...(report.tampered && { cache: 'tampered' }),
    }
    if ('version' in outcome) {
      const { provider, version, keep } = outcome
      const isChanged = report.maxAgeSeconds !== undefined && isAnother(cache.value(name, asked), outcome)
      // The barrier also keeps out an older value that is on its way.
      if (isChanged) cache.purge(name, now)
      const stored = !isChanged && keep !== undefined && keepValue(context, chain, report, keep)
      replication.watch(name, replicasOf(chain))
      return { value: { stale: null, stored }, facts: { ...about, provider, version: bounded(version), ageSeconds: 0 } }
    }
    const { failure, provider } = outcome
    if (provider !== null) {
      refuse(context, chain, { name, asked, provider, failure, since: report.since })
      return { reason: reasonOf(failure, asked), facts: { ...about, provider, failure } }
    }
    // A replica reports a revocation: no older value is served, though only the primary could confirm it.
    if (skipped.some(({ why }) => REVOKED.includes(why))) cache.purge(name, now)
    const stale = staleValue(context, chain, { ...report, asked })
    if (stale === null) return { reason: 'provider_unavailable', facts: { ...about, failure } }
    return {
      value: { stale, stored: false },
      facts: { ...about, failure, cache: 'stale', ...servedFacts(stale, now) },
    }
  },
})

/** The providers of a chain behind its primary. */
export function replicasOf({ members }: VersionedChain): string[] {
  return members.slice(1).map(({ provider }) => provider)
}

function keeps({ cacheSeconds, maxStaleSeconds }: VersionedChain): boolean {
  return cacheSeconds + maxStaleSeconds > 0
}

/** Whether a provider has another value than the cache. */
function isAnother(kept: CachedValue | null, found: { provider: string; version: string }): boolean {
  return kept !== null && (kept.provider !== found.provider || kept.version !== found.version)
}

function keepMs({ cacheSeconds, maxStaleSeconds }: VersionedChain): number {
  return (cacheSeconds + maxStaleSeconds) * 1000
}

function absentMs({ cacheSeconds }: VersionedChain): number {
  return Math.min(ABSENT_MS, cacheSeconds * 1000)
}

/**
 * Whether a value is younger than an age. A time in the future does not count: a clock went back, and the age is
 * unknown.
 */
function isWithin({ fetchedAt }: { fetchedAt: number }, ms: number, now: number): boolean {
  return fetchedAt <= now && now - fetchedAt < ms
}

function hasEnded({ expiresAt }: CachedValue, now: number): boolean {
  return expiresAt !== null && expiresAt <= now
}

/** Caches a value, unless the secret changed after the request, or a clock went back. */
function keepValue(
  { cache, now }: OperationContext,
  chain: VersionedChain,
  { name, version, since }: ReadReport,
  keep: CachedValue,
) {
  const { revision, fetchedAt } = keep
  const current = since > cache.barrier(name) && now - since < MAX_READ_MS && since <= now
  const asItWas =
    keep.name === name && keep.asked === (version ?? '') && revision === chain.revision && fetchedAt === since
  // A read that began later brought its value first. Not every store has versions to tell the two by.
  const isLate = (cache.value(name, version ?? '')?.fetchedAt ?? 0) > since
  if (!keeps(chain) || !current || !asItWas || isLate) return false
  cache.keep(keep, since + keepMs(chain))
  return true
}

/** Failures that may be about the requested version alone. */
const ABOUT_VERSION: readonly FailureKind[] = ['not_found', 'invalid', 'no_stage', 'disabled', 'expired']

/** Deletes the cached values that a provider denies; an absence is remembered for a moment. */
function refuse(
  { cache, now }: OperationContext,
  chain: VersionedChain,
  about: { name: string; asked: string; provider: string; failure: FailureKind; since: number },
): void {
  const { name, asked, provider, failure, since } = about
  const current = since > cache.barrier(name)
  // The absence of one version says nothing about the others.
  if (asked !== '' && ABOUT_VERSION.includes(failure)) cache.drop(name, asked)
  else cache.purge(name, now)
  const isPrimary = provider === chain.members[0]!.provider
  if (!ABSENT.includes(failure) || !isPrimary || !current || absentMs(chain) === 0) return
  cache.keepRefusal(name, asked, { revision: chain.revision, provider, failure, fetchedAt: now }, now + absentMs(chain))
}

/** Absences that show that the secret once existed. */
const REVOKED: readonly SkipReason[] = ['deleted', 'disabled', 'expired']

/** An old value, while the chain allows one and the provider that it came from does not deny having it. */
function staleValue(
  { cache, replication, now }: Pick<Stores, 'cache' | 'replication'> & { now: number },
  chain: VersionedChain,
  { name, asked, skipped, maxAgeSeconds }: Pick<ReadReport, 'name' | 'skipped' | 'maxAgeSeconds'> & { asked: string },
) {
  const kept = cache.value(name, asked)
  if (kept === null || kept.revision !== chain.revision || hasEnded(kept, now)) return null
  if (skipped.some(({ provider, why }) => provider === kept.provider && isAbsence(why))) return null
  if (replication.outdated(name, now).includes(kept.provider)) return null
  if (maxAgeSeconds !== undefined && !isWithin(kept, maxAgeSeconds * 1000, now)) return null
  return chain.maxStaleSeconds > 0 && isWithin(kept, keepMs(chain), now) ? kept : null
}

function servedFacts({ provider, version, fetchedAt }: CachedValue, now: number): Facts {
  return { provider, version: bounded(version), ageSeconds: Math.max(0, Math.floor((now - fetchedAt) / 1000)) }
}

/** A provider's name for a version, cut to the length that the log takes. */
export function bounded(version: string): string {
  return version.slice(0, 128)
}

const REASONS: Record<FailureKind, Reason> = {
  not_found: 'no_secret',
  deleted: 'provider_deleted',
  disabled: 'provider_disabled',
  expired: 'expired',
  denied: 'provider_denied',
  credentials: 'provider_credentials',
  invalid: 'provider_invalid',
  conflict: 'provider_conflict',
  name: 'provider_name',
  foreign_shape: 'foreign_shape',
  no_stage: 'no_stage',
  throttled: 'provider_unavailable',
  timeout: 'provider_unavailable',
  sealed: 'provider_unavailable',
  unavailable: 'provider_unavailable',
}

/** Why a read is refused that came to this. */
export function reasonOf(failure: FailureKind, asked = ''): Reason {
  return failure === 'not_found' && asked !== '' ? 'no_version' : REASONS[failure]
}
