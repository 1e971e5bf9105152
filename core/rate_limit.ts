/**
 * Rate limits: the generic cell rate algorithm (GCRA, ITU-T I.371), one number a key.
 *
 * @module
 */
import { LRUCache } from 'lru-cache'
import { badRequest } from './errors.ts'

/** So many requests in a period, at once or spread over it. */
export interface RateLimit {
  requests: number
  periodMs: number
}

/** A limit that applies to a request, and what it counts: a principal, a source, a vault. */
export interface RateWindow {
  /** The name that clients see, such as `principal`. */
  name: string
  /** Whose requests are counted. */
  key: string
  limit: RateLimit
}

/** What the tightest window leaves. */
export interface RateLimitDecision {
  allowed: boolean
  name: string
  limit: RateLimit
  /** Requests that would be admitted now, one after another. */
  remaining: number
  /** When one more will be, in milliseconds; 0 when it would be now. */
  retryAfterMs: number
  /** Set on the first refusal of this key in a period. */
  first: boolean
}

/** A clock that is behind by more than this was set back; by less, two requests were told the time in another order. */
const SET_BACK_MS = 1000

/** A shorter time is a rounding error of added fractions of a millisecond. */
const ROUNDING_MS = 0.001

/**
 * Reads limits such as `100/s, 3000/m`.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseLimit(text: string, field = 'limit'): RateLimit {
  const [, requests, unit] = /^([1-9][0-9]{0,8})\/([smh])$/.exec(text) ?? []
  if (requests === undefined || unit === undefined) throw badRequest(field, 'Limit must read N/s, N/m or N/h')
  return { requests: Number(requests), periodMs: { s: 1000, m: 60_000, h: 3_600_000 }[unit]! }
}

/**
 * Admits requests to windows. State is in memory, bounded, and gone with the process: a window is
 * short, and what must outlive a restart is the lockout's.
 */
export class RateLimiter {
  // The theoretical arrival time of each key's next request, in milliseconds since the first request of
  // all: small numbers, so that fractions of a millisecond add up exactly enough.
  readonly #arrivals: LRUCache<string, number>
  #epoch: number | null = null
  #latest = 0
  // When a refusal of a key was last told to be the first.
  readonly #refused: LRUCache<string, number>

  constructor(max = 50_000) {
    this.#arrivals = new LRUCache({ max })
    this.#refused = new LRUCache({ max: Math.ceil(max / 10) })
  }

  /**
   * Admits a request to all its windows, or to none of them.
   *
   * @param now Milliseconds since the Unix epoch. A clock that is set back admits no more for it, and no less: it stands still,
   *   and then runs on.
   * @returns The window with the least left, or `null` when there is no window.
   */
  admit(windows: readonly RateWindow[], now: number): RateLimitDecision | null {
    const at = this.#timeOf(now)
    let tightest: RateLimitDecision | null = null
    const next: [string, number][] = []
    for (const { name, key, limit } of windows) {
      const id = `${name}/${limit.requests}/${limit.periodMs}/${key}`
      const interval = limit.periodMs / limit.requests
      const arrival = Math.max(this.#arrivals.get(id) ?? Number.NEGATIVE_INFINITY, at) + interval
      const spare = at + limit.periodMs - arrival
      if (spare < -ROUNDING_MS) {
        const first = at - (this.#refused.get(id) ?? Number.NEGATIVE_INFINITY) > limit.periodMs
        if (first) this.#refused.set(id, at)
        return { allowed: false, name, limit, remaining: 0, retryAfterMs: Math.ceil(-spare), first }
      }
      next.push([id, arrival])
      const remaining = Math.floor((spare + ROUNDING_MS) / interval)
      if (tightest === null || remaining < tightest.remaining) {
        tightest = { allowed: true, name, limit, remaining, retryAfterMs: 0, first: false }
      }
    }
    for (const [id, arrival] of next) this.#arrivals.set(id, arrival)
    return tightest
  }
  /**
   * Milliseconds since the first request. With the raw clock, a clock that is set back would refuse everyone until it
   * catches up.
   */
  #timeOf(now: number): number {
    this.#epoch ??= now
    if (now - this.#epoch < this.#latest - SET_BACK_MS) this.#epoch = now - this.#latest
    this.#latest = Math.max(this.#latest, now - this.#epoch)
    return this.#latest
  }
}
