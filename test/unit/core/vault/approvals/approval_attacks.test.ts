/** Attacks on approvals by a principal with several tokens or accomplices, or with the right to change the subject of an approval. */
import { describe, expect, it } from 'vitest'
import { HOUR_MS } from '../../../../../core/durations.ts'
import type { Chain } from '../../../../../core/providers/chain.ts'
import { callerFor, openVault, tokenHashOf, writeOf } from '../../../../support/core.ts'
import { because, byName, guarded, sessionsOf, withGlass } from './approval_fixture.ts'

describe('two approvals', () => {
  it('row 39: are not given by a person who made the token of the other approver', () => {
    const { bench, ask, requested, decide, mint, outcome } = guarded(2)
    bench.rule('bob-mints', 'bob', ['admin'], 'tokens')
    mint('bob', 'carol', 'carol-by-bob')
    for (const [first, second] of [
      ['bob', 'carol-by-bob'],
      ['carol-by-bob', 'bob'],
    ] as const) {
      const approval = requested('ann', 'secret.read', byName, `approved by ${first} first`)
      expect(decide(first, approval)).toBe('ok')
      expect(decide(second, approval)).toBe('not_approver')
      expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('approval_open')
    }
  })
})

describe('an approval that was given', () => {
  it('row 39: is not used by its approver through a token of the requester', () => {
    const { bench, ask, requested, decide, mint, outcome } = guarded()
    bench.rule('bob-mints', 'bob', ['admin'], 'tokens')
    const approval = requested('ann', 'secret.read', byName)
    expect(decide('bob', approval)).toBe('ok')
    mint('bob', 'ann', 'ann-by-bob')
    expect(outcome(ask('ann-by-bob', 'secret.read', byName, approval))).toBe('approval_open')
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('ok')
  })

  it('row 39: ends with the trust in the identity provider of its approver', () => {
    const { bench, ask, requested, decide, trust, federated, outcome } = guarded()
    trust('admin', 'bob')
    for (const [why, end] of [
      ['deleted', () => bench.granted('admin', 'issuer.delete', { id: 'of-admin' })],
      ['changed', () => trust('admin', 'bob')],
    ] as const) {
      const approval = requested('ann', 'secret.read', byName, why)
      expect(decide(federated('of-admin', `session ${approval.id}`), approval)).toBe('ok')
      end()
      expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('approval_open')
      trust('admin', 'bob')
    }
  })

  it('ends sooner when its rule is changed to say so', () => {
    const { bench, ask, requested, decide, outcome } = guarded()
    const approval = requested('ann', 'secret.read', byName)
    expect(decide('bob', approval)).toBe('ok')
    const unless = { approvals: { required: 1, from: ['ann', 'bob', 'carol'], withinSeconds: 60 } }
    const rule = { id: 'four-eyes', effect: 'forbid', principal: '*', resource: 'prod/**', unless } as const
    bench.granted('admin', 'rule.put', { ...rule, actions: ['read'] })
    bench.now += 60_000
    expect(outcome(ask('ann', 'secret.read', byName, approval))).toBe('approval_ended')
  })

  it('to rotate is void after a change of the rotation or of the hook that gets the value', () => {
    const { bench, ask, requested, decide, outcome } = guarded()
    bench.rule('ann-configures', 'ann', ['admin'], 'rotations')
    bench.rule('ann-hooks', 'ann', ['admin'], 'hooks')
    const hook = (url: string) => {
      const secret = { kid: 'root.1', sealed: Uint8Array.of(1), newSecret: false }
      bench.granted('ann', 'hook.put', { id: 'db', url, ...secret })
    }
    hook('https://good.example/')
    const config = {
      ...{ rotateEvery: null, jitterSeconds: 0, freeze: [], graceSeconds: 60 },
      generate: { kind: 'password', length: 32 },
    } as const
    const put = (target: { kind: 'generate' } | { kind: 'webhook'; hook: string }) =>
      bench.granted('ann', 'rotation.put', { ...byName, config: { ...config, target } })
    const start = { ...byName, restores: null, force: false }
    put({ kind: 'generate' })
    const first = requested('ann', 'rotation.start', start)
    expect(decide('bob', first)).toBe('ok')
    put({ kind: 'webhook', hook: 'db' })
    expect(outcome(ask('ann', 'rotation.start', start, first))).toBe('approval_mismatch')
    const second = requested('ann', 'rotation.start', start, 'again')
    expect(decide('bob', second)).toBe('ok')
    hook('https://evil.example/')
    expect(outcome(ask('ann', 'rotation.start', start, second))).toBe('approval_mismatch')
  })

  it('is recorded with its approver, even when it concerns the approver', () => {
    const { bench, ask, requested, decide, outcome, last } = guarded(1, ['admin'])
    const unless = { approvals: { required: 1, from: ['bob', 'carol'], withinSeconds: 3600 } }
    const rule = { id: 'people', effect: 'forbid', principal: 'ann', resource: 'principals', unless } as const
    bench.granted('admin', 'rule.put', { ...rule, actions: ['admin'] })
    bench.rule('ann-people', 'ann', ['admin'], 'principals')
    const disable = { id: 'bob', kind: 'user', disabled: true } as const
    const approval = requested('ann', 'principal.put', disable)
    expect(decide('bob', approval)).toBe('ok')
    expect(outcome(ask('ann', 'principal.put', disable, approval))).toBe('ok')
    expect(last().facts).toMatchObject({ approvedBy: ['bob'] })
  })

  it('to enable an enabled principal does not enable it after it was disabled', () => {
    const { bench, ask, requested, decide, outcome } = guarded(1, ['admin'])
    const unless = { approvals: { required: 1, from: ['bob', 'carol'], withinSeconds: 3600 } }
    const rule = { id: 'people', effect: 'forbid', principal: 'ann', resource: 'principals', unless } as const
    bench.granted('admin', 'rule.put', { ...rule, actions: ['admin'] })
    bench.rule('ann-people', 'ann', ['admin'], 'principals')
    const enabled = { id: 'robot', kind: 'service', disabled: false } as const
    const approval = requested('ann', 'principal.put', enabled)
    expect(decide('bob', approval)).toBe('ok')
    bench.granted('admin', 'principal.put', { ...enabled, disabled: true })
    expect(outcome(ask('ann', 'principal.put', enabled, approval))).toBe('approval_mismatch')
  })

  it('to read from a provider is void after a change of its chain', () => {
    const { bench, ask, requested, decide, outcome } = guarded()
    const chain: Chain = {
      ...{ id: 'c', resource: 'prod/**', members: [{ provider: 'aws' }], onNotFound: 'stop', onDenied: 'stop' },
      ...{ cacheSeconds: 0, maxStaleSeconds: 0, replicate: false },
    }
    const sealed = requested('ann', 'secret.read', byName)
    expect(decide('bob', sealed)).toBe('ok')
    bench.granted('admin', 'chain.put', chain)
    expect(outcome(ask('ann', 'secret.read', byName, sealed))).toBe('approval_mismatch')
    const provided = requested('ann', 'secret.read', byName, 'there')
    expect(decide('bob', provided)).toBe('ok')
    bench.granted('admin', 'chain.put', { ...chain, members: [{ provider: 'azure' }] })
    expect(outcome(ask('ann', 'secret.read', byName, provided))).toBe('approval_mismatch')
  })
})

