/** A clock that is set back or jumps ahead, as a vault sees it: with times that the tests give. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../../core/durations.ts'
import type { AssertionUse } from '../../../../core/vault/access/issuer_store.ts'
import { serverPolicy } from '../../../../core/vault/access/server_policy.ts'
import { VaultClock } from '../../../../core/vault/clock.ts'
import type { Caller } from '../../../../core/vault/rpc.ts'
import { Vault } from '../../../../core/vault/vault.ts'
import { bytesOf, callerFor, openVault, tokenHashOf, UNLIMITED, writeOf } from '../../../support/core.ts'

const NOW = Date.UTC(2026, 5, 1)

/** A vault of the admin, which can be reopened, and called as any principal. */
function open() {
  const bench = openVault({ maxFailedAttempts: 1 })
  bench.now = NOW
  bench.granted('admin', 'secret.write', writeOf('a'))
  let vault = bench.vault
  let requests = 0
  const behind: number[] = []
  const reopen = () => {
    const options = { onClockBehind: (ms: number) => behind.push(ms) }
    vault = new Vault(bench.database, serverPolicy({ ...UNLIMITED, maxFailedAttempts: 1 }), bench.now, options)
  }
  const reasonOf = (
    caller: Caller,
    operation: 'session.whoami' | 'secret.read' | 'session.federate' = 'session.whoami',
    input: object = {},
  ) => {
    const answer = vault.execute([{ operation, caller, input }], bench.now)[0]!
    return answer.ok ? 'ok' : answer.reason
  }
  const by = (kind: 'token' | 'session', id: string, more: Partial<Caller> = {}): Caller => ({
    ...callerFor('admin'),
    credential: { kind, hash: tokenHashOf(id) },
    requestId: `request ${++requests}`,
    ...more,
  })
  const signIn = (id: string) =>
    vault.execute(
      [
        {
          operation: 'session.open',
          caller: by('token', 'admin'),
          input: { hash: tokenHashOf(id), accessor: `accessor-of-${id}`, jkt: null, factor: null },
        },
      ],
      bench.now,
    )
  const times = () => bench.log().map(({ time }) => Date.parse(time))
  return { bench, reopen, reasonOf, by, signIn, times, behind }
}

/** A vault that trusts an identity provider, and a way to sign in by a token of it. */
function openFederated(assertions: AssertionUse) {
  const opened = open()
  const { bench } = opened
  const url = 'https://login.example'
  const trust = { id: 'work', issuer: url, audience: 'us', claims: { repo: ['7'] }, principal: 'admin', assertions }
  const { revision } = bench.granted('admin', 'issuer.put', trust)
  let sessions = 0
  const federate = (token: { once: string; madeAt: number; expiresAt: number }, jkt: string | null) => {
    const id = `federated ${++sessions}`
    const claims = { iss: url, sub: 'x', repo: '7', iat: Math.floor(token.madeAt / 1000) }
    const once = { once: token.once, onceExpiresAt: token.expiresAt, candidates: [{ id: 'work', revision }] }
    const caller = { ...callerFor('x'), credential: null, requestId: id }
    const input = { hash: tokenHashOf(id), accessor: id, jkt, claims, ...once }
    return opened.reasonOf(caller, 'session.federate', input)
  }
  return { ...opened, federate }
}

