/**
 * What a vault does for a name that a provider keeps: it decides and records, before and after the edge asks the
 * provider, and keeps the cache. Values come and go sealed.
 *
 * @module
 */
import type { Reason } from '../errors.ts'
import { type Context, type Facts, type Outcome, operation, type Stores } from '../operation.ts'
import type { CachedValue } from './cache_store.ts'
import type { VersionedChain } from './chain.ts'
import type { Skipped } from './failover.ts'
import type { FailureKind } from './provider.ts'
import type { Effect } from './replication_store.ts'

/** How long a write may take to come back before its replicas are looked at anyway. */
const WRITE_GRACE_MS = 60_000
/** How long it is remembered that there is no such secret. */
const ABSENT_MS = 5000
/** A read that took longer than any request is not to be kept. */
const MAX_READ_MS = 10 * 60_000

/** A read that was permitted, of a name that a provider keeps. */
export interface ProvidedRead {
  name: string
  version: string | null
  chain: VersionedChain
  /** When it was permitted; what was read then is not kept when the secret changed since. */
  since: number
  /** When the name changed last: reads before and after must not share an answer. */
  barrier: number
  /** A value that is fresh enough to be served in place of the provider's. */
  cached: CachedValue | null
  /** Whether there is an older one, and so what the cache says of the read: RFC 9211. */
  cache: 'hit' | 'stale' | 'miss' | 'bypass'
}

export interface ReadInput {
  name: string
  version?: number | string
}

/** Looks how a read of a name goes that a chain covers. Called by `secret.read`, which has decided. */
export function planRead(
  { cache, now }: Pick<Context, 'cache' | 'now'>,
  chain: VersionedChain,
  { name, version }: ReadInput,
): Outcome<ProvidedRead> {
  const asked = version === undefined ? '' : String(version)
  const about = { chain: chain.id, ...(asked && { asked }) }
  const refusal = cache.refusal(name, asked)
  if (refusal?.revision === chain.revision && isWithin(refusal, absentMs(chain), now)) {
    const { provider, failure } = refusal
    return { reason: reasonOf(failure, asked), facts: { ...about, provider, cache: 'negative' } }
  }
  const kept = cache.value(name, asked)
  const usable = kept !== null && kept.revision === chain.revision && !hasEnded(kept, now) ? kept : null
  const cached = usable !== null && isWithin(usable, chain.cacheSeconds * 1000, now) ? usable : null
  const value = {
    ...{ name, version: version === undefined ? null : asked, chain, since: now, barrier: cache.barrier(name), cached },
    cache: cached
      ? ('hit' as const)
      : usable
        ? ('stale' as const)
        : keeps(chain)
          ? ('miss' as const)
          : ('bypass' as const),
  }
  return { value, facts: { ...about, cache: value.cache, ...(cached && servedFacts(cached, now)) } }
}

/** What came of asking the providers. */
export interface ReadReport {
  name: string
  version: string | null
  revision: string
  since: number
  skipped: Skipped[]
  /** Set when a cached value could not be opened. */
  tampered?: boolean
  outcome:
    | { provider: string; version: string; keep?: CachedValue }
    // Nobody answered when there is no provider.
    | { failure: FailureKind; provider: string | null }
}

/** What is to be released: the value that the edge has, or an old one of the cache. */
export interface Released {
  stale: CachedValue | null
  /** Whether the value was kept. */
  stored: boolean
}

/** Records what came of a permitted read, before anything of it is released. It decides anew. */
export const reportRead = operation({
  action: 'read',
  resource: ({ name }: ReadReport) => name,
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
      const stored = keep !== undefined && keepValue(context, chain, report, keep)
      replication.watch(name, replicasOf(chain))
      return { value: { stale: null, stored }, facts: { ...about, provider, version: bounded(version), ageSeconds: 0 } }
    }
    const { failure, provider } = outcome
    if (provider !== null) {
      refuse(context, chain, { name, asked, provider, failure, since: report.since })
      return { reason: reasonOf(failure, asked), facts: { ...about, provider, failure } }
    }
    const stale = staleValue(context, chain, name, asked)
    if (stale === null) return { reason: 'provider_unavailable', facts: { ...about, failure } }
    return {
      value: { stale, stored: false },
      facts: { ...about, failure, cache: 'stale', ...servedFacts(stale, now) },
    }
  },
})