describe('a delete that a provider does', () => {
  it('needs the approval for irreversible deletions; a delete in the sealed store does not', () => {
    const { bench, ask, requested, decide, outcome } = guarded(1, ['delete'])
    expect(outcome(ask('ann', 'secret.delete', byName))).toBe('ok')
    expect(outcome(ask('ann', 'secret.restore', byName))).toBe('ok')
    const chain: Chain = {
      ...{ id: 'c', resource: 'prod/**', members: [{ provider: 'file' }], onNotFound: 'stop', onDenied: 'stop' },
      ...{ cacheSeconds: 0, maxStaleSeconds: 0, replicate: true },
    }
    bench.granted('admin', 'chain.put', chain)
    expect(outcome(ask('ann', 'secret.delete', byName))).toBe('approval_required')
    const approval = requested('ann', 'secret.delete', byName)
    expect(decide('bob', approval)).toBe('ok')
    expect(outcome(ask('ann', 'secret.delete', byName, approval))).toBe('ok')
    expect(outcome(ask('ann', 'secret.delete', byName, approval))).toBe('approval_used')
  })
})

describe('the trust in an identity provider', () => {
  it('row 39: is attributed to the person who made the token that set it', () => {
    const { bench, requested, decide, mint, trust, federated } = guarded()
    // ann makes a token for dave, and dave with it a trust that signs carol in.
    bench.enrol('dave')
    bench.rule('ann-mints', 'ann', ['admin'], 'tokens')
    bench.rule('dave-trusts', 'dave', ['admin'], 'issuers')
    bench.rule('carol-mints', 'carol', ['admin'], 'tokens')
    mint('ann', 'dave', 'dave-by-ann')
    trust('dave-by-ann', 'carol', 'second-hand')
    const carol = federated('second-hand')
    mint(carol, 'bob', 'bob-by-that')
    const approval = requested('ann', 'secret.read', byName)
    expect(decide(carol, approval)).toBe('not_approver')
    expect(decide('bob-by-that', approval)).toBe('not_approver')
    expect(decide('carol', approval)).toBe('ok')
  })
})

