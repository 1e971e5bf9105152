import { describe, expect, it } from 'vitest'
import type { SessionInput } from '../../../../../core/vault/access/session_operations.ts'
import type { Input, OperationName, Output } from '../../../../../core/vault/operation_table.ts'
import type { Caller } from '../../../../../core/vault/rpc.ts'
import { bytesOf, callerFor, openVault, tokenHashOf } from '../../../../support/core.ts'

// As UNLIMITED has it: 30 minutes idle, 12 hours in all.
const IDLE_MS = 30 * 60_000
const MAX_MS = 12 * 3_600_000

/** A vault in which ann may read, with a way to ask with her sessions. */
function openBench() {
  const bench = openVault()
  bench.enrol('ann')
  bench.rule('ann', 'ann', ['read'], 'prod/**')
  let requests = 0

  const withSession = (id: string, jkt: string | null = null): Caller => ({
    ...callerFor('ann'),
    credential: { kind: 'session', hash: tokenHashOf(id) },
    requestId: `request ${++requests}`,
    proof: jkt === null ? null : { jkt, id: `proof ${requests}`, expiresAt: bench.now + 600_000 },
  })
  const inputOf = (id: string, more: Partial<SessionInput> = {}): SessionInput => ({
    hash: tokenHashOf(id),
    accessor: `accessor-of-${id}`,
    jkt: null,
    factor: null,
    ...more,
  })
  function ask<K extends OperationName>(caller: Caller, operation: K, input: Input<K>) {
    const answer = bench.execute({ operation, caller, input })[0]!
    return answer.ok ? (answer.value as Output<K>) : answer.reason
  }
  /** Makes a session from ann's API token. */
  const open = (id: string, more: Partial<SessionInput> = {}) =>
    ask(callerFor('ann'), 'session.open', inputOf(id, more))
  const whoami = (id: string, jkt: string | null = null) => ask(withSession(id, jkt), 'session.whoami', {})
  const isLive = (id: string, jkt: string | null = null) => whoami(id, jkt) !== 'unauthenticated'
  /** Gives ann a confirmed second factor, and recovery codes that hash to these. */
  function enrolFactor(recoveryHashes: string[] = []) {
    ask(callerFor('ann'), 'totp.enrol', { id: 'totp', kid: 'root.1', sealed: bytesOf('sealed') })
    ask(callerFor('ann'), 'totp.confirm', { id: 'totp', step: 1, recoveryHashes, jkt: null })
  }
  const begin = () => ask(callerFor('ann'), 'totp.begin', { jkt: null, purpose: 'sign_in' })
  const fail = (input: Input<'totp.fail'>) => ask(callerFor('ann'), 'totp.fail', input)
  return { bench, ask, open, whoami, isLive, withSession, inputOf, enrolFactor, begin, fail }
}