describe('a clock that is set back', () => {
  it.each([
    ['while the vault is open', false],
    ['before the vault is opened', true],
  ])('row 75: revives nothing %s', (_, isReopened) => {
    const { bench, reopen, reasonOf, by, signIn, times, behind } = open()
    bench.enrol('ann', bench.now + 3000)
    bench.granted('admin', 'secret.write', writeOf('short', { expiresAt: bench.now + 3000 }))
    bench.granted('admin', 'secret.write', writeOf('until'))
    bench.granted('admin', 'rule.put', {
      ...{ id: 'until', effect: 'permit', principal: 'bob', actions: ['read'], resource: 'until' },
      conditions: { notAfter: bench.now + 3000 },
    })
    bench.enrol('bob')
    signIn('idle')
    const ask = () => [
      reasonOf(by('token', 'ann')),
      reasonOf(by('token', 'admin'), 'secret.read', { name: 'short' }),
      reasonOf(by('token', 'bob'), 'secret.read', { name: 'until' }),
      reasonOf(by('session', 'idle')),
    ]
    expect(ask()).toEqual(['ok', 'ok', 'ok', 'ok'])
    bench.now += 40 * MINUTE_MS
    const ended = ['unauthenticated', 'expired', 'denied', 'unauthenticated']
    expect(ask()).toEqual(ended)
    for (const ms of [-1000, -HOUR_MS, -DAY_MS, DAY_MS - HOUR_MS, -400 * DAY_MS]) {
      bench.now += ms
      if (isReopened) reopen()
      expect([ms, ask()]).toEqual([ms, ended])
    }
    expect(times()).toEqual(times().sort((a, b) => a - b))
    if (isReopened) expect(behind.length).toBeGreaterThan(0)
  })

  it('row 75: gives a session made meanwhile exactly its full time', () => {
    const { bench, reopen, reasonOf, by, signIn } = open()
    bench.now -= DAY_MS
    reopen()
    signIn('new')
    for (let i = 0; i < 10; i++) {
      bench.now += 20 * MINUTE_MS
      expect([i, reasonOf(by('session', 'new'))]).toEqual([i, 'ok'])
    }
    bench.now += 31 * MINUTE_MS
    expect(reasonOf(by('session', 'new'))).toBe('unauthenticated')
  })

  it('row 52: neither shortens nor extends a lock', () => {
    const { bench } = open()
    bench.enrol('ann')
    const begin = () => bench.ask('ann', 'totp.begin', { jkt: null, purpose: 'sign_in' }).index !== null
    const locks = () => bench.granted('admin', 'lock.list', {}).filter(({ source }) => source !== '*').length
    begin()
    expect(locks()).toBe(1)
    bench.now -= DAY_MS
    expect(locks()).toBe(1)
    bench.now += 14 * MINUTE_MS
    expect(locks()).toBe(1)
    bench.now += 2 * MINUTE_MS
    expect(locks()).toBe(0)
  })

  it('row 52: keeps session lifetimes and single use of proofs after a clock that was a day ahead', () => {
    const { bench, reopen, reasonOf, by, signIn } = open()
    const proof = (id: string) => ({ jkt: 'key', id, expiresAt: bench.now + 7 * MINUTE_MS })
    const early = by('token', 'admin', { proof: proof('early') })
    expect(reasonOf(early)).toBe('ok')
    bench.now += DAY_MS
    // A used proof is forgotten when others are used.
    for (let i = 0; i < 30; i++) expect(reasonOf(by('token', 'admin', { proof: proof(`ahead ${i}`) }))).toBe('ok')
    bench.now += MINUTE_MS - DAY_MS
    expect(reasonOf({ ...early, requestId: 'replayed' })).toBe('unauthenticated')
    signIn('after')
    for (let i = 0; i < 5; i++) {
      const used = by('token', 'admin', { proof: proof(`after ${i}`) })
      expect(reasonOf(used)).toBe('ok')
      if (i % 2 === 0) reopen()
      expect(reasonOf({ ...used, requestId: `replay ${i}` })).toBe('unauthenticated')
      bench.now += MINUTE_MS
      expect(reasonOf({ ...used, requestId: `late replay ${i}` })).toBe('unauthenticated')
    }
    bench.now += 20 * MINUTE_MS
    expect(reasonOf(by('session', 'after'))).toBe('ok')
  })

  it.each([
    ['once', null, false],
    ['once', null, true],
    ['same-key', 'another', true],
  ] as const)(
    'row 52: accepts a token of an identity provider (%s) no second time after a clock that was ahead',
    (assertions, jkt, isReopened) => {
      const { bench, reopen, reasonOf, by, federate } = openFederated(assertions)
      const proof = (id: string) => ({ jkt: 'key', id, expiresAt: bench.now + 7 * MINUTE_MS })
      const start = bench.now
      const early = { once: 'early', madeAt: start, expiresAt: start + 2 * HOUR_MS }
      expect([federate(early, 'key'), federate(early, jkt)]).toEqual(['ok', 'unauthenticated'])
      bench.now += 400 * DAY_MS
      for (let i = 0; i < 30; i++) {
        expect(reasonOf(by('token', 'admin', { proof: proof(`ahead ${i}`) }))).toBe('ok')
        bench.now += 2 * MINUTE_MS
      }
      bench.now = start + HOUR_MS
      if (isReopened) reopen()
      expect(bench.database.all("SELECT 1 FROM used WHERE id = 'jwt/early'")).toEqual([])
      expect([federate(early, jkt), federate(early, jkt)]).toEqual(['unauthenticated', 'unauthenticated'])
      // One that was made since cannot have been used before.
      bench.now += MINUTE_MS
      const late = { once: 'late', madeAt: bench.now, expiresAt: bench.now + 2 * HOUR_MS }
      expect([federate(late, 'key'), federate(late, jkt)]).toEqual(['ok', 'unauthenticated'])
      bench.now += 3 * HOUR_MS
      expect(federate(early, jkt)).toBe('unauthenticated')
    },
  )

  it('row 52: forgets proofs eventually', () => {
    const { bench, reasonOf, by } = open()
    const rows = () =>
      bench.database.all<{ count: number }>("SELECT COUNT(*) AS count FROM used WHERE id LIKE 'dpop/%'")[0]!.count
    for (let i = 0; i < 200; i++) {
      const proof = { jkt: 'key', id: `proof ${i}`, expiresAt: bench.now + 7 * MINUTE_MS }
      expect(reasonOf(by('token', 'admin', { proof }))).toBe('ok')
      bench.now += MINUTE_MS
    }
    expect(rows()).toBeLessThan(60)
  })

  it('row 75: refuses a token that would expire at once, with the reason', () => {
    const { bench, reopen } = open()
    bench.now += DAY_MS
    bench.granted('admin', 'secret.write', writeOf('b'))
    bench.now -= DAY_MS
    reopen()
    const token = {
      hash: bytesOf('hash'),
      accessor: 'accessor',
      principal: 'admin',
      label: '',
      expiresAt: bench.now + HOUR_MS,
    }
    expect(bench.reason('admin', 'token.create', token)).toBe('past_expiry')
    expect(bench.reason('admin', 'token.create', { ...token, expiresAt: bench.now + 2 * DAY_MS })).toBe('ok')
  })

  it('row 75: is reported once, with the difference, and once more when corrected', () => {
    const { bench, reopen, reasonOf, by, behind } = open()
    const ask = () => reasonOf(by('token', 'admin'))
    bench.now -= HOUR_MS
    reopen()
    for (let i = 0; i < 5; i++) ask()
    expect(behind).toEqual([HOUR_MS])
    bench.now -= HOUR_MS
    for (let i = 0; i < 5; i++) ask()
    expect(behind).toEqual([HOUR_MS, 2 * HOUR_MS])
    bench.now += 2 * HOUR_MS
    for (let i = 0; i < 5; i++) ask()
    expect(behind).toEqual([HOUR_MS, 2 * HOUR_MS, 0])
    bench.now -= 500
    ask()
    expect(behind).toHaveLength(3)
  })

  it('row 75: opens a vault whose newest entries are not JSON, or out of order as 0.1 wrote them', () => {
    const { bench, reopen, reasonOf, by, times, behind } = open()
    bench.now += DAY_MS
    reasonOf(by('token', 'admin'), 'secret.read', { name: 'a' })
    const old = JSON.stringify({ time: new Date(NOW - DAY_MS).toISOString() })
    bench.database.all('UPDATE entry SET body = ? WHERE n = (SELECT MAX(n) FROM entry)', bytesOf(old))
    bench.now = NOW - HOUR_MS
    reopen()
    expect(behind).toEqual([HOUR_MS])
    bench.database.all('UPDATE entry SET body = ? WHERE n = (SELECT MAX(n) FROM entry)', bytesOf('{"time":"2026'))
    reopen()
    expect(() => times()).toThrow()
    expect(reasonOf(by('token', 'admin'))).toBe('ok')
  })
})

