/**
 * Conditions on the claims of a token, by name and by JSON pointer.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { claimOf, textOf, unmetConditions } from '../../../core/claim_conditions.ts'

const claims = {
  sub: 'system:serviceaccount:prod:api',
  groups: ['developers', 'admins'],
  'kubernetes.io': { namespace: 'prod', serviceaccount: { name: 'api', uid: '2f0d' }, warnafter: 1_700_000_000 },
  'oidc.circleci.com/project-id': 'c9a1',
  'oidc.circleci.com/context-ids': ['c1', 'c2'],
  'https://sts.amazonaws.com/': { aws_account: '123456789012', principal_tags: { 'a/b~c': 'yes' } },
  '/odd': 'slash',
  '': 'empty',
  mixed: ['x', 7, true, null, ['y'], { z: 'z' }],
  none: null,
  nested: { list: [{ id: 'first' }, { id: 'second' }] },
}

const isMet = (name: string, ...globs: string[]) => unmetConditions(claims, { [name]: globs }).length === 0

describe('unmetConditions', () => {
  it.each([
    ['a claim by its name', 'sub', 'system:serviceaccount:prod:*'],
    ['a name with slashes within', 'oidc.circleci.com/project-id', 'c9a1'],
    ['one text of a list', 'groups', 'admins'],
    ['one text of a list by a glob', 'oidc.circleci.com/context-ids', 'c2*'],
    ['a number and a boolean of a list', 'mixed', '7'],
    ['a claim by a pointer', '/sub', 'system:serviceaccount:prod:api'],
    ['a nested claim', '/kubernetes.io/serviceaccount/uid', '2f0d'],
    ['a nested number', '/kubernetes.io/warnafter', '1700000000'],
    ['a key with a slash, escaped', '/https:~1~1sts.amazonaws.com~1/aws_account', '123456789012'],
    ['a key with a slash and a tilde, escaped', '/https:~1~1sts.amazonaws.com~1/principal_tags/a~1b~0c', 'yes'],
    ['a claim whose name begins with a slash', '/~1odd', 'slash'],
    ['a list by a pointer', '/groups', 'developers'],
    ['an item of a list', '/groups/1', 'admins'],
    ['a member of an item', '/nested/list/1/id', 'second'],
    ['an empty key', '/', 'empty'],
  ])('accepts %s', (_, name, glob) => {
    expect(isMet(name, 'no', glob)).toBe(true)
    expect(isMet(name, 'no')).toBe(false)
  })

  it.each([
    ['a claim that is missing', 'group'],
    ['a pointer without its leading slash', 'kubernetes.io/namespace'],
    ['an object', 'kubernetes.io'],
    ['an object by a pointer', '/kubernetes.io/serviceaccount'],
    ['null', 'none'],
    ['a member of a text', '/sub/length'],
    ['the length of a list', '/groups/length'],
    ['an item beyond a list', '/groups/2'],
    ['an index with a leading zero', '/groups/01'],
    ['the item after the last', '/groups/-'],
    ['a method of every list', '/groups/at'],
    ['a member of null', '/none/x'],
    ['what every object has', 'toString'],
    ['what every object has, by a pointer', '/kubernetes.io/constructor/name'],
    ['an object in a list', '/mixed/5'],
    ['a plain name that begins with a slash', '/odd'],
    ['another case', 'SUB'],
  ])('does not accept %s', (_, name) => {
    expect(isMet(name, '*')).toBe(false)
  })

  it('names each condition that is not met, in their order', () => {
    expect(
      unmetConditions(claims, { sub: ['no'], groups: ['admins'], '/kubernetes.io/namespace': ['dev'], x: ['*'] }),
    ).toEqual(['sub', '/kubernetes.io/namespace', 'x'])
    expect(unmetConditions(claims, {})).toEqual([])
  })

  it('does not take a list of many texts for the texts joined', () => {
    expect(unmetConditions({ groups: ['a', 'b'] }, { groups: ['a,b', 'ab', 'a b', '["a","b"]'] })).toEqual(['groups'])
  })
})

describe('claimOf', () => {
  it.each([
    ['sub', 'sub'],
    ['a/b', 'a/b'],
    ['/aud/0', 'aud'],
    ['/iss', 'iss'],
    ['/a~1b/c', 'a/b'],
    ['/', ''],
  ])('finds that %s is about %j', (condition, claim) => {
    expect(claimOf(condition)).toBe(claim)
  })
})

describe('textOf', () => {
  it('has no text for a number that two ids share after parsing', () => {
    expect(JSON.parse('12345678901234567890')).toBe(JSON.parse('12345678901234567891'))
    expect(textOf(JSON.parse('12345678901234567890'))).toBeNull()
    expect(textOf(JSON.parse('-9007199254740993'))).toBeNull()
    expect(textOf(Number.NaN)).toBeNull()
    expect([textOf(Number.MAX_SAFE_INTEGER), textOf(-1.5), textOf(false)]).toEqual([
      '9007199254740991',
      '-1.5',
      'false',
    ])
  })
})
