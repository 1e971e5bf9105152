/** Ways to take over an account, or a vault, that were open once. */
import { describe, expect, it } from 'vitest'
import { type SecuritySettings, serverPolicy } from '../../../../../core/vault/access/server_policy.ts'
import type { FederatedInput } from '../../../../../core/vault/access/session_operations.ts'
import type { Input, OperationName, Output } from '../../../../../core/vault/operation_table.ts'
import type { Call, Caller } from '../../../../../core/vault/rpc.ts'
import { Vault } from '../../../../../core/vault/vault.ts'
import { openSqlite } from '../../../../../worker/local/sqlite.ts'
import { bytesOf, callerFor, openVault, tokenHashOf, UNLIMITED, writeOf } from '../../../../support/core.ts'
import { growth } from '../../../../support/growth.ts'
import { exchangeOf, ticketOf } from '../../../../support/tickets.ts'

const ISSUER = 'https://login.example'
const OF_NOBODY = { candidates: [], claims: { iss: ISSUER }, once: 'once', onceExpiresAt: 2_000_000 }

function openBench(settings: Partial<SecuritySettings> = {}) {
  const bench = openVault(settings)
  let requests = 0
  /** Asks, and returns the value or the reason. */
  function ask<K extends OperationName>(caller: Caller, operation: K, input: Input<K>) {
    const answer = bench.execute({ operation, caller: { ...caller, requestId: `r${++requests}` }, input })[0]!
    return answer.ok ? (answer.value as Output<K>) : answer.reason
  }
  const session = (id: string): Caller => ({
    ...callerFor('x'),
    credential: { kind: 'session', hash: tokenHashOf(id) },
  })
  const nobody: Caller = { ...callerFor('x'), credential: null }
  const secretOf = (id: string) => ({ id, kid: 'root.1', sealed: bytesOf(`secret ${id}`) })
  const newSession = (id: string) => ({ hash: tokenHashOf(id), accessor: `accessor-${id}`, jkt: null })
  const federated = (id: string, more: Partial<FederatedInput> = {}): FederatedInput => ({
    ...newSession(id),
    candidates: [],
    claims: { iss: ISSUER, sub: 'ci', repo: '7' },
    once: id,
    onceExpiresAt: bench.now + 60_000,
    ...more,
  })
  return { bench, ask, session, nobody, secretOf, newSession, federated }
}

describe('a second factor', () => {
  function withFactor() {
    const all = openBench()
    const { bench, ask, secretOf, newSession, session } = all
    bench.enrol('ann')
    const ann = callerFor('ann')
    ask(ann, 'totp.enrol', secretOf('hers'))
    ask(ann, 'totp.confirm', { id: 'hers', step: 1, recoveryHashes: [], jkt: null })
    ask(ann, 'session.open', { ...newSession('mfa'), factor: { kind: 'totp', id: 'hers', step: 2 } })
    return { ...all, ann, mfa: session('mfa') }
  }

  it('is not confirmed by a code of another secret that replaced it', () => {
    const { bench, ask, secretOf } = openBench()
    bench.enrol('ann')
    const ann = callerFor('ann')
    ask(ann, 'totp.enrol', secretOf('hers'))
    expect(ask(ann, 'totp.begin', { jkt: null, purpose: 'confirm' })).toMatchObject({ id: 'hers' })
    ask(ann, 'totp.enrol', secretOf('the thief’s'))
    expect(ask(ann, 'totp.confirm', { id: 'hers', step: 1, recoveryHashes: [], jkt: null })).toBe('unauthenticated')
    expect(ask(ann, 'session.whoami', {})).toMatchObject({ totp: false })
  })

  it('is valid until its replacement is confirmed', () => {
    const { ask, ann, mfa, secretOf } = withFactor()
    expect(ask(ann, 'totp.enrol', secretOf('the thief’s'))).toBe('mfa_required')
    expect(ask(mfa, 'totp.enrol', secretOf('her new one'))).toEqual({ principal: 'ann' })
    expect(ask(ann, 'totp.enrol', secretOf('the thief’s'))).toBe('mfa_required')
    expect(ask(ann, 'totp.begin', { jkt: null, purpose: 'sign_in' })).toMatchObject({ id: 'hers' })
    const other = { kind: 'totp', id: 'her new one', step: 3 } as const
    const input = { hash: tokenHashOf('s'), accessor: 's', jkt: null }
    expect(ask(ann, 'session.open', { ...input, factor: other })).toBe('unauthenticated')
    expect(ask(mfa, 'totp.confirm', { id: 'her new one', step: 3, recoveryHashes: [], jkt: null })).toEqual({
      principal: 'ann',
    })
    expect(ask(ann, 'session.open', { ...input, factor: { ...other, step: 4 } })).toMatchObject({ principal: 'ann' })
  })

  it('is replaced only shortly after it was entered', () => {
    const { bench, ask, mfa, secretOf } = withFactor()
    bench.now += 10 * 60_000 + 1
    expect(ask(mfa, 'totp.enrol', secretOf('another'))).toBe('mfa_required')
  })

  it('is required wherever the settings say so, for any operation', () => {
    const { bench, ask } = openBench({ requireMfa: true, requireMfaForAdmin: true })
    const admin = callerFor('admin')
    expect(ask(admin, 'secret.read', { name: 'a' })).toBe('mfa_required')
    expect(ask(admin, 'secret.list', { prefix: '', after: '', deleted: false, limit: 10 })).toBe('mfa_required')
    expect(ask(admin, 'session.list', { principal: null })).toBe('mfa_required')
    expect(ask(admin, 'session.end_all', { principal: 'ann' })).toBe('mfa_required')
    expect(ask(admin, 'session.whoami', {})).toMatchObject({ principal: 'admin' })
    const outcomes = bench.log().map(({ outcome }) => outcome)
    expect(outcomes.slice(-5)).toEqual([...Array(4).fill('mfa_required'), 'ok'])
  })
})