describe('the time of a vault', () => {
  it('row 75: never goes back, and equals the clock unless that is behind', () => {
    const steps = fc.array(fc.integer({ min: -3 * DAY_MS, max: 3 * DAY_MS }), { maxLength: 50 })
    fc.assert(
      fc.property(fc.option(fc.integer({ min: NOW - DAY_MS, max: NOW + DAY_MS })), steps, (newest, moves) => {
        const time = new VaultClock(newest)
        let [clock, last] = [NOW, newest ?? Number.NEGATIVE_INFINITY]
        for (const ms of [0, ...moves]) {
          clock += ms
          const now = time.read(clock)
          expect(now).toBeGreaterThanOrEqual(Math.max(last, clock))
          // No single step carries it further ahead of what it was and of the clock than an hour.
          expect(now).toBeLessThanOrEqual(Math.max(last + HOUR_MS, clock))
          last = now
        }
      }),
    )
  })

  it('row 52: follows a corrected clock that had drifted', () => {
    const time = new VaultClock(NOW)
    time.read(NOW - DAY_MS)
    for (let i = 1; i <= 60; i++) time.read(NOW - DAY_MS + i * MINUTE_MS)
    // An hour passed, less four seconds.
    const now = time.read(NOW + HOUR_MS - 4000)
    expect(now).toBe(NOW + HOUR_MS)
    expect(time.read(NOW + HOUR_MS + 1000)).toBe(NOW + HOUR_MS + 1000)
  })
})
