import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ACTIONS, type AccessRequest, covers, decide, type Rule } from '../../../core/access/policy.ts'

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
  ])('%s does not cover %s', (given, uncovered) => {
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
    /** The least of several times, of several runs each: the least is what noise cannot make smaller. */
    const fastest = (count: number, repeats: number) => {
      const [given, text, longer] = [stars(count), segments(count), segments(count + 1)]
      let least = Number.POSITIVE_INFINITY
      for (let attempt = 0; attempt < 7; attempt++) {
        const start = performance.now()
        for (let i = 0; i < repeats; i++) {
          expect(covers(given, text)).toBe(true)
          expect(covers(given, longer)).toBe(false)
          expect(covers(`${given}/**`, longer)).toBe(true)
        }
        least = Math.min(least, (performance.now() - start) / repeats)
      }
      return least
    }
    fastest(1000, 20)
    expect(fastest(10_000, 10) / fastest(1000, 100)).toBeLessThan(40)
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
