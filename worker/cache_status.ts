import type { Skipped } from '../core/providers/failover.ts'

/** How the cache took part in a read. */
export type CacheUse = 'hit' | 'miss' | 'stale' | 'bypass' | 'stale-if-error'

/** What is said of the cache, and of the replicas that were passed over. */
export interface CacheStatus {
  how: CacheUse
  /** How old the value is; `null` when it came from the provider just now. */
  ageSeconds: number | null
  /** How long it is still fresh; negative when it is not any more. */
  ttlSeconds: number | null
  stored: boolean
  /** Whether it came with the answer to another request. */
  collapsed: boolean
  skipped: readonly Skipped[]
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
  // One that was asked twice is named once.
  const detail = [...new Set(skipped.map(({ provider, why }) => `${provider}=${why}`))]
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
