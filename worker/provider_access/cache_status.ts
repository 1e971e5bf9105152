import type * as z from 'zod/mini'
import type { Skipped } from '../../core/providers/skipped.ts'
import type * as wire from '../../core/wire/index.ts'

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

/** The same within the answer: many values at once have one set of headers. Empty for a plain read of the primary. */
export function sourceOf({
  how,
  ageSeconds,
  skipped,
}: CacheStatus): Pick<z.input<typeof wire.Secret>, 'passedOver' | 'cached'> {
  const passedOver = once(skipped)
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
  const detail = once(skipped).map(({ provider, why }) => `${provider}=${why}`)
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

/** One that was asked twice, with the same outcome, is named once. */
export function once(skipped: readonly Skipped[]): Skipped[] {
  return [...new Map(skipped.map((one) => [`${one.provider}=${one.why}`, one])).values()]
}
