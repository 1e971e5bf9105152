/** Small flaws that were found once. */
import { describe, expect, it } from 'vitest'
import { IssuerKeys } from '../../../../../core/authentication/issuer_keys.ts'
import { checkUrl } from '../../../../../core/http/address_guard.ts'
import { RateLimiter } from '../../../../../core/rate_limit.ts'
import { Lockout } from '../../../../../core/vault/access/lockout.ts'
import { migrate } from '../../../../../core/vault/migrate.ts'
import { openSqlite } from '../../../../../worker/local/sqlite.ts'

const T = 1_760_000_000_000
const ISSUER = {
  id: 'i',
  issuer: 'https://idp.example',
  audience: 'us',
  claims: {},
  principal: 'p',
  jwksUri: 'https://idp.example/keys',
}

describe('keys of a provider, where requests must not wait for each other', () => {
  function keys(answer: () => Response) {
    let fetches = 0
    const fetch = async () => {
      fetches++
      return answer()
    }
    return { keys: new IssuerKeys({ shared: false, fetch }), fetches: () => fetches }
  }
  const at = (now: number) => ({ now, urgent: false })
  const jwks = () => Response.json({ keys: [{ kty: 'EC', kid: 'k', crv: 'P-256', x: 'x', y: 'y' }] })

  it('row 32: contacts a provider that is down at most once in 30 seconds for tokens that are wrong anyway', async () => {
    const { keys: down, fetches } = keys(() => new Response('', { status: 503 }))
    for (let i = 0; i < 100; i++) await down.find(ISSUER, at(T + i)).catch(() => {})
    expect(fetches()).toBe(1)
    await down.find(ISSUER, at(T + 30_000)).catch(() => {})
    expect(fetches()).toBe(2)
  })

  it('serves known keys for a day, and no longer', async () => {
    let up = true
    const { keys: one } = keys(() => (up ? jwks() : new Response('', { status: 503 })))
    await one.find(ISSUER, at(T))
    up = false
    const day = 24 * 3_600_000
    expect((await one.find(ISSUER, at(T + day - 1))).keys).toHaveLength(1)
    for (const later of [T + 2 * day, T + 2 * day + 1])
      await expect(one.find(ISSUER, at(later))).rejects.toMatchObject({ code: 'unavailable' })
  })

  it.each([
    ['no JSON', '<html>'],
    ['a key twice', '{"keys":[],"keys":[]}'],
    ['no list', '{"keys":1}'],
  ])('distinguish a provider that answers with %s from a bad request', async (_, body) => {
    const { keys: odd } = keys(() => new Response(body))
    await expect(odd.find(ISSUER, at(T))).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('a clock that was set back', () => {
  it('row 52: locks no principal without failures', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, T)
    const lockout = new Lockout(sql, { maxFailedAttempts: 3, lockoutMs: 900_000 })
    const from = (source: string) => ({ principal: 'ann', source, jkt: null })
    lockout.begin(from('a'), T)
    lockout.succeed(from('a'), T)
    for (const back of [1, 600_000]) expect(lockout.begin(from(`b${back}`), T - back)).toBe('open')
  })
})

describe('a principal under guesses from ever new sources', () => {
  it('stays slowed, however short a lock, however patient the guesser, and while others sign in', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, T)
    const lockout = new Lockout(sql, { maxFailedAttempts: 3, lockoutMs: 60_000 })
    let attempts = 0
    const pause = 360_000
    for (let now = T; now < T + 24 * 3_600_000; now += pause) {
      lockout.begin({ principal: 'bob', source: `b${now}`, jkt: null }, now)
      // After a pause longer than any delay, twenty tries a second apart, each from a source of its own.
      for (let i = 0; i < 20; i++) {
        const attempt = { principal: 'ann', source: `s${now}.${i}`, jkt: null }
        if (lockout.begin(attempt, now + i * 1000) !== 'locked') attempts++
      }
    }
    // One a pause once it is slow, and the few before.
    expect(attempts).toBeLessThan((24 * 3_600_000) / pause + 20)
    expect(lockout.locks(T + 24 * 3_600_000).map(({ principal, source }) => [principal, source])).toContainEqual([
      'ann',
      '*',
    ])
  })
})

describe('rate limits', () => {
  it('admit a whole burst at any limit and time', () => {
    for (let requests = 1; requests <= 400; requests += 3) {
      for (const now of [T, 1_000_000, T + 12_345.678]) {
        const windows = [{ name: 'n', key: 'k', limit: { requests, periodMs: 1000 } }]
        const throttle = new RateLimiter()
        const admitted = Array.from({ length: requests + 1 }, () => throttle.admit(windows, now)?.allowed)
        expect([requests, now, admitted.filter(Boolean).length]).toEqual([requests, now, requests])
      }
    }
  })

  it('enforce each of two limits with one period', () => {
    const windows = [5, 10].map((requests) => ({ name: 'n', key: 'k', limit: { requests, periodMs: 1000 } }))
    const throttle = new RateLimiter()
    const admitted = Array.from({ length: 10 }, () => throttle.admit(windows, T)?.allowed)
    expect(admitted.filter(Boolean)).toHaveLength(5)
  })
})

describe('forbidden addresses', () => {
  it.each([
    'https://[::169.254.169.254]/',
    'https://[::ffff:0:a9fe:a9fe]/',
    'https://[fec0::1]/',
    'https://localhost../',
    'https://foo.localhost../',
    'https://metadata.google.internal../',
    'https://metadata.goog/',
    'https://ip6-localhost/',
    'https://168.63.129.16/',
  ])('row 13: %s', (url) => {
    expect(() => checkUrl(url)).toThrow('Address must be https, and on the public internet')
  })
})
