/**
 * Decisions: which rules apply, and under which conditions.
 *
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ACTIONS,
  type AccessRequest,
  type Circumstances,
  type Conditions,
  decide,
  demandsOn,
  inForce,
  METHODS,
  type Rule,
} from '../../../../../core/vault/access/rules.ts'
import { coversByTheBook, name, pattern, sameInAnyCase } from './rules_fixture.ts'

function decideByTheBook({ principal, action, resource }: AccessRequest, rules: readonly Rule[]) {
  const matching = rules
    .filter((rule) => rule.principal === '*' || rule.principal === principal)
    .filter((rule) => rule.actions.some((one) => one === action))
    .filter((rule) => {
      const isSame = rule.effect === 'forbid' ? sameInAnyCase : undefined
      return coversByTheBook(rule.resource.split('/'), resource.split('/'), isSame)
    })
  const forbids = matching.filter(({ effect }) => effect === 'forbid')
  const permits = matching.filter(({ effect }) => effect === 'permit')
  if (forbids.length > 0) return { allow: false, rule: forbids[0]!.id }
  if (permits.length > 0) return { allow: true, rule: permits[0]!.id }
  return { allow: false, rule: null }
}

/** Nothing that a rule without conditions looks at. */
const context = { address: null, agent: null, method: 'token', bound: false, mfaAt: null, now: 0 } as const

const principal = fc.constantFrom('alice', 'bob', 'carol')

const rule = fc.record<Rule>({
  id: fc.stringMatching(/^[a-z]{4}$/),
  effect: fc.constantFrom('permit', 'permit', 'forbid'),
  principal: fc.oneof(principal, fc.constant('*')),
  actions: fc.subarray([...ACTIONS]),
  resource: pattern,
})

const request = fc.record<AccessRequest>({
  principal,
  action: fc.constantFrom(...ACTIONS),
  resource: name,
  context: fc.constant(context),
})

