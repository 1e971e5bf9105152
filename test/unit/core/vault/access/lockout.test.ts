import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sourceOf } from '../../../../../core/addresses.ts'
import { DAY_MS } from '../../../../../core/durations.ts'
import { Lockout } from '../../../../../core/vault/access/lockout.ts'
import { migrate } from '../../../../../core/vault/migrate.ts'
import { openSqlite } from '../../../../../worker/local/sqlite.ts'
import { bytesOf, callerFor, openVault } from '../../../../support/core.ts'

const NOW = 1_760_000_000_000
const SECOND = 1000
const LOCKOUT_MS = 15 * 60 * SECOND
// Four times the longest delay: how long failures count for a principal as a whole.
const EVERYWHERE_MS = 20 * 60 * SECOND

/** A lockout over a store in memory: `n` failures lock for 15 minutes. */
function openLockout(maxFailedAttempts = 3) {
  const sql = openSqlite(':memory:')
  migrate(sql, NOW)
  const lockout = new Lockout(sql, { maxFailedAttempts, lockoutMs: LOCKOUT_MS })
  const from = (source: string, principal = 'ann', jkt: string | null = null) => ({ principal, source, jkt })
  return {
    sql,
    lockout,
    from,
    fail: (source: string, now: number, principal = 'ann', jkt: string | null = null) =>
      sql.atomic(() => lockout.begin(from(source, principal, jkt), now)),
    succeed: (source: string, now: number, principal = 'ann', jkt: string | null = null) =>
      sql.atomic(() => {
        const reservation = lockout.begin(from(source, principal, jkt), now)
        if (reservation !== 'locked') lockout.succeed(from(source, principal, jkt), now)
        return reservation
      }),
    rowCount: () => sql.all<{ n: number }>('SELECT COUNT(*) AS n FROM attempt')[0]!.n,
  }
}

