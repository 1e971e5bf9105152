/**
 * The rate limits of identified requests. A request counts once, however many operations it takes, and each secret that
 * it reads counts.
 *
 * @module
 */
import { LRUCache } from 'lru-cache'
import { type RateLimitDecision, RateLimiter, type RateWindow } from '../../rate_limit.ts'
import type { Operation } from '../operation.ts'

/** The most requests that are remembered: those under way, several times over. An older one would count again. */
const MAX_REQUESTS = 1000

/** Which request an operation belongs to, and whose. */
export interface CountedRequest {
  requestId: string
  principal: string
}

/** The counts of the requests of a vault, in memory. */
export class RequestQuota {
  readonly #limiter = new RateLimiter()
  readonly #admitted = new LRUCache<string, RateLimitDecision>({ max: MAX_REQUESTS })

  /**
   * Admits an operation, and counts its request if no operation of it was counted.
   *
   * @param now Milliseconds since the Unix epoch.
   * @returns `null` for an operation that no limit counts.
   */
  admit(
    { countsEach, continuation }: Pick<Operation<never, unknown>, 'countsEach' | 'continuation'>,
    { requestId, principal }: CountedRequest,
    windows: readonly RateWindow[],
    now: number,
  ): RateLimitDecision | null {
    if (continuation) return null
    if (countsEach) return this.#limiter.admit(windows, now)
    // A request signs in as a principal after operations that need none.
    const request = `${requestId}/${principal}`
    const counted = this.#admitted.get(request)
    if (counted !== undefined) return counted
    const decision = this.#limiter.admit(windows, now)
    if (decision?.allowed) this.#admitted.set(request, decision)
    return decision
  }

  /** Admits a request whose caller is not known. */
  admitUnknown(windows: readonly RateWindow[], now: number): RateLimitDecision | null {
    return this.#limiter.admit(windows, now)
  }
}