describe('a trust in an identity provider', () => {
  function withTrust() {
    const all = openBench()
    const { bench, ask } = all
    bench.enrol('ci')
    const put = (issuer: string) => {
      const claims = { repo: ['7'] }
      ask(callerFor('admin'), 'issuer.put', { id: 'ci', issuer, audience: 'us', claims, principal: 'ci' })
      const trusted = ask(all.nobody, 'issuer.trusted', { issuer })
      return (trusted as { id: string; revision: string }[]).map(({ id, revision }) => ({ id, revision }))
    }
    return { ...all, put }
  }

  it('signs in only as it was when the token was checked', () => {
    const { ask, nobody, federated, put } = withTrust()
    const candidates = put('https://evil.example')
    ask(callerFor('admin'), 'issuer.delete', { id: 'ci' })
    const good = put(ISSUER)
    const claims = { iss: 'https://evil.example', sub: 'x', repo: '7' }
    expect(ask(nobody, 'session.federate', federated('a', { candidates, claims }))).toBe('unauthenticated')
    expect(ask(nobody, 'session.federate', federated('b', { candidates: good, claims }))).toBe('unauthenticated')
    expect(ask(nobody, 'session.federate', federated('c', { candidates: good }))).toMatchObject({ principal: 'ci' })
  })

  it('ends its sessions when it ends or changes', () => {
    const { ask, nobody, federated, put, session } = withTrust()
    const end = () => ask(callerFor('admin'), 'issuer.delete', { id: 'ci' })
    for (const [id, change] of [
      ['a', end],
      ['b', () => put(ISSUER)],
    ] as const) {
      ask(nobody, 'session.federate', federated(id, { candidates: put(ISSUER) }))
      expect(ask(session(id), 'session.whoami', {})).toMatchObject({ principal: 'ci', method: 'federated' })
      change()
      expect(ask(session(id), 'session.whoami', {})).toBe('unauthenticated')
    }
  })

  it('records at most one entry per token of a stranger', () => {
    const { bench, ask, nobody, federated, put } = withTrust()
    const candidates = put(ISSUER)
    const before = bench.log().length
    for (let i = 0; i < 20; i++) ask(nobody, 'issuer.trusted', { issuer: `https://guess${i}.example` })
    const wrong = { candidates, claims: { iss: ISSUER, repo: '8' } }
    for (let i = 0; i < 20; i++) ask(nobody, 'session.federate', federated('same', wrong))
    expect(bench.log().length - before).toBe(1)
  })

  it('row 30: accepts a proof once, even at sign-in', () => {
    const { ask, nobody, federated, put, bench } = withTrust()
    const candidates = put(ISSUER)
    const proof = { jkt: 'key', id: 'proof', expiresAt: bench.now + 600_000 }
    const withProof = { ...nobody, proof }
    expect(ask(withProof, 'session.federate', federated('a', { candidates, jkt: 'key' }))).toMatchObject({
      principal: 'ci',
    })
    expect(ask(withProof, 'session.federate', federated('b', { candidates, jkt: 'key' }))).toBe('unauthenticated')
  })
})