describe('decide', () => {
  const permit = (id: string, more: Partial<Rule> = {}): Rule => ({
    id,
    effect: 'permit',
    principal: 'alice',
    actions: ['read'],
    resource: '**',
    ...more,
  })
  const forbid = (id: string, more: Partial<Rule> = {}): Rule => permit(id, { effect: 'forbid', ...more })
  const aliceReads: AccessRequest = { principal: 'alice', action: 'read', resource: 'prod/db', context }

  it('denies when there is no rule', () => {
    expect(decide(aliceReads, [])).toEqual({ allow: false, rule: null })
  })

  it.each<[string, Rule]>([
    ['names another principal', permit('r', { principal: 'bob' })],
    ['names a principal whose id is a prefix', permit('r', { principal: 'alic' })],
    ['gives another action', permit('r', { actions: ['write', 'delete', 'rotate', 'admin'] })],
    ['gives no action', permit('r', { actions: [] })],
    ['covers something else', permit('r', { resource: 'dev/**' })],
  ])('denies when the only rule %s', (_, given) => {
    expect(decide(aliceReads, [given])).toEqual({ allow: false, rule: null })
  })

  it('permits by a rule for the principal and by a rule for all', () => {
    expect(decide(aliceReads, [permit('mine')])).toEqual({ allow: true, rule: 'mine' })
    expect(decide(aliceReads, [permit('all', { principal: '*' })])).toEqual({ allow: true, rule: 'all' })
  })

  it('does not match a principal named "*" with a rule for all', () => {
    expect(decide({ ...aliceReads, principal: '*' }, [permit('mine')]).allow).toBe(false)
  })

  it('gives one forbid precedence over all permits, in any order', () => {
    const permits = [permit('p1'), permit('p2', { resource: 'prod/db' })]
    for (let at = 0; at <= permits.length; at++) {
      const rules = permits.toSpliced(at, 0, forbid('f', { principal: '*', resource: 'prod/*' }))
      expect(decide(aliceReads, rules)).toEqual({ allow: false, rule: 'f' })
    }
  })

  it('ignores a forbid that does not match', () => {
    const rules = [forbid('f', { actions: ['write'] }), forbid('g', { principal: 'bob' }), permit('p')]
    expect(decide(aliceReads, rules)).toEqual({ allow: true, rule: 'p' })
  })

  it('names the first rule of the deciding effect', () => {
    expect(decide(aliceReads, [permit('p1'), permit('p2')]).rule).toBe('p1')
    expect(decide(aliceReads, [permit('p1'), forbid('f1'), forbid('f2')]).rule).toBe('f1')
  })

  it('row 38: permits a name in its own case only, and forbids it in any case', () => {
    const [permits, forbids] = [permit('p', { resource: 'Prod/**' }), forbid('f', { resource: 'Prod/DB' })]
    const read = (resource: string, rules: Rule[]) => decide({ ...aliceReads, resource }, rules)
    expect(read('Prod/db', [permits])).toEqual({ allow: true, rule: 'p' })
    for (const slip of ['prod/db', 'PROD/db']) expect(read(slip, [permits])).toEqual({ allow: false, rule: null })
    const all = permit('all')
    for (const name of ['Prod/DB', 'prod/db', 'PROD/Db']) {
      expect(read(name, [all, forbids])).toEqual({ allow: false, rule: 'f' })
    }
    expect(read('prod/db2', [all, forbids]).allow).toBe(true)
  })

  it('row 38: never opens by a change of case what was closed: neither in a rule nor in a name', () => {
    const cased = <T extends { resource: string }>(given: fc.Arbitrary<T>) =>
      fc.tuple(given, fc.infiniteStream(fc.boolean())).map(([one, upper]) => {
        const letters = [...one.resource].map((char) => (upper.next().value ? char.toUpperCase() : char.toLowerCase()))
        return { one, other: { ...one, resource: letters.join('') } }
      })
    fc.assert(
      fc.property(cased(request), fc.array(cased(rule), { maxLength: 5 }), (asked, rules) => {
        const forbids = rules.map(({ other }) => other).filter(({ effect }) => effect === 'forbid')
        const named = (rule: Rule) => decide(asked.one, [rule]).rule
        // A forbid decides alike in every case of its letters and the name's.
        for (const forbid of forbids) {
          expect(named(forbid)).toBe(decide(asked.other, [forbid]).rule)
        }
        // A permit opens a name in another case only by a literal match.
        for (const { one } of rules.filter(({ one }) => one.effect === 'permit')) {
          expect(decide(asked.other, [one])).toEqual(decideByTheBook(asked.other, [one]))
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('row 38: demands approvals of a name in any case, and shows names in force alike', () => {
    const unless = { approvals: { required: 1, from: ['bob'], withinSeconds: 60 } }
    const demanding = forbid('f', { resource: 'prod/*', unless })
    const asked = { ...aliceReads, resource: 'Prod/DB' }
    expect(decide(asked, [permit('p'), demanding])).toMatchObject({ allow: false, missing: 'approval', rule: 'f' })
    const about = { principal: 'alice', resource: 'PROD/db', actions: ['read'] as const }
    expect(demandsOn([demanding], about).map(({ id }) => id)).toEqual(['f'])
    const shown = inForce([permit('p'), forbid('g', { resource: 'Prod/db' })], context)
    expect(decide(asked, shown)).toEqual({ allow: false, rule: 'g' })
  })

  it('agrees with a literal reading of its docstring', () => {
    fc.assert(
      fc.property(request, fc.array(rule, { maxLength: 6 }), (asked, rules) => {
        expect(decide(asked, rules)).toEqual(decideByTheBook(asked, rules))
      }),
      { numRuns: 3000 },
    )
  })

  it('never allows more when a forbid is added, nor less when a permit is', () => {
    fc.assert(
      fc.property(request, fc.array(rule, { maxLength: 5 }), rule, fc.nat(5), (asked, rules, added, at) => {
        const before = decide(asked, rules).allow
        const after = decide(asked, rules.toSpliced(at, 0, added)).allow
        if (added.effect === 'forbid') expect(after && !before).toBe(false)
        else expect(before && !after).toBe(false)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('conditions', () => {
  // A Wednesday.
  const at = (time: string, day = '2025-10-15') => Date.parse(`${day}T${time}Z`)
  const here: Circumstances = {
    address: '10.1.2.3',
    agent: 'postern/1.0',
    method: 'session',
    bound: true,
    mfaAt: at('11:50:00'),
    now: at('12:00:00'),
  }
  const ruleWith = (effect: Rule['effect'], conditions: Conditions): Rule => ({
    id: 'r',
    effect,
    principal: '*',
    actions: ['read'],
    resource: '**',
    conditions,
  })
  const about = (change: Partial<Circumstances>): AccessRequest => ({
    principal: 'ann',
    action: 'read',
    resource: 'a',
    context: { ...here, ...change },
  })
  const permits = (conditions: Conditions, change: Partial<Circumstances> = {}) =>
    decide(about(change), [ruleWith('permit', conditions)]).allow
  const forbids = (conditions: Conditions, change: Partial<Circumstances> = {}) =>
    decide(about(change), [ruleWith('permit', {}), ruleWith('forbid', conditions)]).allow === false
  /** A known circumstance decides a permit and a forbid alike. */
  const applies = (conditions: Conditions, change: Partial<Circumstances> = {}) => {
    expect(forbids(conditions, change)).toBe(permits(conditions, change))
    return permits(conditions, change)
  }

  it('apply when there are none', () => {
    expect(applies({})).toBe(true)
  })

  it('addresses: one of the ranges contains the address', () => {
    const addresses = ['10.0.0.0/8', '2001:db8::/32']
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::5'])
      expect(applies({ addresses }, { address })).toBe(true)
    for (const address of ['11.1.2.3', '2001:db9::5']) expect(applies({ addresses }, { address })).toBe(false)
    expect(applies({ addresses: [] })).toBe(false)
  })

  it('row 26: an unknown address matches no permit and every forbid', () => {
    for (const addresses of [['10.0.0.0/8'], ['0.0.0.0/0', '::/0']]) {
      expect(permits({ addresses }, { address: null })).toBe(false)
      expect(forbids({ addresses }, { address: null })).toBe(true)
    }
  })

  it('agents: one of the globs matches; a missing agent matches no permit and every forbid', () => {
    const agents = ['postern/*', '*curl*']
    for (const agent of ['postern/2', 'my curl 8']) expect(applies({ agents }, { agent })).toBe(true)
    for (const agent of ['Postern/2', 'xpostern/2', '']) expect(applies({ agents }, { agent })).toBe(false)
    expect([permits({ agents }, { agent: null }), forbids({ agents }, { agent: null })]).toEqual([false, true])
  })

  it('methods: one of them is the method', () => {
    const methods = ['session', 'federated'] as const
    expect(METHODS.map((method) => applies({ methods }, { method }))).toEqual([false, true, true])
    expect(applies({ methods: [] })).toBe(false)
  })

  it('bound: the caller proved possession of the key', () => {
    expect([applies({ bound: true }), applies({ bound: true }, { bound: false })]).toEqual([true, false])
  })

  it.each<[string, string, string, boolean]>([
    ['08:00', '17:00', '08:00:00', true],
    ['08:00', '17:00', '07:59:59.999', false],
    ['08:00', '17:00', '16:59:59.999', true],
    ['08:00', '17:00', '17:00:00', false],
    ['22:00', '06:00', '22:00:00', true],
    ['22:00', '06:00', '23:59:59', true],
    ['22:00', '06:00', '00:00:00', true],
    ['22:00', '06:00', '05:59:59', true],
    ['22:00', '06:00', '06:00:00', false],
    ['22:00', '06:00', '21:59:59', false],
    ['00:00', '23:59', '12:00:00', true],
    ['12:00', '12:00', '12:00:00', false],
  ])('hours from %s to %s at %s: %s', (from, to, time, expected) => {
    expect(applies({ hours: { from, to } }, { now: at(time) })).toBe(expected)
  })

  it('days: 1 is Monday and 7 is Sunday, in UTC', () => {
    for (let day = 1; day <= 7; day++) {
      // 2025-10-13 was a Monday.
      const date = `2025-10-${12 + day}`
      for (const time of ['00:00:00', '23:59:59.999']) {
        expect([1, 2, 3, 4, 5, 6, 7].filter((one) => applies({ days: [one] }, { now: at(time, date) }))).toEqual([day])
      }
    }
  })

  it('notBefore and notAfter: from the first on, until the second', () => {
    const [start, end] = [at('10:00:00'), at('11:00:00')]
    const conditions = { notBefore: start, notAfter: end }
    const moments = [start - 1, start, end - 1, end]
    expect(moments.map((now) => applies(conditions, { now }))).toEqual([false, true, true, false])
    expect(applies({ notAfter: 0 })).toBe(false)
    expect(applies({ notBefore: 0 })).toBe(true)
  })

  it('mfaWithinSeconds: a second factor was given recently; if only that is missing, the reason says so', () => {
    const conditions = { mfaWithinSeconds: 600 }
    const decided = (mfaAt: number | null, more: Conditions = {}) =>
      decide(about({ mfaAt }), [ruleWith('permit', { ...conditions, ...more })])
    expect(decided(here.now)).toEqual({ allow: true, rule: 'r' })
    expect(decided(here.now - 600_000)).toEqual({ allow: true, rule: 'r' })
    for (const mfaAt of [null, here.now - 600_001]) {
      expect(decided(mfaAt)).toEqual({ allow: false, rule: 'r', missing: 'mfa' })
      expect(decided(mfaAt, { methods: ['token'] })).toEqual({ allow: false, rule: null })
    }
  })

  it('a second factor is not requested where another rule permits without one, or a rule forbids', () => {
    const stepUp = ruleWith('permit', { mfaWithinSeconds: 600 })
    const plain = { ...ruleWith('permit', {}), id: 'plain' }
    const forbid = { ...ruleWith('forbid', {}), id: 'forbid' }
    const asked = about({ mfaAt: null })
    expect(decide(asked, [stepUp, plain])).toEqual({ allow: true, rule: 'plain' })
    expect(decide(asked, [stepUp, forbid])).toEqual({ allow: false, rule: 'forbid' })
  })

  it('several: all must match', () => {
    const conditions: Conditions = {
      addresses: ['10.0.0.0/8'],
      agents: ['postern/*'],
      methods: ['session'],
      bound: true,
      hours: { from: '08:00', to: '17:00' },
      days: [3],
      notBefore: at('00:00:00'),
      notAfter: at('23:00:00'),
    }
    expect(applies(conditions)).toBe(true)
    const changes: Partial<Circumstances>[] = [
      { address: '11.0.0.1' },
      { agent: 'curl' },
      { method: 'token' },
      { bound: false },
      { now: at('18:00:00') },
      { now: at('12:00:00', '2025-10-22') },
    ]
    for (const change of changes) expect(applies(conditions, change)).toBe(false)
  })
})
