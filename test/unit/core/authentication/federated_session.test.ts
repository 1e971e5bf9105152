/**
 * Sessions that are opened with an assertion.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { AssertionUse, Issuer } from '../../../../core/vault/access/issuer_store.ts'
import type { Input } from '../../../../core/vault/operation_table.ts'
import type { Call } from '../../../../core/vault/rpc.ts'
import { openVault, tokenHashOf } from '../../../support/core.ts'
import { type Part, trusted } from './issuer_fixture.ts'

describe('session.federate', () => {
  const conditions = { repository_id: ['74'], repository_owner_id: ['65'], event_name: ['push', 'workflow_dispatch'] }
  const github = {
    iss: 'https://token.actions.githubusercontent.com',
    sub: 'repo:octo-org/octo-repo:ref:refs/heads/main',
    repository: 'octo-org/octo-repo',
    repository_id: '74',
    repository_owner_id: '65',
    event_name: 'push',
    ref: 'refs/heads/main',
  }
  let counter = 0

  function federated(claims: Record<string, readonly string[]> = conditions) {
    const bench = openVault()
    bench.enrol('ci')
    const issuer = { ...trusted, issuer: github.iss, claims }
    let { revision } = bench.granted('admin', 'issuer.put', issuer)
    /** Changes the trust, and from then on asks with it as it is now. */
    const change = (more: Partial<Issuer>) => {
      const before = revision
      revision = bench.granted('admin', 'issuer.put', { ...issuer, ...more }).revision
      return before
    }
    const ask = (more: Part, input: Partial<Input<'session.federate'>> = {}) => {
      const id = `federated ${counter++}`
      const about = { hash: tokenHashOf(id), accessor: id, jkt: null, candidates: [{ id: 'ci', revision }] }
      const caller = { credential: null, proof: null, requestId: id, address: '192.0.2.1', agent: null }
      const all = { ...github, ...more }
      const once = { claims: all, once: id, onceExpiresAt: bench.now + 600_000 }
      const call: Call = { operation: 'session.federate', caller, input: { ...about, ...once, ...input } }
      const answer = bench.execute(call)[0]!
      return answer.ok ? 'ok' : answer.reason
    }
    return { bench, ask, change }
  }

  it('signs in a token whose claims meet all conditions, as the principal of the trust', () => {
    const { ask, bench } = federated()
    expect(ask({})).toBe('ok')
    const [session] = bench.granted('admin', 'session.list', { principal: 'ci' })
    expect(session).toMatchObject({ principal: 'ci', method: 'federated', bound: false, mfaAt: null })
    expect(bench.log().at(-2)).toMatchObject({
      operation: 'session.federate',
      resource: 'issuers',
      facts: { principal: 'ci', trust: 'ci', subject: github.sub },
    })
  })

  it('row 33: accepts the old and the new form of a subject, since conditions name ids', () => {
    const { ask } = federated()
    expect(ask({ sub: 'repo:octo-org@65/octo-repo@74:ref:refs/heads/main' })).toBe('ok')
    expect(ask({ sub: 'repo:new-name/renamed:environment:prod', repository: 'new-name/renamed' })).toBe('ok')
  })

  it('row 33: refuses a repository of the same name with another id, and another owner', () => {
    const { ask, bench } = federated()
    expect(ask({ repository_id: '75' })).toBe('unauthenticated')
    expect(ask({ repository_owner_id: '66' })).toBe('unauthenticated')
    expect(bench.granted('admin', 'session.list', { principal: 'ci' })).toEqual([])
    expect(bench.log().filter(({ operation }) => operation === 'session.federate')).toHaveLength(2)
  })

  it('row 33: refuses an event that no condition names', () => {
    const { ask } = federated()
    for (const event of ['pull_request', 'pull_request_target', 'Push', 'push ', '']) {
      expect(ask({ event_name: event })).toBe('unauthenticated')
    }
    expect(ask({ event_name: 'workflow_dispatch' })).toBe('ok')
  })

  it.each<[string, unknown]>([
    ['is absent', undefined],
    ['is null', null],
    ['is a list without it', ['75', '741']],
    ['is an empty list', []],
    ['is a list of lists that hold it', [['74']]],
    ['is a number that was rounded', 74e20],
    ['is an object', { 74: '74' }],
    ['begins like it', '741'],
    ['ends like it', '174'],
    ['has more than 512 characters', '7'.repeat(513)],
  ])('refuses when the claim of a condition %s', (_, value) => {
    expect(federated().ask({ repository_id: value })).toBe('unauthenticated')
  })

  it('compares a number and a boolean by their text', () => {
    expect(federated().ask({ repository_id: 74 })).toBe('ok')
    expect(federated({ email_verified: ['true'] }).ask({ email_verified: true })).toBe('ok')
    expect(federated({ email_verified: ['true'] }).ask({ email_verified: false })).toBe('unauthenticated')
  })

  it('refuses a claim that every object has', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      expect(federated(JSON.parse(`{"${name}": ["*"]}`)).ask({})).toBe('unauthenticated')
    }
  })

  it('matches globs within a claim', () => {
    const { ask } = federated({ ref: ['refs/heads/*', 'refs/tags/v*'] })
    expect(['refs/heads/main', 'refs/heads/a/b', 'refs/tags/v1'].map((ref) => ask({ ref }))).toEqual(['ok', 'ok', 'ok'])
    for (const ref of ['refs/tags/1', 'refs/pull/1/merge', 'xrefs/heads/main'])
      expect(ask({ ref })).toBe('unauthenticated')
  })

  it('accepts a token once', () => {
    const { ask } = federated()
    const once = { once: 'the same' }
    expect(['ok', 'unauthenticated', 'unauthenticated']).toEqual([ask({}, once), ask({}, once), ask({}, once)])
  })

  it('row 76: accepts a token again with the key of its first use, and alerts on any other', () => {
    const { ask, bench } = federated()
    const token = { once: 'the same', onceExpiresAt: bench.now + 86_400_000 }
    const mine = { ...token, jkt: 'mine' }
    expect([ask({}, mine), ask({}, mine)]).toEqual(['ok', 'ok'])
    bench.now += 3_600_000
    expect(ask({}, mine)).toBe('ok')
    for (const other of [{ ...token, jkt: 'thief' }, token]) expect(ask({}, other)).toBe('unauthenticated')
    expect(ask({}, mine)).toBe('ok')
    const refused = bench.log().filter(({ outcome }) => outcome === 'unauthenticated')
    // The same refusal of the same token is one event.
    expect(refused).toMatchObject([
      {
        operation: 'session.federate',
        severity: 'alert',
        facts: { reason: 'assertion_used', trust: 'ci', bound: true },
      },
    ])
  })

  it('row 76: accepts a token without a key once, and alerts on no key that follows', () => {
    const { ask, bench } = federated()
    const token = { once: 'the same' }
    expect([ask({}, token), ask({}, token), ask({}, { ...token, jkt: 'key' })]).toEqual([
      'ok',
      'unauthenticated',
      'unauthenticated',
    ])
    expect(bench.log().filter(({ severity }) => severity === 'alert')).toEqual([])
  })

  it.each<[AssertionUse, string[], string | null]>([
    ['once', ['ok', 'unauthenticated', 'unauthenticated'], 'warning'],
    ['same-key', ['ok', 'ok', 'unauthenticated'], 'alert'],
    ['until-expiry', ['ok', 'ok', 'ok'], null],
  ])('row 76: accepts a token as often as its trust allows: %s', (assertions, expected, severity) => {
    const { ask, bench, change } = federated()
    change({ assertions })
    const token = { once: 'the same' }
    const got = ['mine', 'mine', 'other'].map((jkt) => ask({}, { ...token, jkt }))
    expect(got).toEqual(expected)
    const refusal = bench.log().find(({ outcome }) => outcome === 'unauthenticated')
    expect(refusal?.severity ?? null).toBe(severity)
  })

  it('row 76: keeps the assertions of a trust that is put again without them, and reads a trust of 0.1 as once', () => {
    const { bench, change } = federated()
    const shown = () => bench.granted('admin', 'issuer.list', {})[0]!.assertions
    expect(shown()).toBe('same-key')
    change({ assertions: 'until-expiry' })
    change({})
    expect(shown()).toBe('until-expiry')
    bench.database.all("UPDATE issuer SET body = json_remove(body, '$.assertions')")
    expect(shown()).toBe('once')
    change({})
    expect(shown()).toBe('once')
  })

  it('row 76: records why a well-signed token is refused, once a token and with a limit an hour', () => {
    const { ask, bench } = federated()
    const reasons = () =>
      bench
        .log()
        .filter(({ operation }) => operation === 'session.federate')
        .map(({ severity, facts }) => [severity, facts.reason, facts.claim ?? null])
    for (let i = 0; i < 3; i++) ask({ event_name: 'pull_request' }, { once: 'one' })
    for (let i = 0; i < 3; i++) ask({}, { once: 'two', flaw: 'assertion_too_old' })
    expect(reasons()).toEqual([
      ['warning', 'claims', 'event_name'],
      ['warning', 'assertion_too_old', null],
    ])
    for (let i = 0; i < 100; i++) ask({ repository_id: '75' })
    expect(reasons().length).toBeLessThan(15)
    const size = reasons().length
    bench.now += 3_600_000
    ask({ repository_id: '75' })
    expect(reasons()).toHaveLength(size + 1)
  })

  it('refuses when the trust changed after the check, or is gone', () => {
    const { ask, bench, change } = federated()
    const before = change({ audience: 'another' })
    expect(ask({}, { candidates: [{ id: 'ci', revision: before }] })).toBe('unauthenticated')
    expect(ask({})).toBe('ok')
    bench.granted('admin', 'issuer.delete', { id: 'ci' })
    expect(ask({})).toBe('unauthenticated')
  })

  it('ends the sessions of a trust when it is changed or deleted', () => {
    const { ask, bench, change } = federated()
    const live = () => bench.granted('admin', 'session.list', { principal: 'ci' }).length
    expect([ask({}), live()]).toEqual(['ok', 1])
    change({})
    expect([live(), ask({}), live()]).toEqual([0, 'ok', 1])
    bench.granted('admin', 'issuer.delete', { id: 'ci' })
    expect(live()).toBe(0)
  })

  it('refuses a token of another issuer than that of the named trust', () => {
    const { ask } = federated()
    for (const iss of ['https://evil.example', `${github.iss}/`, undefined])
      expect(ask({ iss })).toBe('unauthenticated')
  })

  it('refuses when the principal of the trust is disabled', () => {
    const { ask, bench } = federated()
    bench.granted('admin', 'principal.put', { id: 'ci', kind: 'service', disabled: true })
    expect(ask({})).toBe('unauthenticated')
  })
})
