/** Approvals at the vault: what they are bound to, who can give them, and that nothing gets around them. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { HOUR_MS } from '../../../../../core/durations.ts'
import type { Action } from '../../../../../core/vault/access/rules.ts'
import type { OperationName } from '../../../../../core/vault/operation_table.ts'
import type { Caller } from '../../../../../core/vault/rpc.ts'
import { DecideApproval, PutRule } from '../../../../../core/wire/index.ts'
import { callerFor, tokenHashOf, writeOf } from '../../../../support/core.ts'
import { because, byName, guarded, withGlass } from './approval_fixture.ts'

describe('an approval', () => {
  it('row 39: permits exactly the requested operation, once', () => {
    const { ask, requested, decide, last, outcome } = guarded()
    expect(outcome(ask('ann', 'secret.read', byName))).toBe('approval_required')
    const approval = requested('ann', 'secret.read', byName)
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('approval_open')
    expect(decide('bob', approval)).toBe('ok')
    const answer = ask('ann', 'secret.read', byName, approval)
    expect(answer.ok && answer.value.version).toBe(3)
    expect(last()).toMatchObject({
      operation: 'secret.read',
      rule: 'ann-may',
      facts: { version: 3, approval: approval.id, approvedBy: ['bob'] },
    })
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('approval_used')
    expect(outcome(ask('ann', 'secret.read', byName))).toBe('approval_required')
  })

  it('covers a hash that is computed from the request', () => {
    const { ask, requested } = guarded()
    const { id, hash } = requested('ann', 'secret.destroy', { ...byName, version: 2 }, 'leaked on a slide')
    const shown = ask('bob', 'approval.show', { id })
    if (!shown.ok) throw new Error('Not shown')
    expect(createHash('sha256').update(shown.value.body).digest('base64url')).toBe(hash)
    expect(JSON.parse(shown.value.body)).toMatchObject({
      ...{ v: 1, id, requester: 'ann', reason: 'leaked on a slide' },
      ...{ operation: 'secret.destroy', resource: 'prod/db', params: { version: 2, latest: 3 } },
    })
  })

  it.each<[string, OperationName, object]>([
    ['another version', 'secret.read', { ...byName, version: 2 }],
    ['another secret', 'secret.read', { name: 'prod/other' }],
    ['another operation', 'secret.destroy', byName],
  ])('row 39: permits nothing else: %s', (_, operation, input) => {
    const { bench, ask, requested, decide, outcome } = guarded()
    bench.granted('ann', 'secret.write', writeOf('prod/other'))
    const approval = requested('ann', 'secret.read', byName)
    expect(decide('bob', approval)).toBe('ok')
    expect(outcome(ask('ann', operation, input as never, approval))).toBe('approval_mismatch')
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('ok')
  })

  it('row 39: is void after a change of its subject', () => {
    const { bench, ask, requested, decide, outcome } = guarded()
    const [read, destroy] = [requested('ann', 'secret.read', byName), requested('ann', 'secret.destroy', byName)]
    for (const one of [read, destroy]) expect(decide('bob', one)).toBe('ok')
    bench.granted('bob', 'secret.write', writeOf('prod/db'))
    expect(outcome(ask('ann', 'secret.read', byName, read))).toBe('approval_mismatch')
    expect(outcome(ask('ann', 'secret.destroy', byName, destroy))).toBe('approval_mismatch')
  })

  it('row 39: is usable by its requester only', () => {
    const { ask, requested, decide, outcome } = guarded()
    const approval = requested('ann', 'secret.read', byName)
    expect(decide('bob', approval)).toBe('ok')
    expect(outcome(ask('bob', 'secret.read', byName, approval))).toBe('no_approval')
    expect(outcome(ask('ann', 'secret.read', byName, { id: crypto.randomUUID() }))).toBe('no_approval')
  })

  it('row 39: expires, before it is given and before it is used', () => {
    const { bench, ask, requested, decide, outcome } = guarded()
    const [late, unused] = [requested('ann', 'secret.read', byName), requested('ann', 'secret.destroy', byName)]
    expect(decide('bob', unused)).toBe('ok')
    bench.now += HOUR_MS
    expect(decide('bob', late)).toBe('approval_ended')
    expect(outcome(ask('ann', 'secret.destroy', byName, unused))).toBe('approval_ended')
  })

  it('is requested once, however often the operation is repeated', () => {
    const { bench, ask, requested, outcome } = guarded()
    const first = requested('ann', 'secret.read', byName)
    bench.now += 1000
    expect(requested('ann', 'secret.read', byName)).toEqual(first)
    expect(requested('ann', 'secret.read', byName, 'another reason').id).not.toBe(first.id)
    for (let i = 0; i < 18; i++) requested('ann', 'secret.read', byName, `reason ${i}`)
    expect(outcome(ask('ann', 'secret.read', byName, { ask: 'one more' }))).toBe('too_many_approvals')
    bench.now += HOUR_MS
    expect(requested('ann', 'secret.read', byName, 'one more').id).toBeDefined()
  })

  it('is not requested without a right, or against a forbid', () => {
    const { bench, ask, outcome } = guarded()
    expect(outcome(ask('carol', 'secret.read', byName, { ask: 'please' }))).toBe('denied')
    bench.rule('never', 'ann', ['read'], 'prod/**', 'forbid')
    expect(outcome(ask('ann', 'secret.read', byName, { ask: 'please' }))).toBe('denied')
  })

  it('can be rejected with a reason, and withdrawn', () => {
    const { ask, requested, decide, outcome } = guarded()
    const [rejected, withdrawn] = [requested('ann', 'secret.read', byName), requested('ann', 'secret.destroy', byName)]
    expect(decide('carol', rejected, false)).toBe('ok')
    expect(outcome(ask('ann', 'secret.read', byName, rejected))).toBe('approval_ended')
    const shown = ask('ann', 'approval.show', { id: rejected.id })
    expect(shown.ok && shown.value).toMatchObject({ state: 'rejected', endedBy: 'carol', endedWhy: 'no' })
    expect(outcome(ask('bob', 'approval.withdraw', { id: withdrawn.id }))).toBe('no_approval')
    expect(outcome(ask('ann', 'approval.withdraw', { id: withdrawn.id }))).toBe('ok')
    expect(decide('bob', withdrawn)).toBe('approval_ended')
    expect(outcome(ask('ann', 'secret.destroy', byName, withdrawn))).toBe('approval_ended')
  })
})

describe('an approver', () => {
  it('row 39: is a person other than the requester, by any token', () => {
    const { bench, requested, decide, mint } = guarded()
    bench.rule('bob-mints', 'bob', ['admin'], 'tokens')
    mint('bob', 'carol', 'carol-by-bob')
    mint('admin', 'bob', 'bob-2')
    // A token of carol's that bob made, and a token that was made with that one.
    bench.rule('carol-mints', 'carol', ['admin'], 'tokens')
    mint(callerFor('carol-by-bob'), 'carol', 'carol-at-second-hand')
    const ofBob = requested('bob', 'secret.read', byName)
    for (const who of ['bob', 'bob-2', 'carol-by-bob', 'carol-at-second-hand']) {
      expect([who, decide(who, ofBob)]).toEqual([who, 'not_approver'])
    }
    // And the other way: a request by a token that the approver made.
    mint('bob', 'ann', 'ann-by-bob')
    const ofAnn = requested('ann-by-bob', 'secret.read', byName)
    expect(decide('bob', ofAnn)).toBe('not_approver')
    expect(decide('carol', ofAnn)).toBe('ok')
    expect(decide('ann', ofBob)).toBe('ok')
  })

  it('row 39: is not the author of the trust behind the session that made a token', () => {
    const { bench, ask, requested, decide } = guarded()
    bench.rule('carol-trusts', 'carol', ['admin'], 'issuers')
    bench.rule('robot-mints', 'robot', ['admin'], 'tokens')
    const issuer = 'https://login.example'
    const trust = { id: 'ci', issuer, audience: 'us', claims: { repo: ['7'] }, principal: 'robot' }
    const { revision } = bench.granted('carol', 'issuer.put', trust)
    const session = { hash: tokenHashOf('federated'), accessor: 'federated', jkt: null }
    const claims = { iss: issuer, sub: 'ci', repo: '7' }
    const once = { candidates: [{ id: 'ci', revision }], claims, once: 'once', onceExpiresAt: bench.now + 60_000 }
    expect(ask({ ...callerFor('x'), credential: null }, 'session.federate', { ...session, ...once }).ok).toBe(true)
    const federated = { ...callerFor('x'), credential: { kind: 'session', hash: tokenHashOf('federated') } } as const
    const token = {
      hash: tokenHashOf('ann-by-ci'),
      accessor: 'ann-by-ci',
      principal: 'ann',
      label: '',
      expiresAt: null,
    }
    expect(ask(federated, 'token.create', token).ok).toBe(true)
    // A later change by another person does not erase the first author.
    bench.granted('admin', 'issuer.put', { ...trust, claims: { repo: ['8'] } })
    const ofAnn = requested('ann-by-ci', 'secret.read', byName)
    expect(decide('carol', ofAnn)).toBe('not_approver')
    expect(decide('bob', ofAnn)).toBe('ok')
  })

  it('is a user whom the rule names, and no service', () => {
    const { bench, requested, decide } = guarded()
    bench.enrol('dave')
    const approval = requested('ann', 'secret.read', byName)
    // To others there is no such request.
    expect(decide('dave', approval)).toBe('no_approval')
    const rule = { id: 'four-eyes', effect: 'forbid', principal: '*', actions: ['read'], resource: 'prod/**' } as const
    const unless = { approvals: { required: 1, from: ['robot', 'bob'], withinSeconds: 3600 } }
    bench.granted('admin', 'rule.put', { ...rule, actions: ['read'], unless })
    expect(decide('robot', approval)).toBe('not_approver')
    expect(decide('carol', approval)).toBe('no_approval')
    expect(decide('bob', approval)).toBe('ok')
  })

  it('row 39: approves the hash that it has read, and no other', () => {
    const { requested, decide } = guarded()
    const [one, two] = [requested('ann', 'secret.read', byName), requested('ann', 'secret.destroy', byName)]
    expect(decide('bob', { id: one.id, hash: two.hash })).toBe('approval_mismatch')
  })

  it.each(['disabled', 'no longer named', 'made a service', 'its token revoked'])(
    'row 39: no longer counts once it is %s',
    (how) => {
      const { bench, ask, requested, decide, outcome } = guarded()
      const approval = requested('ann', 'secret.read', byName)
      expect(decide('bob', approval)).toBe('ok')
      const approvals = { required: 1, from: ['carol'], withinSeconds: 3600 }
      const rule = { id: 'four-eyes', effect: 'forbid', principal: '*', resource: 'prod/**' } as const
      const change = {
        disabled: () => bench.granted('admin', 'principal.put', { id: 'bob', kind: 'user', disabled: true }),
        'no longer named': () =>
          bench.granted('admin', 'rule.put', { ...rule, actions: ['read'], unless: { approvals } }),
        'made a service': () => bench.granted('admin', 'principal.put', { id: 'bob', kind: 'service' }),
        'its token revoked': () => bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-bob' }),
      }[how]!
      change()
      expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('approval_open')
      expect(decide('carol', approval)).toBe('ok')
      expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('ok')
    },
  )

  it('row 39: counts once, towards the number of the strictest rule', () => {
    const { ask, requested, decide, outcome } = guarded(2)
    const approval = requested('ann', 'secret.read', byName)
    for (let i = 0; i < 3; i++) expect(decide('bob', approval)).toBe('ok')
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('approval_open')
    expect(decide('carol', approval)).toBe('ok')
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('ok')
  })

  it('row 39: counts beside a simultaneous one, also for a rule that was added later', () => {
    const { bench, ask, requested, outcome } = guarded()
    const approval = requested('ann', 'secret.read', byName)
    const { id, hash } = approval
    const input = { id, hash, approve: true, reason: null }
    const both = bench.execute(
      { operation: 'approval.decide', caller: callerFor('bob'), input },
      { operation: 'approval.decide', caller: callerFor('carol'), input },
    )
    expect(both.map(outcome)).toEqual(['ok', 'ok'])
    bench.enrol('dave')
    const unless = { approvals: { required: 1, from: ['dave'], withinSeconds: 3600 } }
    const rule = { id: 'more', effect: 'forbid', principal: 'ann', actions: ['read'], resource: 'prod/db' } as const
    bench.granted('admin', 'rule.put', { ...rule, actions: ['read'], unless })
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('approval_open')
    // And of two uses at once one wins.
    bench.granted('admin', 'rule.delete', { id: 'more' })
    const use = { operation: 'secret.read', caller: { ...callerFor('ann'), approval }, input: byName } as const
    expect(bench.execute(use, use).map(outcome)).toEqual(['ok', 'approval_used'])
  })

  it('must have entered a required second factor just now', () => {
    const { bench, ask, requested, decide, outcome } = guarded()
    const approval = requested('ann', 'secret.read', byName)
    const sealed = { id: 'totp-1', kid: 'k', sealed: Uint8Array.of(1) }
    bench.granted('bob', 'totp.enrol', sealed)
    bench.granted('bob', 'totp.confirm', { id: 'totp-1', step: 1, recoveryHashes: [], jkt: null })
    expect(decide('bob', approval)).toBe('mfa_required')
    const session = tokenHashOf('session of bob')
    const factor = { kind: 'totp', id: 'totp-1', step: 2 } as const
    expect(outcome(ask('bob', 'session.open', { hash: session, accessor: 'session-1', jkt: null, factor }))).toBe('ok')
    const bySession: Caller = { ...callerFor('bob'), credential: { kind: 'session', hash: session } }
    bench.now += 11 * 60_000
    expect(decide(bySession, approval)).toBe('mfa_required')
    const [again, later] = [tokenHashOf('later session of bob'), { ...factor, step: 3 }]
    const opened = ask(bySession, 'session.open', { hash: again, accessor: 'session-2', jkt: null, factor: later })
    expect(outcome(opened)).toBe('ok')
    bench.now += 9 * 60_000
    expect(decide({ ...bySession, credential: { kind: 'session', hash: again } }, approval)).toBe('ok')
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('ok')
  })
})

describe('a rule that demands approvals', () => {
  const unless = (approvals: object) => ({
    effect: 'forbid',
    principal: '*',
    actions: ['read'],
    resource: '**',
    unless: { approvals },
  })

  it.each([
    ['no approvals', { required: 0, from: ['ann'] }],
    ['a negative number', { required: -1, from: ['ann'] }],
    ['no approvers', { required: 1, from: [] }],
    ['more than it names', { required: 2, from: ['ann'] }],
    ['the same one twice', { required: 2, from: ['ann', 'ann'] }],
    ['a week to approve', { required: 1, from: ['ann'], withinSeconds: 604_800 }],
  ])('is refused with %s', (_, approvals) => {
    expect(PutRule.safeParse(unless({ required: 1, from: ['ann'] })).success).toBe(true)
    expect(PutRule.safeParse(unless(approvals)).success).toBe(false)
  })

  it('is a forbid, and not for writes, whose value no approver could see', () => {
    const good = unless({ required: 1, from: ['ann'] })
    expect(PutRule.safeParse({ ...good, effect: 'permit' }).success).toBe(false)
    expect(PutRule.safeParse({ ...good, actions: ['read', 'write'] }).success).toBe(false)
    expect(DecideApproval.safeParse({ decision: 'reject', hash: 'a'.repeat(43) }).success).toBe(false)
  })

  it.each([['unknown'], ['robot'], ['gone']])('is refused when its approvers cannot approve: %s', (who) => {
    const { bench } = guarded()
    bench.enrol('gone')
    bench.granted('admin', 'principal.put', { id: 'gone', kind: 'user', disabled: true })
    const approvals = { required: 2, from: ['ann', who], withinSeconds: 3600 }
    const rule = { id: 'x', effect: 'forbid', principal: '*', actions: ['read'], resource: 'x' } as const
    expect(bench.reason('admin', 'rule.put', { ...rule, actions: ['read'], unless: { approvals } })).toBe('no_quorum')
  })

  it('applies to changes of rules too, and must leave a person who can make them', () => {
    const { bench, ask, requested, decide, outcome } = guarded(1, ['admin'])
    for (const what of ['rules', 'tokens']) bench.rule(`bob-${what}`, 'bob', ['admin'], what)
    const approvals = { required: 1, from: ['ann', 'carol'], withinSeconds: 3600 }
    const rule = { id: 'rules', effect: 'forbid', principal: '*', resource: 'rules' } as const
    bench.granted('admin', 'rule.put', { ...rule, actions: ['admin'], unless: { approvals } })
    const change = { id: 'new', effect: 'permit', principal: 'bob', actions: ['read'], resource: 'prod/a' } as const
    const approval = requested('bob', 'rule.put', { ...change, actions: ['read'] })
    expect(decide('ann', approval)).toBe('ok')
    const wider = { ...change, actions: ['read'] as Action[], resource: '**' }
    expect(outcome(ask('bob', 'rule.put', wider, approval))).toBe('approval_mismatch')
    expect(outcome(ask('bob', 'rule.put', { ...change, actions: ['read'] }, approval))).toBe('ok')
    expect(outcome(ask('bob', 'rule.delete', { id: 'rules' }))).toBe('approval_required')
    // Without a quorum no rule could be changed again.
    expect(bench.reason('admin', 'principal.put', { id: 'ann', kind: 'user', disabled: true })).toBe('ok')
    expect(bench.reason('admin', 'principal.put', { id: 'carol', kind: 'user', disabled: true })).toBe('last_admin')
  })

  it('hides no name and no history, and is explained', () => {
    const { bench } = guarded()
    const { items } = bench.granted('ann', 'secret.list', { prefix: '', after: '', deleted: false, limit: 10 })
    expect(items.map(({ name }) => name)).toEqual(['prod/db'])
    expect(bench.reason('ann', 'secret.versions', { ...byName, below: 9, limit: 9 })).toBe('ok')
    expect(bench.reason('ann', 'secret.delete', byName)).toBe('ok')
    const context = { address: null, agent: null, method: 'token', bound: false, mfaAt: null, now: bench.now } as const
    const asked = { principal: 'ann', action: 'read', resource: 'prod/db', context } as const
    expect(bench.granted('admin', 'rule.explain', asked)).toMatchObject({
      allow: false,
      rule: 'four-eyes',
      missing: 'approval',
      considered: expect.arrayContaining([{ id: 'four-eyes', effect: 'forbid', applies: true }]),
    })
  })
})

describe('breaking the glass', () => {
  it('needs the right, and a second factor just entered in the same session', () => {
    const { bench, ask, outcome, strong, weak } = withGlass()
    expect(outcome(ask('ann', 'glass.break', because))).toBe('denied')
    expect(outcome(ask('dana', 'glass.break', because))).toBe('mfa_required')
    expect(outcome(ask(weak, 'glass.break', because))).toBe('mfa_required')
    bench.now += 11 * 60_000
    expect(outcome(ask(strong, 'glass.break', because))).toBe('mfa_required')
  })

  it('lifts approvals for a while, in one session, and every use is recorded', () => {
    const { bench, ask, outcome, strong, weak, last } = withGlass()
    expect(outcome(ask(strong, 'secret.read', byName))).toBe('approval_required')
    const broken = ask(strong, 'glass.break', because)
    if (!broken.ok) throw new Error(broken.reason)
    expect(outcome(ask(strong, 'secret.read', byName))).toBe('ok')
    expect(last().facts).toMatchObject({ breakGlass: broken.value.id })
    expect(outcome(ask(weak, 'secret.read', byName))).toBe('approval_required')
    bench.rule('never', 'dana', ['delete'], 'prod/**', 'forbid')
    expect(outcome(ask(strong, 'secret.destroy', byName))).toBe('denied')
    bench.now += 15 * 60_000
    expect(outcome(ask(strong, 'secret.read', byName))).toBe('approval_required')
  })

  it('ends early on request, and is reviewed by another person', () => {
    const { bench, ask, outcome, strong } = withGlass()
    bench.rule('ann-glass', 'ann', ['admin'], 'break-glass')
    const broken = ask(strong, 'glass.break', because)
    if (!broken.ok) throw new Error(broken.reason)
    const { id } = broken.value
    expect(outcome(ask('admin', 'glass.end', { id }))).toBe('ok')
    expect(outcome(ask(strong, 'secret.read', byName))).toBe('approval_required')
    expect(outcome(ask(strong, 'glass.review', { id, review: 'all was well' }))).toBe('own_review')
    expect(outcome(ask('ann', 'glass.review', { id, review: 'looked at the log' }))).toBe('ok')
    const list = ask('admin', 'glass.list', {})
    expect(list.ok && list.value[0]).toMatchObject({ id, reviewedBy: 'ann', review: 'looked at the log' })
  })
})