/** A write or a delete that was permitted, of a name that a provider keeps. */
export interface ProvidedWrite {
  chain: VersionedChain
  /** The version that an earlier request with the same idempotency key wrote. */
  replayed: string | null
}

/** An outcome that is no refusal. */
type Permitted<T> = Extract<Outcome<T>, { value: T }>

/** Looks how a write goes. The cache forgets the name, and its replicas are due, whatever becomes of the edge. */
export function beginWrite(
  { cache, replication, now }: Context,
  chain: VersionedChain,
  name: string,
  effect: Effect,
): Permitted<ProvidedWrite> {
  cache.purge(name, now)
  const replicas = chain.replicate ? replicasOf(chain) : []
  replication.begin(name, replicas, effect, { now, dueAt: now + WRITE_GRACE_MS })
  const [primary] = chain.members
  return { value: { chain, replayed: null }, facts: { chain: chain.id, provider: primary!.provider, begun: effect } }
}

export interface WriteReport {
  name: string
  chain: string
  provider: string
  effect: Effect
  /** What failed before it was sent did surely not happen. */
  outcome: { version: string | null } | { failure: FailureKind; sent: boolean }
  idempotency?: { key: string; fingerprint: string }
}

/**
 * Records what came of a write that was permitted. It needs no right anew: it is done, and releases nothing.
 */
export const reportWrite = operation({
  action: null,
  resource: ({ name }: WriteReport) => name,
  about: ({ chain, provider, effect }) => ({ chain, provider, effect }),
  run({ cache, replication, secrets, principal, now }: Context, report: WriteReport): Outcome<{ at: number }> {
    const { name, effect, outcome, idempotency } = report
    cache.purge(name, now)
    replication.settle(name, now)
    if ('failure' in outcome) {
      const { failure, sent } = outcome
      return { reason: writeReasonOf(failure, effect, sent), facts: { failure, sent } }
    }
    const { version } = outcome
    if (idempotency && version !== null) {
      const { key, fingerprint } = idempotency
      secrets.remember(principal, key, { fingerprint, name, number: 0, provided: version }, now, now - WRITE_MEMORY_MS)
    }
    return { value: { at: now }, facts: version === null ? {} : { version: bounded(version) } }
  },
})

const WRITE_MEMORY_MS = 24 * 60 * 60 * 1000

/** A look at the names or the versions that a provider has. */
export interface ProvidedList {
  chain: VersionedChain
}

/** Permits a look at the names of a chain. Which of them are shown is decided by {@link showNames}. */
export const browseChain = operation({
  action: null,
  resource: ({ prefix }: { chain: string; prefix: string }) => prefix,
  about: ({ chain }) => ({ chain }),
  run(context, { chain: id }): Outcome<ProvidedList> {
    const barred = context.barred('read')
    if (barred !== null) return { reason: barred }
    const chain = context.chains.find(id)
    // Who may read nothing there learns of no chain, and costs the provider nothing.
    if (chain === null || !mayReadSome(context, chain)) return { reason: 'denied' }
    return { value: { chain }, quiet: true }
  },
})

/** Of the names that a provider has, those that the chain covers and that the caller may read. */
export const showNames = operation({
  action: null,
  resource: ({ prefix }: { chain: string; prefix: string; names: string[] }) => prefix,
  about: ({ chain }) => ({ chain }),
  run(context, { chain, names }): Outcome<string[]> {
    const barred = context.barred('read')
    if (barred !== null) return { reason: barred }
    const shown = names.filter(
      (name) => context.chains.covering(name)?.id === chain && context.refuses('read', name) === null,
    )
    return { value: shown, facts: { count: shown.length } }
  },
})

/** The providers of a chain behind its primary. */
export function replicasOf({ members }: VersionedChain): string[] {
  return members.slice(1).map(({ provider }) => provider)
}

/** Whether some rule may permit the caller to read something that the chain covers; what, is decided for each name. */
function mayReadSome({ rules }: Context, { resource: covered }: VersionedChain): boolean {
  return rules.some(({ effect, actions, resource }) => {
    if (effect !== 'permit' || !actions.includes('read')) return false
    const [one, other] = [headOf(resource), headOf(covered)]
    return one.startsWith(other) || other.startsWith(one)
  })
}

