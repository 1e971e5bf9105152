import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseLimit, type RateLimit, RateLimiter, type RateWindow } from '../../../core/rate_limit.ts'
import { refusalFrom } from '../../support/core.ts'

const NOW = 1_760_000_000_000
const windowOf = (limit: RateLimit, name = 'principal', key = 'ann'): RateWindow => ({ name, key, limit })
const perSecond = (requests: number): RateLimit => ({ requests, periodMs: 1000 })
const allowed = (throttle: RateLimiter, windows: RateWindow[], now: number) => throttle.admit(windows, now)?.allowed

/**
 * Who is admitted, by counting: since each request that was admitted, this one with it, no more than the
 * limit and what the time since then gave back. Whole numbers only.
 */
function admittedByTheBook(admitted: readonly number[], now: number, { requests, periodMs }: RateLimit): boolean {
  const times = [...admitted, now]
  return times.every((since, i) => (times.length - i) * periodMs <= requests * periodMs + (now - since) * requests)
}

// Those whose share of the period is a whole number of milliseconds.
const limit = fc.constantFrom(
  ...[1, 2, 4, 5, 8, 10, 25, 100].map(perSecond),
  { requests: 12, periodMs: 60_000 },
  { requests: 3, periodMs: 3_600_000 },
)

describe('parseLimit', () => {
  it('reads requests a second, a minute and an hour', () => {
    expect(['100/s', '3000/m', '1/h'].map((text) => parseLimit(text))).toEqual([
      { requests: 100, periodMs: 1000 },
      { requests: 3000, periodMs: 60_000 },
      { requests: 1, periodMs: 3_600_000 },
    ])
  })

  it.each([
    ...[
      '',
      '100',
      '/s',
      '0/s',
      '01/s',
      '-1/s',
      '1.5/s',
      '1e3/s',
      '1/d',
      '1/S',
      '1/ms',
      '1 /s',
      ' 1/s',
      '1/s\n',
      '1/s, 2/m',
    ],
    ...['9999999999/s', '１/s'],
  ])('refuses %j', (text) => {
    const error = refusalFrom(() => parseLimit(text, 'sourceRate'))
    expect([error.code, error.detail.field]).toEqual(['bad_request', 'sourceRate'])
  })
})