describe('a session', () => {
  it('has the principal and the rights of its token', () => {
    const { ask, open, whoami, withSession, bench } = openBench()
    expect(open('one')).toEqual({
      accessor: 'accessor-of-one',
      principal: 'ann',
      expiresAt: bench.now + MAX_MS,
      mfaAt: null,
    })
    expect(whoami('one')).toMatchObject({
      principal: 'ann',
      method: 'session',
      session: 'accessor-of-one',
      bound: false,
    })
    expect(ask(withSession('one'), 'secret.read', { name: 'prod/db' })).toBe('no_secret')
    expect(ask(withSession('one'), 'secret.read', { name: 'dev/db' })).toBe('denied')
  })

  it('row 36: ends after 30 idle minutes, and lives while it is used', () => {
    for (const [wait, live] of [
      [IDLE_MS - 1, true],
      [IDLE_MS, false],
    ] as const) {
      const { bench, open, isLive } = openBench()
      open('one')
      bench.now += wait
      expect(isLive('one')).toBe(live)
      bench.now += IDLE_MS - 60_000
      expect(isLive('one')).toBe(live)
    }
  })

  it('row 36: ends after 12 hours, however much it is used', () => {
    const { bench, open, isLive } = openBench()
    open('one')
    const start = bench.now
    for (; bench.now < start + MAX_MS - 1; bench.now += IDLE_MS - 60_000) expect(isLive('one')).toBe(true)
    bench.now = start + MAX_MS - 1
    expect(isLive('one')).toBe(true)
    bench.now = start + MAX_MS
    expect(isLive('one')).toBe(false)
  })

  it('row 36: ends at once on sign-out, without ending others', () => {
    const { ask, open, isLive, withSession } = openBench()
    open('one')
    open('two')
    expect(ask(withSession('one'), 'session.end', { accessor: null })).toEqual({ accessor: 'accessor-of-one' })
    expect([isLive('one'), isLive('two')]).toEqual([false, true])
    expect(ask(withSession('one'), 'secret.read', { name: 'prod/db' })).toBe('unauthenticated')
  })

  it('row 36: ends when its principal is disabled, and resumes only within its own time', () => {
    const { bench, open, isLive } = openBench()
    open('one')
    bench.granted('admin', 'principal.put', { id: 'ann', kind: 'user', disabled: true })
    expect(isLive('one')).toBe(false)
    bench.granted('admin', 'principal.put', { id: 'ann', kind: 'user', disabled: false })
    expect(isLive('one')).toBe(true)
    bench.granted('admin', 'session.end_all', { principal: 'ann' })
    expect(isLive('one')).toBe(false)
  })

  it('row 36: ends when its token expires or is revoked', () => {
    const { bench, isLive, ask, inputOf } = openBench()
    bench.enrol('bob', bench.now + 10_000)
    ask(callerFor('bob'), 'session.open', inputOf('bobs'))
    bench.now += 9999
    expect(isLive('bobs')).toBe(true)
    bench.now += 1
    expect(isLive('bobs')).toBe(false)
    bench.enrol('cat')
    ask(callerFor('cat'), 'session.open', inputOf('cats'))
    bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-cat' })
    expect(isLive('cats')).toBe(false)
  })

  it('row 36: loses a right with the rule that gave it', () => {
    const { bench, ask, open, withSession } = openBench()
    open('one')
    bench.granted('admin', 'rule.delete', { id: 'ann' })
    expect(ask(withSession('one'), 'secret.read', { name: 'prod/db' })).toBe('denied')
  })

  it('is not found by the hash of an API token, or an API token by the hash of a session', () => {
    const { ask, open } = openBench()
    open('one')
    const credential = (kind: 'token' | 'session', id: string) => ({
      ...callerFor('ann'),
      credential: { kind, hash: tokenHashOf(id) },
    })
    expect(ask(credential('session', 'ann'), 'session.whoami', {})).toBe('unauthenticated')
    expect(ask(credential('token', 'one'), 'session.whoami', {})).toBe('unauthenticated')
  })

  it('is recorded once when dead, however often it is sent', () => {
    const { bench, ask, open, withSession, isLive } = openBench()
    open('one')
    ask(withSession('one'), 'session.end', { accessor: null })
    const before = bench.entryCount()
    for (let i = 0; i < 10; i++) expect(isLive('one')).toBe(false)
    expect(bench.entryCount()).toBe(before + 1)
  })

  it('is listed without token and hash, and only while it is alive', () => {
    const { bench, open, ask, withSession } = openBench()
    open('one')
    open('two', { jkt: 'key' })
    ask(withSession('one'), 'session.end', { accessor: null })
    const sessions = bench.granted('admin', 'session.list', { principal: 'ann' })
    expect(sessions).toEqual([
      {
        accessor: 'accessor-of-two',
        principal: 'ann',
        method: 'session',
        createdAt: bench.now,
        seenAt: bench.now,
        expiresAt: bench.now + MAX_MS,
        mfaAt: null,
        address: '192.0.2.1',
        agent: 'test/1',
        bound: true,
      },
    ])
    bench.now += IDLE_MS
    expect(bench.granted('admin', 'session.list', { principal: null })).toEqual([])
  })
})