describe('requests for approval', () => {
  it('count against the limit even when withdrawn at once', () => {
    const { ask, requested, outcome, bench } = guarded()
    for (let i = 0; i < 20; i++) {
      const { id } = requested('ann', 'secret.read', byName, `reason ${i}`)
      expect(outcome(ask('ann', 'approval.withdraw', { id }))).toBe('ok')
    }
    expect(outcome(ask('ann', 'secret.read', byName, { ask: 'one more' }))).toBe('too_many_approvals')
    bench.now += HOUR_MS
    expect(requested('ann', 'secret.read', byName, 'one more').id).toBeDefined()
  })

  it('are listed with the open ones first', () => {
    const { bench, ask, requested } = guarded()
    const { id } = requested('ann', 'secret.read', byName)
    for (let i = 0; i < 12; i++) {
      bench.enrol(`p${i}`)
      bench.rule(`p${i}-may`, `p${i}`, ['read'], 'prod/**')
      for (let j = 0; j < 20; j++) {
        bench.now += 1
        const one = requested(`p${i}`, 'secret.read', byName, `reason ${j}`)
        ask(`p${i}`, 'approval.withdraw', { id: one.id })
      }
    }
    const listed = ask('bob', 'approval.list', {})
    expect(listed.ok && listed.value[0]!.id).toBe(id)
  })
})

describe('broken glass', () => {
  it('is not reviewed by a person who broke it under another name, or the reverse', () => {
    const { bench, ask, outcome, strong, mint } = withGlass()
    const broken = ask(strong, 'glass.break', because)
    if (!broken.ok) throw new Error(broken.reason)
    const review = { id: broken.value.id, review: 'it was a real outage' }
    bench.now += HOUR_MS
    bench.rule('dana-mints', 'dana', ['admin'], 'tokens')
    for (const who of ['ann', 'bob']) bench.rule(`${who}-glass`, who, ['admin'], 'break-glass')
    mint('dana', 'ann', 'ann-by-dana')
    expect(outcome(ask('ann-by-dana', 'glass.review', review))).toBe('own_review')
    // bob makes a token for dana, and breaks the glass with it.
    bench.rule('bob-mints', 'bob', ['admin'], 'tokens')
    mint('bob', 'dana', 'dana-by-bob')
    const factor = { kind: 'totp', id: 'totp-d', step: 3 } as const
    const hash = tokenHashOf('session by bob')
    expect(ask('dana-by-bob', 'session.open', { hash, accessor: 'by-bob', jkt: null, factor }).ok).toBe(true)
    const second = ask({ ...callerFor('x'), credential: { kind: 'session', hash } }, 'glass.break', because)
    if (!second.ok) throw new Error(second.reason)
    bench.now += HOUR_MS
    expect(outcome(ask('bob', 'glass.review', { ...review, id: second.value.id }))).toBe('own_review')
    expect(outcome(ask('ann', 'glass.review', { ...review, id: second.value.id }))).toBe('ok')
  })

  it('lifts nothing once the right to break it is gone', () => {
    const { bench, ask, outcome, strong } = withGlass()
    expect(ask(strong, 'glass.break', because).ok).toBe(true)
    bench.granted('admin', 'rule.delete', { id: 'dana-glass' })
    expect(outcome(ask(strong, 'secret.read', byName))).toBe('approval_required')
  })

  it('lifts nothing after its review, since later uses would not be reviewed', () => {
    const { bench, ask, outcome, strong } = withGlass()
    bench.rule('ann-glass', 'ann', ['admin'], 'break-glass')
    const broken = ask(strong, 'glass.break', because)
    if (!broken.ok) throw new Error(broken.reason)
    expect(outcome(ask(strong, 'secret.read', byName))).toBe('ok')
    expect(outcome(ask('ann', 'glass.review', { id: broken.value.id, review: 'looked at it' }))).toBe('ok')
    expect(outcome(ask(strong, 'secret.read', byName))).toBe('approval_required')
  })
})

