import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { covers, globMatches } from '../../../../../core/patterns.ts'
import {
  ACTIONS,
  type AccessRequest,
  type Circumstances,
  type Conditions,
  decide,
  METHODS,
  type Rule,
} from '../../../../../core/vault/access/rules.ts'
import { growth } from '../../../../support/growth.ts'

/** The docstring of `covers`, segment by segment and without a single clever thing. */
function coversByTheBook(pattern: readonly string[], name: readonly string[]): boolean {
  if (pattern.length === 1 && pattern[0] === '**') return name.length >= 1
  if (pattern.length === 0 || name.length === 0) return pattern.length === name.length
  const [first, ...morePattern] = pattern
  const [actual, ...moreName] = name
  return (first === '*' || first === actual) && coversByTheBook(morePattern, moreName)
}

function decideByTheBook({ principal, action, resource }: AccessRequest, rules: readonly Rule[]) {
  const matching = rules
    .filter((rule) => rule.principal === '*' || rule.principal === principal)
    .filter((rule) => rule.actions.some((one) => one === action))
    .filter((rule) => coversByTheBook(rule.resource.split('/'), resource.split('/')))
  const forbids = matching.filter(({ effect }) => effect === 'forbid')
  const permits = matching.filter(({ effect }) => effect === 'permit')
  if (forbids.length > 0) return { allow: false, rule: forbids[0]!.id }
  if (permits.length > 0) return { allow: true, rule: permits[0]!.id }
  return { allow: false, rule: null }
}

