/**
 * The part that the cache took in a read, for headers and for items of a batch.
 *
 * @module
 */
import type * as z from 'zod/mini'
import type { SkippedMember } from '../../core/providers/skipped.ts'
import type * as wire from '../../core/wire/index.ts'

/** The part that the cache took in a read. */
export type CacheUse = 'hit' | 'miss' | 'stale' | 'bypass' | 'request' | 'stale-if-error'

/** The cache's part in a read, and the members of the chain that failover passed over. */
export interface CacheStatus {
  how: CacheUse
  /** Age of a cached value; `null` when the value comes from a provider. */
  ageSeconds: number | null
  /** How long the value stays fresh; negative once it is stale. */
  ttlSeconds: number | null
  stored: boolean
  /** Whether the value came with the reply to another request. */
  collapsed: boolean
  skipped: readonly SkippedMember[]
}

/** The facts of {@link cacheHeaders}, for one item of a batch. Empty for a read from the primary. */
export function cacheFacts({
  how,
  ageSeconds,
  skipped,
}: CacheStatus): Pick<z.input<typeof wire.Secret>, 'passedOver' | 'cached'> {
  const passedOver = distinct(skipped)
  return {
    ...(passedOver.length > 0 && { passedOver }),
    ...(ageSeconds !== null && { cached: { ageSeconds, ...(how === 'stale-if-error' && { stale: true as const }) } }),
  }
}

/** `Cache-Status` (RFC 9211) and `Age` (RFC 9111 section 5.1). */
export function cacheHeaders({
  how,
  ageSeconds,
  ttlSeconds,
  stored,
  collapsed,
  skipped,
}: CacheStatus): [string, string][] {
  const detail = distinct(skipped).map(({ provider, why }) => `${provider}=${why}`)
  if (how === 'stale-if-error') detail.unshift(how)
  const status = [
    'Postern',
    how === 'hit' ? 'hit' : `fwd=${how === 'stale-if-error' ? 'stale' : how}`,
    ...(stored ? ['stored'] : []),
    ...(collapsed ? ['collapsed'] : []),
    ...(ttlSeconds === null ? [] : [`ttl=${ttlSeconds}`]),
    ...(detail.length === 0 ? [] : [`detail="${detail.join(', ')}"`]),
  ]
  return [
    ['Cache-Status', status.join('; ')],
    ...(ageSeconds === null ? [] : [['Age', String(ageSeconds)] as [string, string]]),
  ]
}

/** Removes duplicates: a member that failed twice in one way is named once. */
export function distinct(skipped: readonly SkippedMember[]): SkippedMember[] {
  return [...new Map(skipped.map((one) => [`${one.provider}=${one.why}`, one])).values()]
}