describe('a rule that demands approvals', () => {
  it('is refused when the requester would be the only approver', () => {
    const bench = openVault()
    const approvals = { required: 1, from: ['admin'], withinSeconds: 3600 }
    const rule = { id: 'trap', effect: 'forbid', principal: '*', resource: 'rules' } as const
    expect(bench.reason('admin', 'rule.put', { ...rule, actions: ['admin'], unless: { approvals } })).toBe('last_admin')
    expect(bench.reason('admin', 'secret.write', writeOf('x'))).toBe('ok')
  })
})

describe('an approval to take something away', () => {
  /** bob has to approve what ann does to a part of the vault. */
  function watched(resource: 'audit' | 'principals') {
    const all = guarded()
    all.bench.rule('ann-may-too', 'ann', ['admin'], resource)
    const unless = { approvals: { required: 1, from: ['bob'], withinSeconds: 3600 } }
    const rule = { id: 'watch', effect: 'forbid', principal: 'ann', resource, unless } as const
    all.bench.granted('admin', 'rule.put', { ...rule, actions: ['admin'] })
    return all
  }

  it('ends the hold that it was given for, and no later one', () => {
    const { bench, ask, requested, decide, outcome } = watched('audit')
    const end = { reason: null }
    bench.granted('admin', 'audit.hold', { reason: 'case A' })
    const first = requested('ann', 'audit.hold', end)
    expect(decide('bob', first)).toBe('ok')
    bench.granted('admin', 'audit.hold', { reason: 'case B' })
    expect(outcome(ask('ann', 'audit.hold', end, first))).toBe('approval_mismatch')
    // Nor a hold with the same text that was set again.
    const second = requested('ann', 'audit.hold', end)
    expect(decide('bob', second)).toBe('ok')
    bench.now += 1
    bench.granted('admin', 'audit.hold', { reason: 'case B' })
    expect(outcome(ask('ann', 'audit.hold', end, second))).toBe('approval_mismatch')
    const third = requested('ann', 'audit.hold', end)
    expect(decide('bob', third)).toBe('ok')
    expect(outcome(ask('ann', 'audit.hold', end, third))).toBe('ok')
    expect(bench.granted('admin', 'audit.hold', { reason: 'case C' }).hold).toBe('case C')
  })

  it('removes the lost second factor, and none that was confirmed later', () => {
    const { bench, ask, requested, decide, outcome } = watched('principals')
    const enrol = (id: string, step: number) => {
      bench.granted('carol', 'totp.enrol', { id, kid: 'root.1', sealed: Uint8Array.of(1) })
      bench.granted('carol', 'totp.confirm', { id, step, recoveryHashes: [], jkt: null })
    }
    const carol = { id: 'carol' }
    const early = requested('ann', 'factors.reset', carol)
    expect(decide('bob', early)).toBe('ok')
    enrol('first', 1)
    expect(outcome(ask('ann', 'factors.reset', carol, early))).toBe('approval_mismatch')
    const late = requested('ann', 'factors.reset', carol)
    expect(decide('bob', late)).toBe('ok')
    expect(outcome(ask('ann', 'factors.reset', carol, late))).toBe('ok')
    expect(bench.granted('carol', 'session.whoami', {})).toMatchObject({ totp: false })
  })
})

