/** A change must leave an administrator. Persons count, not the tokens of one person. */
import { describe, expect, it } from 'vitest'
import type { Input } from '../../../../../core/vault/operation_table.ts'
import { callerFor } from '../../../../support/core.ts'
import { guarded } from '../approvals/approval_fixture.ts'

/** The approvals for changes of rules: this many, from these persons. */
const demand = (required: number, ...from: string[]): Input<'rule.put'> => ({
  id: 'rules',
  effect: 'forbid',
  principal: '*',
  actions: ['admin'],
  resource: 'rules',
  unless: { approvals: { required, from, withinSeconds: 3600 } },
})

/** dora and ed may administer, and make tokens for each other; admin made the first token of each. */
function administered() {
  const all = guarded()
  const { bench, mint } = all
  for (const who of ['dora', 'ed', 'fay', 'gus']) bench.granted('admin', 'principal.put', { id: who, kind: 'user' })
  mint('admin', 'dora')
  bench.rule('dora', 'dora', ['admin'], '**')
  return all
}

describe('an approval rule that must leave enough approvers', () => {
  it('counts approvers whose tokens another person made', () => {
    const { bench, mint } = administered()
    for (const who of ['ed', 'fay']) mint('admin', who)
    expect(bench.reason('admin', 'rule.put', demand(2, 'dora', 'ed', 'fay'))).toBe('ok')
  })

  it('does not count approvers whose tokens the requester made', () => {
    const { bench, mint } = administered()
    for (const who of ['ed', 'fay', 'gus']) mint('dora', who)
    bench.granted('dora', 'rule.delete', { id: 'admin' })
    // admin could approve, if it could come in other than by the token that it has.
    expect(bench.reason('dora', 'rule.put', demand(2, 'ed', 'fay', 'gus'))).toBe('last_admin')
    expect(bench.reason('dora', 'rule.put', demand(1, 'ed'))).toBe('last_admin')
  })

  it('does not count two of three approvers when one of them made the tokens', () => {
    const { bench, mint } = administered()
    mint('admin', 'ed')
    bench.rule('ed-mints', 'ed', ['admin'], 'tokens')
    for (const who of ['fay', 'gus']) mint('ed', who)
    // ed with fay, or ed with gus: one person. Nor is a chain of hands another one.
    expect(bench.reason('admin', 'rule.put', demand(2, 'ed', 'fay'))).toBe('last_admin')
    expect(bench.reason('admin', 'rule.put', demand(1, 'ed', 'fay'))).toBe('ok')
    expect(bench.reason('dora', 'rule.list', {})).toBe('ok')
  })

  it('searches all approvers and all their tokens, in any order', () => {
    const { bench, mint } = administered()
    mint('admin', 'ed')
    bench.rule('ed-mints', 'ed', ['admin'], 'tokens')
    mint('ed', 'fay')
    mint('admin', 'gus')
    expect(bench.reason('admin', 'rule.put', demand(3, 'ed', 'fay', 'gus'))).toBe('last_admin')
    mint('admin', 'fay', 'fay again')
    expect(bench.reason('admin', 'rule.put', demand(3, 'ed', 'fay', 'gus'))).toBe('ok')
  })

  it('counts a trust in an identity provider as the persons behind it', () => {
    const { bench, trust } = administered()
    expect(bench.reason('admin', 'rule.put', demand(1, 'ed'))).toBe('last_admin')
    trust('dora', 'ed')
    // dora could sign in as ed, and so could not ask; admin can.
    bench.rule('admin-not', 'admin', ['admin'], 'tokens', 'forbid')
    expect(bench.reason('dora', 'rule.put', demand(1, 'ed'))).toBe('last_admin')
    trust('admin', 'ed')
    expect(bench.reason('dora', 'rule.put', demand(1, 'ed'))).toBe('ok')
  })

  it('is protected against removing the token or the person that it needs', () => {
    const { bench, mint, decide, requested } = administered()
    mint('admin', 'ed')
    bench.granted('admin', 'rule.put', demand(1, 'ed'))
    expect(bench.reason('admin', 'token.revoke', { accessor: 'accessor-of-ed' })).toBe('last_admin')
    expect(bench.reason('admin', 'principal.put', { id: 'ed', kind: 'user', disabled: true })).toBe('last_admin')
    mint('admin', 'ed', 'ed again')
    expect(bench.reason('admin', 'token.revoke', { accessor: 'accessor-of-ed' })).toBe('ok')
    // A change that passes the check is possible.
    const wish = requested('dora', 'rule.delete', { id: 'rules' })
    expect(decide(callerFor('ed again'), wish)).toBe('ok')
  })

  it('is protected against turning the person that it needs into a service, approved or not', () => {
    const { bench, mint, ask, requested, decide, outcome } = administered()
    mint('admin', 'ed')
    bench.granted('admin', 'rule.put', { ...demand(1, 'ed'), id: 'people', principal: 'dora', resource: 'principals' })
    bench.granted('admin', 'rule.put', demand(1, 'ed'))
    expect(bench.reason('admin', 'principal.put', { id: 'ed', kind: 'service' })).toBe('last_admin')
    // Not even by ed: no person would be left to approve taking it back.
    const wish = requested('dora', 'principal.put', { id: 'ed', kind: 'service' })
    expect(decide('ed', wish)).toBe('ok')
    expect(outcome(ask('dora', 'principal.put', { id: 'ed', kind: 'service' }, wish))).toBe('last_admin')
    expect(bench.reason('admin', 'principal.put', { id: 'gus', kind: 'service' })).toBe('ok')
  })

  it('is protected against ending or changing the trust through which its person signs in', () => {
    const { bench, trust } = administered()
    trust('admin', 'ed')
    trust('admin', 'ed', 'other')
    bench.rule('admin-not', 'admin', ['admin'], 'tokens', 'forbid')
    bench.granted('admin', 'rule.put', demand(1, 'ed'))
    expect(bench.reason('dora', 'issuer.delete', { id: 'other' })).toBe('ok')
    expect(bench.reason('dora', 'issuer.delete', { id: 'of-admin' })).toBe('last_admin')
    const issuer = { id: 'of-admin', issuer: 'https://x.example', audience: 'us', claims: { repo: ['7'] } }
    expect(bench.reason('admin', 'issuer.put', { ...issuer, principal: 'fay' })).toBe('last_admin')
    expect(bench.reason('admin', 'issuer.put', { ...issuer, principal: 'ed' })).toBe('ok')
    // dora could sign in as ed with it, so no independent approver would be left for dora.
    expect(bench.reason('dora', 'issuer.put', { ...issuer, principal: 'ed' })).toBe('last_admin')
  })

  it('permits ending an unneeded trust, even where no lasting administrator existed before', () => {
    const { bench, trust } = administered()
    trust('admin', 'ed')
    bench.database.all('UPDATE token SET expires_at = ?', bench.now + 1000)
    expect(bench.reason('dora', 'issuer.delete', { id: 'of-admin' })).toBe('ok')
  })

  it('blocks nothing where no approver sufficed before', () => {
    const { bench, mint } = administered()
    mint('admin', 'ed')
    bench.granted('admin', 'rule.put', demand(1, 'ed'))
    // As a vault of before may be: all of it is by one hand.
    bench.database.all("UPDATE token SET minted_with = 'accessor-of-dora', created_by = 'dora' WHERE principal = 'ed'")
    bench.database.all("UPDATE token SET revoked_at = 1 WHERE principal = 'admin'")
    bench.granted('dora', 'principal.put', { id: 'web', kind: 'service' })
    mint('dora', 'web')
    expect(bench.reason('dora', 'token.revoke', { accessor: 'accessor-of-web' })).toBe('ok')
    expect(bench.reason('dora', 'principal.put', { id: 'dora', kind: 'user', disabled: true })).toBe('last_admin')
  })

  it('gives up on a hard search, and answers soon', () => {
    const { bench } = administered()
    const names = Array.from({ length: 60 }, (_, i) => `u${i}`)
    for (const id of names) bench.granted('admin', 'principal.put', { id, kind: 'user' })
    // Pairs by one hand: 30 people, and 2 ** 30 ways to choose among them.
    for (const [i, id] of names.entries()) {
      const by = names[i - (i % 2)]!
      const row = [new TextEncoder().encode(id), id, id, 'x', 1, by, i % 2 ? by : null, '[]']
      bench.database.all(
        `INSERT INTO token (hash, accessor, principal, label, created_at, created_by, minted_with, trusted_by, root)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT root FROM term))`,
        ...row,
      )
    }
    expect(bench.reason('admin', 'rule.put', demand(31, ...names))).toBe('last_admin')
    expect(bench.reason('admin', 'rule.put', demand(20, ...names))).toBe('ok')
  })
})

describe('a right to administer that no token can reach', () => {
  const permit = (conditions: Input<'rule.put'>['conditions']): Input<'rule.put'> => ({
    ...{ id: 'admin', effect: 'permit', principal: 'admin', actions: ['admin'], resource: '**' },
    conditions,
  })

  it.each([
    ['only federated', { methods: ['federated'] }],
    ['a bare token with a key of its own', { methods: ['token'], bound: true }],
    ['a bare token with a second factor', { methods: ['token', 'federated'], mfaWithinSeconds: 600 }],
  ] as const)('is not the last: %s', (_, conditions) => {
    expect(guarded().bench.reason('admin', 'rule.put', permit(conditions))).toBe('last_admin')
  })

  it.each([
    ['a session with all of it', { methods: ['session', 'federated'], bound: true, mfaWithinSeconds: 600 }],
    ['a bare token', { methods: ['token'] }],
    ['any method, with every condition', { bound: true, mfaWithinSeconds: 600 }],
  ] as const)('may be, where one can: %s', (_, conditions) => {
    expect(guarded().bench.reason('admin', 'rule.put', permit(conditions))).toBe('ok')
  })
})