describe('stepping up', () => {
  it('row 36: gives a new token and ends the old one, without a longer lifetime', () => {
    const { bench, ask, open, whoami, isLive, withSession, inputOf, enrolFactor } = openBench()
    enrolFactor()
    open('one')
    const start = bench.now
    bench.now += 60_000
    const factor = { kind: 'totp', id: 'totp', step: 2 } as const
    expect(ask(withSession('one'), 'session.open', inputOf('two', { factor }))).toMatchObject({
      mfaAt: bench.now,
      expiresAt: start + MAX_MS,
    })
    expect(isLive('one')).toBe(false)
    expect(whoami('two')).toMatchObject({ mfaAt: bench.now, session: 'accessor-of-two' })
  })

  it('with a wrong factor changes nothing', () => {
    const { ask, open, whoami, isLive, withSession, inputOf, enrolFactor } = openBench()
    enrolFactor(['right'])
    open('one')
    for (const factor of [
      { kind: 'totp', id: 'totp', step: 1 },
      { kind: 'totp', id: 'totp', step: 0 },
      { kind: 'recovery', hash: 'wrong' },
      { kind: 'recovery', hash: '' },
    ] as const) {
      expect(ask(withSession('one'), 'session.open', inputOf('two', { factor }))).toBe('unauthenticated')
    }
    expect(whoami('one')).toMatchObject({ mfaAt: null, recoveryCodesLeft: 1 })
    expect(isLive('two')).toBe(false)
  })

  it('row 29: accepts each step once, and none before the last', () => {
    const { open, enrolFactor } = openBench()
    enrolFactor()
    const taken = [5, 5, 4, 6, 6].map((step, i) => open(`s${i}`, { factor: { kind: 'totp', id: 'totp', step } }))
    expect(taken.map((answer) => typeof answer === 'object')).toEqual([true, false, false, true, false])
  })

  it('row 29: refuses a used code as often as it comes, and does not lock for it', () => {
    const { bench, open, enrolFactor, begin } = openBench()
    enrolFactor()
    // A source that just succeeded is known; this one is not.
    bench.now += 31 * 24 * 3_600_000
    const use = (step: number, i: number) => {
      expect(begin()).not.toBe('unauthenticated')
      return typeof open(`s${i}`, { factor: { kind: 'totp', id: 'totp', step } })
    }
    expect([7, 7, 7, 7, 6, 5, 7, 8].map(use)).toEqual([
      'object',
      ...['string', 'string', 'string', 'string', 'string', 'string'],
      'object',
    ])
    expect(bench.log().filter(({ facts }) => facts.codeUsed === true)).toHaveLength(6)
    expect(bench.granted('admin', 'lock.list', {})).toEqual([])
  })

  it('row 22: counts each wrong code, except one of an earlier time, which is recorded as such', () => {
    const { bench, enrolFactor, begin, fail } = openBench()
    enrolFactor()
    bench.now += 31 * 24 * 3_600_000
    for (let i = 0; i < 6; i++) {
      expect(begin()).not.toBe('unauthenticated')
      fail({ stepsAhead: -4 })
    }
    expect(bench.log().at(-1)).toMatchObject({
      operation: 'totp.fail',
      outcome: 'unauthenticated',
      facts: { factor: 'totp', locked: false, stepsAhead: -4 },
    })
    for (let i = 0; i < 3; i++) {
      expect(begin()).not.toBe('unauthenticated')
      // A guess of a code to come is one: it will be right, and the entry must not say so.
      fail(i === 1 ? { stepsAhead: null } : { stepsAhead: 28 })
      expect(bench.log().at(-1)?.facts).not.toHaveProperty('stepsAhead')
    }
    expect(bench.log().at(-1)?.facts).toEqual({ factor: 'totp', locked: true })
    expect(begin()).toBe('unauthenticated')
  })

  it('row 22: takes a code of an earlier time off the count that it was on', () => {
    const { bench, enrolFactor, fail } = openBench()
    enrolFactor()
    const jkt = 'the-thumbprint'
    const begin = () => bench.reason('ann', 'totp.begin', { jkt, purpose: 'sign_in' })
    for (let i = 0; i < 6; i++) {
      expect(begin()).not.toBe('unauthenticated')
      fail({ stepsAhead: -4, jkt })
    }
    expect(bench.granted('admin', 'lock.list', {})).toEqual([])
  })

  it('row 29: accepts each recovery code once', () => {
    const { open, enrolFactor } = openBench()
    enrolFactor(['a', 'b'])
    const taken = ['a', 'a', 'b'].map((hash, i) => open(`s${i}`, { factor: { kind: 'recovery', hash } }))
    expect(taken.map((answer) => typeof answer === 'object')).toEqual([true, false, true])
  })

  it('row 22: counts wrong recovery codes as failures, and refuses the right one after too many', () => {
    const { bench, open, enrolFactor } = openBench()
    enrolFactor(['right'])
    // A source that just succeeded is known; this one is not.
    bench.now += 31 * 24 * 3_600_000
    const right = { factor: { kind: 'recovery', hash: 'right' } } as const
    for (let i = 0; i < 3; i++) open(`w${i}`, { factor: { kind: 'recovery', hash: 'wrong' } })
    expect(open('one', right)).toBe('unauthenticated')
    bench.granted('admin', 'lock.clear', { id: 'ann' })
    expect(open('one', right)).toMatchObject({ principal: 'ann' })
  })

  it('ignores an unconfirmed secret', () => {
    const { ask, open } = openBench()
    ask(callerFor('ann'), 'totp.enrol', { id: 'totp', kid: 'root.1', sealed: bytesOf('sealed') })
    expect(open('one', { factor: { kind: 'totp', id: 'totp', step: 9 } })).toBe('unauthenticated')
  })
})

