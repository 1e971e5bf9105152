/** That somebody can administer a vault afterwards counts people, and not tokens of one. */
import { describe, expect, it } from 'vitest'
import type { Input } from '../../../../../core/vault/operation_table.ts'
import { callerFor } from '../../../../support/core.ts'
import { guarded } from '../approvals/approval_fixture.ts'

/** What is demanded of whoever changes rules: so many of these. */
const demand = (required: number, ...from: string[]): Input<'rule.put'> => ({
  id: 'rules',
  effect: 'forbid',
  principal: '*',
  actions: ['admin'],
  resource: 'rules',
  unless: { approvals: { required, from, withinSeconds: 3600 } },
})

/** dora and ed may administer, and make each other's tokens too; everybody's first is admin's. */
function administered() {
  const all = guarded()
  const { bench, mint } = all
  for (const who of ['dora', 'ed', 'fay', 'gus']) bench.granted('admin', 'principal.put', { id: who, kind: 'user' })
  mint('admin', 'dora')
  bench.rule('dora', 'dora', ['admin'], '**')
  return all
}

describe('a demand for approvals that must leave somebody who can meet it', () => {
  it('counts approvers whose tokens another one made', () => {
    const { bench, mint } = administered()
    for (const who of ['ed', 'fay']) mint('admin', who)
    expect(bench.reason('admin', 'rule.put', demand(2, 'dora', 'ed', 'fay'))).toBe('ok')
  })

  it('does not count those whose tokens the one who asks has made', () => {
    const { bench, mint } = administered()
    for (const who of ['ed', 'fay', 'gus']) mint('dora', who)
    bench.granted('dora', 'rule.delete', { id: 'admin' })
    // admin could approve, if it could come in other than by the token that it has.
    expect(bench.reason('dora', 'rule.put', demand(2, 'ed', 'fay', 'gus'))).toBe('last_admin')
    expect(bench.reason('dora', 'rule.put', demand(1, 'ed'))).toBe('last_admin')
  })

  it('does not count two of three that one of them has the tokens of', () => {
    const { bench, mint } = administered()
    mint('admin', 'ed')
    bench.rule('ed-mints', 'ed', ['admin'], 'tokens')
    for (const who of ['fay', 'gus']) mint('ed', who)
    // ed with fay, or ed with gus: one person. Nor is a chain of hands another one.
    expect(bench.reason('admin', 'rule.put', demand(2, 'ed', 'fay'))).toBe('last_admin')
    expect(bench.reason('admin', 'rule.put', demand(1, 'ed', 'fay'))).toBe('ok')
    expect(bench.reason('dora', 'rule.list', {})).toBe('ok')
  })

  it('looks for others among all of them, whatever their order, and among all of their tokens', () => {
    const { bench, mint } = administered()
    mint('admin', 'ed')
    bench.rule('ed-mints', 'ed', ['admin'], 'tokens')
    mint('ed', 'fay')
    mint('admin', 'gus')
    expect(bench.reason('admin', 'rule.put', demand(3, 'ed', 'fay', 'gus'))).toBe('last_admin')
    mint('admin', 'fay', 'fay again')
    expect(bench.reason('admin', 'rule.put', demand(3, 'ed', 'fay', 'gus'))).toBe('ok')
  })

  it('counts a trust in an identity provider as those who are behind it', () => {
    const { bench, trust } = administered()
    expect(bench.reason('admin', 'rule.put', demand(1, 'ed'))).toBe('last_admin')
    trust('dora', 'ed')
    // dora could sign in as ed, and so could not ask; admin can.
    bench.rule('admin-not', 'admin', ['admin'], 'tokens', 'forbid')
    expect(bench.reason('dora', 'rule.put', demand(1, 'ed'))).toBe('last_admin')
    trust('admin', 'ed')
    expect(bench.reason('dora', 'rule.put', demand(1, 'ed'))).toBe('ok')
  })

  it('is not undone by taking away the token or the person that it needs', () => {
    const { bench, mint, decide, requested } = administered()
    mint('admin', 'ed')
    bench.granted('admin', 'rule.put', demand(1, 'ed'))
    expect(bench.reason('admin', 'token.revoke', { accessor: 'accessor-of-ed' })).toBe('last_admin')
    expect(bench.reason('admin', 'principal.put', { id: 'ed', kind: 'user', disabled: true })).toBe('last_admin')
    mint('admin', 'ed', 'ed again')
    expect(bench.reason('admin', 'token.revoke', { accessor: 'accessor-of-ed' })).toBe('ok')
    // And what was found to be possible is.
    const wish = requested('dora', 'rule.delete', { id: 'rules' })
    expect(decide(callerFor('ed again'), wish)).toBe('ok')
  })

  it('is not undone by making the person that it needs a service, approved or not', () => {
    const { bench, mint, ask, requested, decide, outcome } = administered()
    mint('admin', 'ed')
    bench.granted('admin', 'rule.put', { ...demand(1, 'ed'), id: 'people', principal: 'dora', resource: 'principals' })
    bench.granted('admin', 'rule.put', demand(1, 'ed'))
    expect(bench.reason('admin', 'principal.put', { id: 'ed', kind: 'service' })).toBe('last_admin')
    // Not even when ed itself says so: nobody could be asked to take it back.
    const wish = requested('dora', 'principal.put', { id: 'ed', kind: 'service' })
    expect(decide('ed', wish)).toBe('ok')
    expect(outcome(ask('dora', 'principal.put', { id: 'ed', kind: 'service' }, wish))).toBe('last_admin')
    expect(bench.reason('admin', 'principal.put', { id: 'gus', kind: 'service' })).toBe('ok')
  })

  it('is not undone by ending, or changing, the trust that the person it needs comes in by', () => {
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
    // dora could sign in as ed by it then, and so nobody could approve what dora asks.
    expect(bench.reason('dora', 'issuer.put', { ...issuer, principal: 'ed' })).toBe('last_admin')
  })

  it('lets a trust be ended that nobody needs, also where nobody could administer for good before', () => {
    const { bench, trust } = administered()
    trust('admin', 'ed')
    bench.database.all('UPDATE token SET expires_at = ?', bench.now + 1000)
    expect(bench.reason('dora', 'issuer.delete', { id: 'of-admin' })).toBe('ok')
  })

  it('holds nothing up where nobody could do it before either', () => {
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

  it('gives up on a puzzle, and answers soon', () => {
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

describe('a right to administer that no token can come by', () => {
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
    ['whatever comes, with all of it', { bound: true, mfaWithinSeconds: 600 }],
  ] as const)('may be, where one can: %s', (_, conditions) => {
    expect(guarded().bench.reason('admin', 'rule.put', permit(conditions))).toBe('ok')
  })
})