describe('Lockout', () => {
  it('locks a pair of principal and source at the threshold, until the time is up', () => {
    const { fail } = openLockout()
    expect([0, 1, 2, 3, 4].map((i) => fail('a', NOW + i))).toEqual(['open', 'open', 'last', 'locked', 'locked'])
    expect(fail('a', NOW + 2 + LOCKOUT_MS - 1)).toBe('locked')
    expect(fail('a', NOW + 2 + LOCKOUT_MS)).toBe('open')
  })

  it('row 21: verifies 5 of 100 simultaneous attempts when 5 failures lock', () => {
    const { fail } = openLockout(5)
    const reservations = Array.from({ length: 100 }, () => fail('a', NOW))
    expect(reservations.slice(0, 5)).toEqual(['open', 'open', 'open', 'open', 'last'])
    expect(new Set(reservations.slice(5))).toEqual(new Set(['locked']))
  })

  it('a released attempt does not count, ends the lock that it began, and makes no source known', () => {
    const { fail, lockout, from, sql } = openLockout()
    const release = () => sql.atomic(() => lockout.release(from('a'), NOW))
    for (let i = 0; i < 20; i++) {
      expect(fail('a', NOW)).toBe('open')
      release()
    }
    expect([fail('a', NOW), fail('a', NOW), fail('a', NOW), fail('a', NOW)]).toEqual(['open', 'open', 'last', 'locked'])
    release()
    expect([fail('a', NOW), fail('a', NOW)]).toEqual(['last', 'locked'])
    // Other sources of the principal are slowed by the three that still count, as before.
    expect(fail('b', NOW)).toBe('locked')
    release()
    release()
    release()
    release()
    expect(lockout.locks(NOW)).toEqual([])
    expect(sql.all('SELECT success_at FROM attempt WHERE success_at IS NOT NULL')).toEqual([])
  })

  it('refused attempts neither lengthen a lock nor count', () => {
    const { fail, lockout } = openLockout()
    for (let i = 0; i < 3; i++) fail('a', NOW)
    const before = lockout.locks(NOW + SECOND)
    for (let i = 0; i < 50; i++) fail('a', NOW + SECOND)
    expect(lockout.locks(NOW + SECOND)).toEqual(before)
    expect(before).toContainEqual({
      principal: 'ann',
      source: 'a',
      failures: 3,
      lastAt: NOW,
      lockedUntil: NOW + LOCKOUT_MS,
    })
  })

  it('row 21: never verifies more than the threshold from one source within the time of a lock', () => {
    const attempt = fc.record({ source: fc.constantFrom('a', 'b', 'c'), wait: fc.nat(20 * SECOND) })
    fc.assert(
      fc.property(fc.array(attempt, { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (attempts, threshold) => {
        const { fail } = openLockout(threshold)
        const through: Record<string, number> = {}
        let now = NOW
        for (const { source, wait } of attempts) {
          now += wait
          if (now >= NOW + LOCKOUT_MS) break
          if (fail(source, now) !== 'locked') through[source] = (through[source] ?? 0) + 1
        }
        for (const count of Object.values(through)) expect(count).toBeLessThanOrEqual(threshold)
      }),
      { numRuns: 100 },
    )
  })

  it('locks no other principal, and delays the principal from other sources only', () => {
    const { fail } = openLockout()
    for (let i = 0; i < 3; i++) fail('a', NOW)
    expect(fail('a', NOW, 'bob')).toBe('open')
    expect(fail('b', NOW + SECOND - 1)).toBe('locked')
    expect(fail('b', NOW + SECOND)).toBe('open')
  })

  it('slows unknown sources of a principal down: 1, 2, 4, … up to 300 seconds', () => {
    const { fail } = openLockout()
    let now = NOW
    for (let i = 0; i < 3; i++) expect(fail(`source ${i}`, now)).toBe('open')
    for (const [i, seconds] of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].entries()) {
      expect(fail(`later ${i}`, now + seconds * SECOND - 1)).toBe('locked')
      now += seconds * SECOND
      expect(fail(`later ${i}`, now)).toBe('open')
    }
  })

  it('row 23: a source that succeeded in the last 30 days is not slowed by failures of others', () => {
    for (const [later, expected] of [
      [30 * DAY_MS - 1, 'open'],
      [30 * DAY_MS, 'locked'],
    ] as const) {
      const { fail, succeed } = openLockout()
      succeed('home', NOW)
      const now = NOW + later
      for (let i = 0; i < 3; i++) fail('attacker', now)
      expect(fail('stranger', now)).toBe('locked')
      expect(fail('home', now)).toBe(expected)
    }
  })

  it('locks a known source by its own failures', () => {
    const { fail, succeed } = openLockout()
    succeed('home', NOW)
    expect([1, 2, 3, 4].map((i) => fail('home', NOW + i))).toEqual(['open', 'open', 'last', 'locked'])
  })

  it('row 23: a known key keeps a counter of its own, wherever it comes from', () => {
    const { fail, succeed } = openLockout()
    succeed('home', NOW, 'ann', 'key 1')
    for (let i = 0; i < 3; i++) fail('cafe', NOW + 1)
    expect(fail('cafe', NOW + 1)).toBe('locked')
    expect(fail('cafe', NOW + 1, 'ann', 'key 2')).toBe('locked')
    expect(fail('cafe', NOW + 1, 'ann', 'key 1')).toBe('open')
    expect(fail('train', NOW + 1, 'ann', 'key 1')).toBe('open')
    expect(fail('bus', NOW + 1, 'ann', 'key 1')).toBe('last')
    expect(fail('home', NOW + 1, 'ann', 'key 1')).toBe('locked')
    expect(fail('home', NOW + 1)).toBe('open')
  })

  it('a key known to one principal is unknown to another', () => {
    const { fail, succeed } = openLockout()
    succeed('home', NOW, 'bob', 'key')
    for (let i = 0; i < 3; i++) fail('cafe', NOW + 1, 'ann')
    expect(fail('cafe', NOW + 1, 'ann', 'key')).toBe('locked')
  })

  it('a success clears its own counter', () => {
    const { fail, succeed } = openLockout()
    fail('a', NOW)
    fail('a', NOW)
    expect(succeed('a', NOW)).toBe('last')
    expect([1, 2, 3].map((i) => fail('a', NOW + i))).toEqual(['open', 'open', 'last'])
  })

  it('a success clears no failure of another principal', () => {
    const { fail, succeed, lockout } = openLockout()
    fail('a', NOW)
    fail('b', NOW)
    for (let i = 0; i < 10; i++) expect(succeed('home', NOW)).not.toBe('locked')
    expect(lockout.locks(NOW)).toEqual([])
    expect(fail('c', NOW)).toBe('open')
    expect(lockout.locks(NOW)).toEqual([{ principal: 'ann', source: '*', failures: 3, lastAt: NOW, lockedUntil: null }])
    expect(fail('d', NOW)).toBe('locked')
  })

  it('forgets failures after a quiet time as long as a lock', () => {
    for (const [quiet, expected] of [
      [LOCKOUT_MS - 1, 'last'],
      [LOCKOUT_MS, 'open'],
    ] as const) {
      const { fail } = openLockout()
      fail('a', NOW)
      fail('a', NOW)
      expect(fail('a', NOW + quiet)).toBe(expected)
    }
  })

  it('counts an attempt that is lost midway', () => {
    const { fail, succeed } = openLockout()
    for (let i = 0; i < 3; i++) fail('a', NOW)
    expect(succeed('a', NOW)).toBe('locked')
  })

  it('deletes the rows of old attempts, so that many addresses do not fill the table', () => {
    const { fail, rowCount } = openLockout()
    for (let i = 0; i < 200; i++) fail(`source ${i}`, NOW, `principal ${i}`)
    expect(rowCount()).toBe(400)
    // Each attempt forgets ten rows and leaves two.
    for (let i = 0; i < 60; i++) fail(`later ${i}`, NOW + EVERYWHERE_MS + 1, `later ${i}`)
    expect(rowCount()).toBe(120)
  })

  it('keeps active locks and known sources', () => {
    const { fail, succeed, lockout } = openLockout()
    succeed('home', NOW, 'ann', 'key')
    const later = NOW + 29 * DAY_MS
    for (let i = 0; i < 3; i++) fail('a', later, 'bob')
    for (let i = 0; i < 30; i++) fail(`source ${i}`, later + LOCKOUT_MS - 1, `principal ${i}`)
    expect(lockout.locks(later + LOCKOUT_MS - 1).map(({ principal }) => principal)).toContain('bob')
    for (let i = 0; i < 3; i++) fail('attacker', later, 'ann')
    expect(fail('elsewhere', later, 'ann')).toBe('locked')
    expect(fail('elsewhere', later, 'ann', 'key')).toBe('open')
    expect(fail('home', later, 'ann')).toBe('open')
  })

  it('row 52: keeps a lock when the clock goes back, and gives no more attempts after a jump', () => {
    const { fail } = openLockout()
    for (let i = 0; i < 3; i++) fail('a', NOW)
    for (const jump of [-LOCKOUT_MS, -10 * 60 * SECOND, -1, 0, 10 * 60 * SECOND, LOCKOUT_MS - 1]) {
      expect(fail('a', NOW + jump)).toBe('locked')
    }
    expect(fail('a', NOW + LOCKOUT_MS)).toBe('open')
  })

  it('row 52: still counts failures from before the clock went back', () => {
    const { fail, succeed } = openLockout()
    succeed('a', NOW - DAY_MS)
    fail('a', NOW)
    fail('a', NOW)
    expect(fail('a', NOW - 10 * 60 * SECOND)).toBe('last')
    expect(fail('a', NOW - 10 * 60 * SECOND)).toBe('locked')
    expect(fail('a', NOW)).toBe('locked')
  })

  it('row 52: measures quiet time from the latest failure, not from one at a clock that went back', () => {
    const { fail, succeed } = openLockout()
    succeed('a', NOW - DAY_MS)
    fail('a', NOW)
    fail('a', NOW - 10 * 60 * SECOND)
    expect(fail('a', NOW + LOCKOUT_MS - 1)).toBe('last')
  })

  it('unlocks one principal from all sources, and keeps its known keys', () => {
    const { fail, succeed, lockout } = openLockout()
    succeed('home', NOW, 'ann', 'key')
    for (const principal of ['ann', 'bob']) for (let i = 0; i < 3; i++) fail('a', NOW, principal)
    lockout.unlock('ann')
    expect(lockout.locks(NOW).map(({ principal }) => principal)).toEqual(['bob', 'bob'])
    expect([fail('a', NOW), fail('b', NOW), fail('a', NOW, 'bob')]).toEqual(['open', 'open', 'locked'])
    expect(fail('a', NOW)).toBe('open')
    expect(fail('c', NOW)).toBe('locked')
    expect(fail('c', NOW, 'ann', 'key')).toBe('open')
  })

  it('shows a lock until it ends, and the slowdown of a principal', () => {
    const { fail, lockout } = openLockout()
    fail('a', NOW)
    fail('a', NOW)
    expect(lockout.locks(NOW)).toEqual([])
    fail('a', NOW)
    expect(lockout.locks(NOW).map(({ source }) => source)).toEqual(['*', 'a'])
    expect(lockout.locks(NOW + LOCKOUT_MS).map(({ source }) => source)).toEqual(['*'])
    expect(lockout.locks(NOW + EVERYWHERE_MS)).toEqual([])
  })

  it.each([
    ['IPv4', ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:c000:201', '64:ff9b::192.0.2.1'], '192.0.2.1'],
    ['IPv6', ['2001:db8:1:2::1', '2001:db8:1:2:ffff::', '2001:DB8:1:2:0:0:0:3'], '2001:db8:1:2::/64'],
    ['an unknown address', ['', 'localhost', '192.0.2.1%eth0', null], 'unknown'],
  ])('rows 22, 26, 28: one network is one source, however it is spelled: %s', (_, spellings, source) => {
    const { fail, lockout } = openLockout(spellings.length)
    const reservations = spellings.map((address) => fail(sourceOf(address), NOW))
    expect(reservations).toEqual([...Array(spellings.length - 1).fill('open'), 'last'])
    expect(lockout.locks(NOW).map((lock) => lock.source)).toContain(source)
  })
})

describe('a vault', () => {
  it('rows 22, 28: counts attempts by network, and shows the lock to an admin, who can clear it', () => {
    const bench = openVault()
    bench.enrol('ann')
    const begin = (address: string | null) =>
      bench.execute({
        operation: 'totp.begin',
        caller: { ...callerFor('ann'), address },
        input: { jkt: null, purpose: 'sign_in' },
      })[0]!
    const spellings = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::1']
    for (const address of spellings) expect(begin(address)).toMatchObject({ ok: false, reason: 'unauthenticated' })
    const attempts = bench.log().filter(({ operation }) => operation === 'totp.begin')
    expect(attempts.map(({ facts }) => facts.locks)).toEqual([false, false, true])
    // While the lock holds, the first refusal is recorded: more could fill the log.
    const whileLocked = Array.from({ length: 5 }, () => begin('2001:db8::3'))
    const size = bench.entryCount()
    expect(whileLocked.map(({ ok, index }) => [ok, index])).toEqual(
      [size - 1, null, null, null, null].map((n) => [false, n]),
    )
    const refusal = { outcome: 'unauthenticated', severity: 'warning', facts: { factor: 'totp', whileLocked: true } }
    expect(bench.log().at(-1)).toMatchObject({ operation: 'totp.begin', principal: 'ann', ...refusal })
    const locks = bench.granted('admin', 'lock.list', {})
    expect(locks.map(({ principal, source }) => [principal, source])).toEqual([
      ['ann', '*'],
      ['ann', '2001:db8::/64'],
    ])
    expect(bench.reason('ann', 'lock.clear', { id: 'ann' })).toBe('denied')
    bench.granted('admin', 'lock.clear', { id: 'ann' })
    expect(bench.granted('admin', 'lock.list', {})).toEqual([])
    expect(bench.reason('admin', 'lock.clear', { id: 'nobody' })).toBe('no_principal')
  })

  it('row 22: records the first attempt during each lock, by code or recovery code, and during a slowdown from any source', () => {
    const bench = openVault()
    bench.enrol('ann')
    const attempt = (factor: 'code' | 'recovery', address: string) => {
      const caller = { ...callerFor('ann'), address }
      const recovery = { kind: 'recovery', hash: 'none' } as const
      const session = { hash: bytesOf('hash'), accessor: 'accessor', jkt: null, factor: recovery }
      bench.execute(
        factor === 'code'
          ? { operation: 'totp.begin', caller, input: { jkt: null, purpose: 'sign_in' } }
          : { operation: 'session.open', caller, input: session },
      )
    }
    const recorded = () =>
      bench
        .log()
        .filter(({ facts }) => facts.whileLocked === true)
        .map(({ facts }) => facts.factor)
    for (let i = 0; i < 8; i++) attempt('code', '192.0.2.1')
    expect(recorded()).toEqual(['totp'])
    // The next lock is another event.
    bench.now += EVERYWHERE_MS
    for (let i = 0; i < 8; i++) attempt('recovery', '192.0.2.1')
    expect(recorded()).toEqual(['totp', 'recovery'])
    // Many sources are refused because the principal as a whole is slowed.
    for (let i = 0; i < 50; i++) attempt('code', `198.51.100.${i}`)
    expect(recorded()).toEqual(['totp', 'recovery', 'totp'])
  })
})