describe('a bound session', () => {
  it('row 30: is refused without a proof and with one of another key; an unbound session with any', () => {
    const { open, isLive } = openBench()
    open('bound', { jkt: 'key' })
    open('plain')
    expect([isLive('bound', 'key'), isLive('bound'), isLive('bound', 'other')]).toEqual([true, false, false])
    expect([isLive('plain'), isLive('plain', 'key')]).toEqual([true, false])
  })

  it('row 30: accepts each proof for one request', () => {
    const { ask, open, withSession } = openBench()
    open('bound', { jkt: 'key' })
    const caller = withSession('bound', 'key')
    expect(ask(caller, 'session.whoami', {})).toMatchObject({ bound: true })
    // The same request may ask its vault several things.
    expect(ask(caller, 'session.whoami', {})).toMatchObject({ bound: true })
    expect(ask({ ...caller, requestId: 'another' }, 'session.whoami', {})).toBe('unauthenticated')
  })

  it('row 58: cannot remove or change its binding', () => {
    const { ask, open, isLive, withSession, inputOf, enrolFactor } = openBench()
    enrolFactor()
    open('bound', { jkt: 'key' })
    for (const [i, jkt] of [null, 'other'].entries()) {
      const input = inputOf('free', { jkt, factor: { kind: 'totp', id: 'totp', step: 10 + i } })
      expect(ask(withSession('bound', 'key'), 'session.open', input)).toBe('unauthenticated')
    }
    expect([isLive('free'), isLive('free', 'other'), isLive('bound', 'key')]).toEqual([false, false, true])
    const input = inputOf('next', { jkt: 'key', factor: { kind: 'totp', id: 'totp', step: 10 } })
    expect(ask(withSession('bound', 'key'), 'session.open', input)).toMatchObject({ principal: 'ann' })
    expect([isLive('bound', 'key'), isLive('next', 'key'), isLive('next')]).toEqual([false, true, false])
  })
})