describe('a demand for approvals', () => {
  it('row 73: outlives broken glass: changes under it still need approval', () => {
    const { bench, ask, outcome, strong } = withGlass()
    bench.rule('dana-admin', 'dana', ['admin'], '**')
    const approvals = { required: 1, from: ['ann', 'bob'], withinSeconds: 3600 }
    const demand = { effect: 'forbid', principal: 'dana', actions: ['admin'], resource: '**' } as const
    bench.granted('admin', 'rule.put', { id: 'admin-demand', ...demand, unless: { approvals } })
    expect(ask(strong, 'glass.break', because).ok).toBe(true)
    const rule = { id: 'mine', effect: 'permit', principal: 'dana', actions: ['read'], resource: '**' } as const
    const issuer = { id: 'i', issuer: 'https://i.example', audience: 'us', claims: { sub: ['x'] }, principal: 'dana' }
    const token = { hash: tokenHashOf('t'), accessor: 't', principal: 'dana', label: '', expiresAt: null }
    const policy = { secretComplexity: null, keepVersions: 2, keepVersionDays: null, notify: null }
    const outcomes = [
      ask(strong, 'rule.delete', { id: 'four-eyes' }),
      ask(strong, 'rule.put', rule),
      ask(strong, 'token.create', token),
      ask(strong, 'issuer.put', issuer),
      ask(strong, 'principal.put', { id: 'ann', kind: 'service' }),
      ask(strong, 'policy.put', policy),
      ask(strong, 'hook.put', {
        id: 'h',
        url: 'https://h.example',
        kid: 'root.1',
        sealed: Uint8Array.of(1),
        newSecret: false,
      }),
      ask(strong, 'factors.reset', { id: 'ann' }),
      ask(strong, 'secret.destroy', byName),
    ].map(outcome)
    expect([...new Set(outcomes)]).toEqual(['approval_required'])
    // What it is for, it opens.
    expect(outcome(ask(strong, 'secret.read', byName))).toBe('ok')
  })

  it('row 73: is not evaded by a trust that another person puts again, changes, moves to other keys, or deletes first', () => {
    const put = (more: object) => ({
      id: 'of-bob',
      issuer: 'https://of-bob.example',
      audience: 'us',
      claims: { repo: ['7'] },
      principal: 'carol',
      ...more,
    })
    const again: ((by: ReturnType<typeof guarded>) => void)[] = [
      ({ bench }) => void bench.granted('admin', 'issuer.put', put({})),
      ({ bench }) => void bench.granted('admin', 'issuer.put', put({ claims: { repo: ['7', '8'] }, audience: 'them' })),
      ({ bench }) => void bench.granted('admin', 'issuer.put', put({ jwksUri: 'https://of-bob.example/keys' })),
      ({ bench }) => {
        bench.granted('admin', 'issuer.put', put({ issuer: 'https://other.example' }))
        bench.granted('admin', 'issuer.put', put({}))
      },
      ({ bench }) => {
        bench.granted('admin', 'issuer.delete', { id: 'of-bob' })
        bench.granted('admin', 'issuer.put', put({}))
      },
    ]
    for (const change of again) {
      const all = guarded()
      const { bench, trust, requested, decide, federated } = all
      bench.rule('bob-trusts', 'bob', ['admin'], 'issuers')
      trust('bob', 'carol')
      change(all)
      expect(decide(federated('of-bob'), requested('bob', 'secret.read', byName))).toBe('not_approver')
    }
  })

  it('forgets the persons behind a trust after it moved to another provider', () => {
    const { bench, trust, requested, decide, federated } = guarded()
    bench.rule('bob-trusts', 'bob', ['admin'], 'issuers')
    trust('bob', 'carol', 'of-admin')
    const issuer = {
      id: 'moved',
      issuer: 'https://old.example',
      audience: 'us',
      claims: { repo: ['7'] },
      principal: 'carol',
    }
    bench.granted('bob', 'issuer.put', issuer)
    bench.granted('admin', 'issuer.put', { ...issuer, issuer: 'https://moved.example' })
    expect(decide(federated('moved'), requested('bob', 'secret.read', byName))).toBe('ok')
  })

  it.each([
    ['requireMfa', { requireMfa: true }],
    ['requireMfaForAdmin', { requireMfaForAdmin: true }],
  ])('row 73: is not met by a token alone where the server has %s, enrolled or not', (_, settings) => {
    const { bench, ask, decide, outcome, last, requested } = guarded(1, ['read'])
    const { strong, weak } = sessionsOf({ bench, ask }, 'ann')
    bench.reopen(settings)
    const robot = requested('robot', 'secret.read', byName)
    expect(decide('bob', robot)).toBe('mfa_required')
    expect(last()).toMatchObject({ operation: 'approval.decide', outcome: 'mfa_required', severity: 'warning' })
    expect([decide('ann', robot), decide(weak, robot)]).toEqual(['mfa_required', 'mfa_required'])
    // Nor is it rejected by one.
    expect(decide('bob', robot, false)).toBe('mfa_required')
    expect(outcome(ask('robot', 'secret.read', byName, { id: robot.id }))).toBe('approval_open')
    expect(decide(strong, robot)).toBe('ok')
    expect(outcome(ask('robot', 'secret.read', byName, { id: robot.id }))).toBe('ok')
    // A second factor of long ago is as none.
    bench.now += 11 * 60_000
    expect(decide(strong, requested('robot', 'secret.read', byName))).toBe('mfa_required')
  })

  it('is hidden from a token alone where users need a second factor; a request can be withdrawn without one', () => {
    const { bench, ask, outcome, requested } = guarded(1, ['read'])
    bench.reopen({ requireMfa: true })
    const { id } = requested('robot', 'secret.read', byName)
    expect(outcome(ask('bob', 'approval.show', { id }))).toBe('mfa_required')
    expect(outcome(ask('bob', 'approval.list', {}))).toBe('mfa_required')
    expect(outcome(ask('robot', 'approval.withdraw', { id }))).toBe('ok')
  })
})