describe('a proof that was used before', () => {
  it('row 60: leaves the ticket of its token unchanged', () => {
    const sql = openSqlite(':memory:')
    const now = 1_000_000
    const vault = new Vault(sql, serverPolicy(UNLIMITED), now)
    const entries = () => sql.all<{ n: number }>('SELECT COUNT(*) AS n FROM entry')[0]!.n
    const ticket = ticketOf({ purpose: 'bootstrap' }, { expiresAt: now + 1 })
    const exchange = (who: string) => vault.execute([exchangeOf(ticket, tokenHashOf(who))], now)[0]!.ok
    const signIn = (requestId: string, proofId: string, credential: Caller['credential']) => {
      const proof = { jkt: 'key', id: proofId, expiresAt: now + 600_000 }
      const caller = { ...callerFor('admin'), credential, proof, requestId }
      const session = { hash: tokenHashOf(requestId), accessor: requestId, jkt: 'key' }
      const call: Call =
        credential === null
          ? { operation: 'session.federate', caller, input: { ...session, ...OF_NOBODY } }
          : { operation: 'session.open', caller, input: { ...session, factor: null } }
      return vault.execute([call], now)[0]!.ok
    }
    expect([exchange('first'), signIn('one', 'proof', null)]).toEqual([true, false])
    const before = entries()
    expect(signIn('two', 'proof', callerFor('first').credential)).toBe(false)
    expect([entries(), exchange('second')]).toEqual([before + 1, true])
    expect(signIn('three', 'another proof', callerFor('second').credential)).toBe(true)
    expect([entries(), exchange('third')]).toEqual([before + 3, false])
  })

  it('rows 30, 36: does not extend its session', () => {
    const { bench, ask, session, newSession } = openBench()
    bench.enrol('ann')
    ask(callerFor('ann'), 'session.open', { ...newSession('bound'), jkt: 'key', factor: null })
    const seenAt = () => bench.database.all<{ at: number }>('SELECT seen_at AS at FROM session')[0]!.at
    const use = (id: string) =>
      ask({ ...session('bound'), proof: { jkt: 'key', id, expiresAt: bench.now + 600_000 } }, 'session.whoami', {})
    bench.now += 20 * 60_000
    expect(use('proof')).toMatchObject({ principal: 'ann' })
    const at = seenAt()
    expect(at).toBe(bench.now)
    bench.now += 5 * 60_000
    expect([use('proof'), seenAt()]).toEqual(['unauthenticated', at])
  })
})

describe('the last administrator', () => {
  it.each([
    ['a forbid on every day', { effect: 'forbid', conditions: { days: [1, 2, 3, 4, 5, 6, 7] } }],
    ['a forbid at all hours', { effect: 'forbid', conditions: { hours: { from: '00:00', to: '23:59' } } }],
  ] as const)('is not shut out by %s', (_, { effect, conditions }) => {
    const { ask } = openBench()
    const rule = { id: 'brick', effect, principal: '*', actions: ['admin'], resource: '**', conditions } as const
    expect(ask(callerFor('admin'), 'rule.put', rule)).toBe('last_admin')
  })

  it('does not give up its rule for one that is not in force yet', () => {
    const { ask } = openBench()
    const about = { id: 'later', effect: 'permit', principal: 'admin', actions: ['admin'], resource: '**' } as const
    const later = { ...about, conditions: { notBefore: 9e14 } }
    expect(ask(callerFor('admin'), 'rule.put', later)).toMatchObject({ id: 'later' })
    expect(ask(callerFor('admin'), 'rule.delete', { id: 'admin' })).toBe('last_admin')
  })
})

describe('a list', () => {
  it('evaluates the conditions of rules once, not once per name', () => {
    const listing = (names: number) => {
      const { bench, ask } = openBench()
      bench.enrol('ann')
      const addresses = Array.from({ length: 100 }, (_, i) => `10.${i}.0.0/16`)
      for (let i = 0; i < 20; i++) {
        const rule = {
          id: `r${i}`,
          effect: 'permit',
          principal: 'ann',
          actions: ['read'],
          resource: 'n/**',
          conditions: { addresses },
        }
        ask(callerFor('admin'), 'rule.put', rule as Input<'rule.put'>)
      }
      for (let i = 0; i < names; i++) bench.granted('admin', 'secret.write', writeOf(`n/${i}`))
      const list = () => ask(callerFor('ann'), 'secret.list', { prefix: '', after: '', deleted: false, limit: 1 })
      return () => {
        for (let i = 0; i < 5; i++) list()
      }
    }
    // Twenty times the names used to cost nearly twenty times as much.
    expect(growth(listing(30), listing(600), 10)).toBeLessThan(10)
  })
})