const word = fc.constantFrom('a', 'ab', 'b', 'team', 'team2')
const name = fc.array(word, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'))
const pattern = fc
  .tuple(fc.array(fc.oneof(word, fc.constant('*')), { maxLength: 4 }), fc.constantFrom([], ['**']))
  .map(([segments, tail]) => [...segments, ...tail].join('/'))
  .filter((text) => text !== '')
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

describe('covers', () => {
  it.each([
    ['a', 'a'],
    ['team/a', 'team/a'],
    ['team/*', 'team/a'],
    ['*', 'a'],
    ['*/*', 'team/a'],
    ['*/a', 'team/a'],
    ['team/*/b', 'team/a/b'],
    ['team/**', 'team/a'],
    ['team/**', 'team/a/b'],
    ['team/**', 'team/a/b/c/d/e/f/g'],
    ['**', 'a'],
    ['**', 'team/a/b'],
    ['*/**', 'team/a'],
  ])('%s covers %s', (given, covered) => {
    expect(covers(given, covered)).toBe(true)
  })

  it.each([
    ['team/*', 'team'],
    ['team/*', 'team2'],
    ['team/*', 'team2/a'],
    ['team/*', 'team/a/b'],
    ['team/**', 'team'],
    ['team/**', 'team2/a'],
    ['team', 'team/a'],
    ['team/a', 'team'],
    ['*', 'team/a'],
    ['*/*', 'team'],
    ['*/**', 'team'],
    ['*/*/**', 'team/a'],
    ['tea*', 'team'],
    ['*am', 'team'],
    ['team/a*', 'team/ab'],
    ['**/a', 'team/a'],
    ['**/a', 'a'],
    ['team/**/b', 'team/a/b'],
    ['t..m', 'team'],
    ['team/.', 'team/a'],
    ['Team/*', 'team/a'],
    ['', 'a'],
    ['a', 'b'],
  ])('row 38: %s does not cover %s', (given, uncovered) => {
    expect(covers(given, uncovered)).toBe(false)
  })

  it('agrees with its docstring, taken word for word', () => {
    fc.assert(
      fc.property(pattern, name, (given, text) => {
        expect(covers(given, text)).toBe(coversByTheBook(given.split('/'), text.split('/')))
      }),
      { numRuns: 3000 },
    )
  })

  it('takes ten times as long, not a hundred times, for ten times as many segments and stars', {
    timeout: 60_000,
  }, () => {
    const stars = (count: number) => Array(count).fill('*').join('/')
    const segments = (count: number) => `${Array(count).fill('a').join('/')}`
    const covering = (count: number) => {
      const [given, text, longer] = [stars(count), segments(count), segments(count + 1)]
      return () => {
        for (let i = 0; i < 20; i++) {
          expect(covers(given, text)).toBe(true)
          expect(covers(given, longer)).toBe(false)
          expect(covers(`${given}/**`, longer)).toBe(true)
        }
      }
    }
    expect(growth(covering(1000), covering(10_000), 40)).toBeLessThan(40)
  })
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
    ['names somebody else', permit('r', { principal: 'bob' })],
    ['names somebody whose id begins like this', permit('r', { principal: 'alic' })],
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

  it('does not take a principal named in a request as "*" for a rule about anybody', () => {
    expect(decide({ ...aliceReads, principal: '*' }, [permit('mine')]).allow).toBe(false)
  })

  it('lets one forbid outweigh every permit, wherever it stands', () => {
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

  it('agrees with its docstring, taken word for word', () => {
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

/** A glob, taken word for word: a star is nothing, or one character and the star again. */
function globByTheBook(glob: string, text: string): boolean {
  if (glob === '') return text === ''
  if (glob[0] === '*') return globByTheBook(glob.slice(1), text) || (text !== '' && globByTheBook(glob, text.slice(1)))
  return glob[0] === text[0] && globByTheBook(glob.slice(1), text.slice(1))
}

describe('globMatches', () => {
  it.each([
    ['*', ''],
    ['*', 'a'],
    ['**', 'a'],
    ['', ''],
    ['a*', 'a'],
    ['*a', 'ba'],
    ['a*c', 'abbc'],
    ['*a*b*', 'xaxbx'],
    ['*ab', 'aab'],
    ['?', '?'],
    ['a.b', 'a.b'],
  ])('%j matches %j', (glob, text) => {
    expect(globMatches(glob, text)).toBe(true)
  })

  it.each([
    ['', 'a'],
    ['a', ''],
    ['a', 'ab'],
    ['b', 'ab'],
    ['A', 'a'],
    ['a*c', 'ab'],
    ['*ab', 'aba'],
    ['?', 'a'],
    ['.', 'a'],
    ['[ab]', 'a'],
  ])('%j does not match %j', (glob, text) => {
    expect(globMatches(glob, text)).toBe(false)
  })

  it('agrees with its docstring, taken word for word', () => {
    const glob = fc.array(fc.constantFrom('a', 'b', '*', '*'), { maxLength: 9 }).map((chars) => chars.join(''))
    const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 10 }).map((chars) => chars.join(''))
    fc.assert(
      fc.property(glob, text, (given, said) => {
        expect(globMatches(given, said)).toBe(globByTheBook(given, said))
      }),
      { numRuns: 3000 },
    )
  })

  it('row 49: takes ten times as long, not a hundred times, for a text ten times as long', { timeout: 60_000 }, () => {
    const globs = [`*${'a'.repeat(20)}b`, `${'*a'.repeat(50)}*b`, `${'*'.repeat(100)}b`]
    const matching = (length: number) => {
      const text = 'a'.repeat(length)
      return () => {
        for (let i = 0; i < 10; i++) for (const glob of globs) expect(globMatches(glob, text)).toBe(false)
      }
    }
    expect(growth(matching(2000), matching(20_000), 40)).toBeLessThan(40)
  })

  it('row 49: takes a glob of ten thousand stars for one star, and no longer for stars between letters', () => {
    const text = 'a'.repeat(256)
    expect([globMatches('*'.repeat(10_000), text), globMatches(`${'*'.repeat(10_000)}b`, text)]).toEqual([true, false])
    const between = (stars: number) => () => {
      for (let i = 0; i < 20; i++) expect(globMatches(`${'*a'.repeat(stars)}*b`, text.repeat(4))).toBe(false)
    }
    expect(growth(between(50), between(500), 40)).toBeLessThan(40)
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
  /** What is known decides a permit and a forbid alike. */
  const applies = (conditions: Conditions, change: Partial<Circumstances> = {}) => {
    expect(forbids(conditions, change)).toBe(permits(conditions, change))
    return permits(conditions, change)
  }

  it('none: the rule applies', () => {
    expect(applies({})).toBe(true)
  })

  it('addresses: one of the ranges holds the address', () => {
    const addresses = ['10.0.0.0/8', '2001:db8::/32']
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::5'])
      expect(applies({ addresses }, { address })).toBe(true)
    for (const address of ['11.1.2.3', '2001:db9::5']) expect(applies({ addresses }, { address })).toBe(false)
    expect(applies({ addresses: [] })).toBe(false)
  })

  it('row 26: an address that cannot be told is no reason to permit, and no way out of a forbid', () => {
    for (const addresses of [['10.0.0.0/8'], ['0.0.0.0/0', '::/0']]) {
      expect(permits({ addresses }, { address: null })).toBe(false)
      expect(forbids({ addresses }, { address: null })).toBe(true)
    }
  })

  it('agents: one of the globs matches; none given is no reason to permit, and no way out of a forbid', () => {
    const agents = ['postern/*', '*curl*']
    for (const agent of ['postern/2', 'my curl 8']) expect(applies({ agents }, { agent })).toBe(true)
    for (const agent of ['Postern/2', 'xpostern/2', '']) expect(applies({ agents }, { agent })).toBe(false)
    expect([permits({ agents }, { agent: null }), forbids({ agents }, { agent: null })]).toEqual([false, true])
  })

  it('methods: it is one of them', () => {
    const methods = ['session', 'federated'] as const
    expect(METHODS.map((method) => applies({ methods }, { method }))).toEqual([false, true, true])
    expect(applies({ methods: [] })).toBe(false)
  })

  it('bound: the caller proved to have the key', () => {
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

  it('notBefore and notAfter: from the one on, and until the other', () => {
    const [start, end] = [at('10:00:00'), at('11:00:00')]
    const conditions = { notBefore: start, notAfter: end }
    const moments = [start - 1, start, end - 1, end]
    expect(moments.map((now) => applies(conditions, { now }))).toEqual([false, true, true, false])
    expect(applies({ notAfter: 0 })).toBe(false)
    expect(applies({ notBefore: 0 })).toBe(true)
  })

  it('mfaWithinSeconds: a second factor was given, not too long ago; if only that is missing, it is said', () => {
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

  it('a second factor is not asked for where another rule permits without, or one forbids', () => {
    const stepUp = ruleWith('permit', { mfaWithinSeconds: 600 })
    const plain = { ...ruleWith('permit', {}), id: 'plain' }
    const forbid = { ...ruleWith('forbid', {}), id: 'forbid' }
    const asked = about({ mfaAt: null })
    expect(decide(asked, [stepUp, plain])).toEqual({ allow: true, rule: 'plain' })
    expect(decide(asked, [stepUp, forbid])).toEqual({ allow: false, rule: 'forbid' })
  })

  it('several: all must hold', () => {
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