/** How every name begins that a pattern covers. */
function headOf(pattern: string): string {
  return pattern.includes('*') ? pattern.slice(0, pattern.indexOf('*')) : pattern
}

function keeps({ cacheSeconds, maxStaleSeconds }: VersionedChain): boolean {
  return cacheSeconds + maxStaleSeconds > 0
}

function keepMs({ cacheSeconds, maxStaleSeconds }: VersionedChain): number {
  return (cacheSeconds + maxStaleSeconds) * 1000
}

function absentMs({ cacheSeconds }: VersionedChain): number {
  return Math.min(ABSENT_MS, cacheSeconds * 1000)
}

/**
 * Whether something is younger than an age. What comes from the future is not: a clock went back, and its age is
 * unknown.
 */
function isWithin({ fetchedAt }: { fetchedAt: number }, ms: number, now: number): boolean {
  return fetchedAt <= now && now - fetchedAt < ms
}

function hasEnded({ expiresAt }: CachedValue, now: number): boolean {
  return expiresAt !== null && expiresAt <= now
}

/** Keeps a value, unless the secret changed after it was asked for, or a clock went back. */
function keepValue(
  { cache, now }: Context,
  chain: VersionedChain,
  { name, version, since }: ReadReport,
  keep: CachedValue,
) {
  const { revision, fetchedAt } = keep
  const current = since > cache.barrier(name) && now - since < MAX_READ_MS && since <= now
  const asItWas =
    keep.name === name && keep.asked === (version ?? '') && revision === chain.revision && fetchedAt === since
  if (!keeps(chain) || !current || !asItWas) return false
  cache.keep(keep, since + keepMs(chain))
  return true
}

/** What a provider said no to is forgotten; that it has no such secret is remembered for a moment. */
function refuse(
  { cache, now }: Context,
  chain: VersionedChain,
  about: { name: string; asked: string; provider: string; failure: FailureKind; since: number },
): void {
  const { name, asked, provider, failure, since } = about
  const current = since > cache.barrier(name)
  // What is said of one version says nothing of the others.
  if (asked !== '' && (failure === 'not_found' || failure === 'invalid')) cache.drop(name, asked)
  else cache.purge(name, now)
  const isPrimary = provider === chain.members[0]!.provider
  if (!ABSENT.includes(failure) || !isPrimary || !current || absentMs(chain) === 0) return
  cache.keepRefusal(name, asked, { revision: chain.revision, provider, failure, fetchedAt: now }, now + absentMs(chain))
}

/** Answers that are remembered for a moment: there is no value, whoever asks. */
export const ABSENT: readonly FailureKind[] = ['not_found', 'deleted', 'disabled', 'expired']

/** An old value, for as long as the chain lets it stand in for one that nobody can give. */
function staleValue(
  { cache, now }: Pick<Stores, 'cache'> & { now: number },
  chain: VersionedChain,
  name: string,
  asked: string,
) {
  const kept = cache.value(name, asked)
  if (kept === null || kept.revision !== chain.revision || hasEnded(kept, now)) return null
  return chain.maxStaleSeconds > 0 && isWithin(kept, keepMs(chain), now) ? kept : null
}

function servedFacts({ provider, version, fetchedAt }: CachedValue, now: number): Facts {
  return { provider, version: bounded(version), ageSeconds: Math.max(0, Math.floor((now - fetchedAt) / 1000)) }
}

/** What somebody else calls a version, as the log has room for it. */
function bounded(version: string): string {
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
  throttled: 'provider_unavailable',
  timeout: 'provider_unavailable',
  sealed: 'provider_unavailable',
  unavailable: 'provider_unavailable',
}

/** Why a read is refused that came to this. */
export function reasonOf(failure: FailureKind, asked = ''): Reason {
  return failure === 'not_found' && asked !== '' ? 'no_version' : REASONS[failure]
}

/** A write that did not come back may have been done. */
function writeReasonOf(failure: FailureKind, effect: Effect, sent: boolean): Reason {
  if (!sent) return 'provider_unavailable'
  if (failure === 'timeout' || failure === 'unavailable') return 'write_unknown'
  return failure === 'deleted' && effect === 'write' ? 'provider_conflict' : REASONS[failure]
}