describe('Throttle', () => {
  it('admits a limit at once, then one for each share of the period', () => {
    const throttle = new RateLimiter()
    const windows = [windowOf(perSecond(4))]
    const burst = Array.from({ length: 6 }, () => throttle.admit(windows, NOW))
    expect(burst.map((admission) => admission?.allowed)).toEqual([true, true, true, true, false, false])
    expect(burst.map((admission) => admission?.remaining)).toEqual([3, 2, 1, 0, 0, 0])
    expect(burst.map((admission) => admission?.retryAfterMs)).toEqual([0, 0, 0, 0, 250, 250])
    expect([249, 250, 251, 499, 500].map((later) => allowed(throttle, windows, NOW + later))).toEqual([
      ...[false, true, false, false, true],
    ])
  })

  it('agrees with a count of requests at any times', () => {
    const waits = fc.array(fc.oneof(fc.nat(30), fc.nat(2000), fc.constant(0), fc.nat(4_000_000)), { maxLength: 60 })
    fc.assert(
      fc.property(limit, waits, (given, steps) => {
        const throttle = new RateLimiter()
        const admitted: number[] = []
        let now = NOW
        for (const step of steps) {
          now += step
          const expected = admittedByTheBook(admitted, now, given)
          expect(allowed(throttle, [windowOf(given)], now)).toBe(expected)
          if (expected) admitted.push(now)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('admits in any span at most the limit and the share that flows back', () => {
    const anyLimit = fc.record({ requests: fc.integer({ min: 1, max: 40 }), periodMs: fc.constantFrom(1000, 60_000) })
    fc.assert(
      fc.property(anyLimit, fc.array(fc.nat(400), { maxLength: 120 }), (given, steps) => {
        const throttle = new RateLimiter()
        const admitted: number[] = []
        let now = NOW
        for (const step of steps) {
          now += step
          if (allowed(throttle, [windowOf(given)], now)) admitted.push(now)
        }
        admitted.forEach((from, i) => {
          admitted.slice(i).forEach((to, more) => {
            const givenBack = ((to - from) * given.requests) / given.periodMs
            expect(more + 1).toBeLessThanOrEqual(given.requests + givenBack + 0.001)
          })
        })
      }),
      { numRuns: 60 },
    )
  })

  it('returns the remaining requests, and the time of the next', () => {
    fc.assert(
      fc.property(limit, fc.array(fc.nat(300), { minLength: 1, maxLength: 30 }), (given, steps) => {
        const throttle = new RateLimiter()
        const windows = [windowOf(given)]
        let now = NOW
        let last = throttle.admit(windows, now)!
        for (const step of steps) {
          now += step
          last = throttle.admit(windows, now)!
        }
        for (let left = last.remaining; left > 0; left--) expect(allowed(throttle, windows, now)).toBe(true)
        const refused = throttle.admit(windows, now)!
        expect(refused.allowed).toBe(false)
        expect(refused.retryAfterMs).toBeGreaterThan(0)
        expect(allowed(throttle, windows, now + refused.retryAfterMs - 1)).toBe(false)
        expect(allowed(throttle, windows, now + refused.retryAfterMs)).toBe(true)
      }),
    )
  })

  it('counts a request in all its windows or in none, in any order of windows', () => {
    for (const reverse of [false, true]) {
      const throttle = new RateLimiter()
      const principal = windowOf(perSecond(5), 'principal', 'ann')
      const source = windowOf({ requests: 1, periodMs: 3_600_000 }, 'source', '192.0.2.1')
      const both = reverse ? [source, principal] : [principal, source]
      expect(throttle.admit(both, NOW)).toMatchObject({ allowed: true, name: 'source', remaining: 0 })
      for (let i = 0; i < 20; i++) {
        expect(throttle.admit(both, NOW)).toMatchObject({ allowed: false, name: 'source', limit: source.limit })
      }
      expect(throttle.admit([principal], NOW)).toMatchObject({ allowed: true, remaining: 3 })
    }
  })

  it('keeps keys, names and periods apart', () => {
    const throttle = new RateLimiter()
    const one = perSecond(1)
    const windows = [
      windowOf(one, 'principal', 'ann'),
      windowOf(one, 'principal', 'bob'),
      windowOf(one, 'source', 'ann'),
      windowOf({ requests: 1, periodMs: 60_000 }, 'principal', 'ann'),
    ]
    for (const window of windows) expect(allowed(throttle, [window], NOW)).toBe(true)
    for (const window of windows) expect(allowed(throttle, [window], NOW)).toBe(false)
  })

  it('returns null when no window applies', () => {
    expect(new RateLimiter().admit([], NOW)).toBeNull()
  })

  it.each([1, 999, 1001, 600_000])(
    'row 52: admits no more after the clock went back by %i ms, and no less once it runs again',
    (back) => {
      const throttle = new RateLimiter()
      const windows = [windowOf(perSecond(4))]
      for (let i = 0; i < 4; i++) expect(allowed(throttle, windows, NOW)).toBe(true)
      expect(allowed(throttle, windows, NOW - back)).toBe(false)
      // Two requests with times out of order change nothing. A corrected clock counts as the clock.
      const now = back > 1000 ? NOW - back : NOW
      expect(allowed(throttle, windows, now + 249)).toBe(false)
      expect(allowed(throttle, windows, now + 250)).toBe(true)
      expect(allowed(throttle, windows, now + 251)).toBe(false)
    },
  )

  it('row 52: admits no more than a period allows after a clock was set back and corrected', () => {
    const throttle = new RateLimiter()
    const windows = [windowOf(perSecond(4))]
    const admitted = (now: number) => Array.from({ length: 10 }, () => allowed(throttle, windows, now)).filter(Boolean)
    expect(admitted(NOW)).toHaveLength(4)
    expect(admitted(NOW - 600_000)).toHaveLength(0)
    expect(admitted(NOW)).toHaveLength(4)
    // A clock that trembles makes no time pass.
    for (let i = 0; i < 1000; i++) expect(allowed(throttle, windows, NOW - (i % 2) * 900)).toBe(false)
  })

  it('marks only the first refusal of a key in a period, even with admissions in between', () => {
    const throttle = new RateLimiter()
    const windows = [windowOf(perSecond(2))]
    const firsts = (now: number, count: number) =>
      Array.from({ length: count }, () => throttle.admit(windows, now)).map((admission) => admission?.first)
    expect(firsts(NOW, 5)).toEqual([false, false, true, false, false])
    // One is admitted, and the next refused: still the same period.
    expect(firsts(NOW + 500, 2)).toEqual([false, false])
    expect(firsts(NOW + 1000, 2)).toEqual([false, false])
    expect(firsts(NOW + 1001, 2)).toEqual([true, false])
    const others = [windowOf(perSecond(1), 'principal', 'bob')]
    expect([1, 2, 3].map(() => throttle.admit(others, NOW)?.first)).toEqual([false, true, false])
  })

  it('remembers a bounded number of keys', () => {
    const throttle = new RateLimiter(100)
    const hourly = { requests: 1, periodMs: 3_600_000 }
    const ask = (key: string) => allowed(throttle, [windowOf(hourly, 'source', key)], NOW)
    expect([ask('first'), ask('first')]).toEqual([true, false])
    for (let i = 0; i < 99; i++) ask(`other ${i}`)
    expect(ask('first')).toBe(false)
    for (let i = 0; i < 100; i++) ask(`more ${i}`)
    expect(ask('first')).toBe(true)
  })
})
