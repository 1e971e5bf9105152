/** The names of a chain's secrets in its stores: prefix, template and table, and the way back. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Member } from '../../../../core/providers/chain.ts'
import { type MappedChain, mappingOf, NameMap } from '../../../../core/providers/name_map.ts'
import { folded, type Naming } from '../../../../core/providers/store_names.ts'
import { refusalFrom } from '../../../support/core.ts'

const NAMINGS: readonly Naming[] = ['aws', 'azure', 'hashicorp', 'http', 'json']

function mapOf(naming: Naming, chain: Partial<MappedChain>, member: Partial<Member> = {}, operatorPrefix = '') {
  const [whole, one] = [
    { resource: '**', ...chain },
    { provider: 'aws' as const, ...member },
  ]
  const map = new NameMap(naming, operatorPrefix, whole, one)
  return Object.assign(map, { checked: () => map.check('members.0', whole, one) })
}

const problem = (found: object) => ('problem' in found ? (found.problem as string) : null)

describe('a table', () => {
  const names = { 'prod/db': 'MyApp/Prod/DB_Password', 'prod/key': 'rds!db-1234' }

  it('gives single secrets names of their own, and leaves the others as they are', () => {
    const map = mapOf('aws', { resource: 'prod/**', names })
    expect(map.place('prod/db')).toEqual({ stored: 'MyApp/Prod/DB_Password' })
    expect(map.place('prod/other')).toEqual({ stored: 'prod/other' })
    for (const name of [...Object.keys(names), 'prod/other']) {
      expect(map.find((map.place(name) as { stored: string }).stored)).toEqual({ name })
    }
    // Its place is elsewhere.
    expect(problem(map.find('prod/db'))).toContain('Names there are')
  })

  it('follows the prefixes', () => {
    const map = mapOf('hashicorp', { names: { db: 'Team A/db ü?' } }, { prefix: 'apps/' }, 'postern/acme/')
    expect(map.place('db')).toEqual({ stored: 'postern/acme/apps/Team A/db ü?' })
    expect(map.find('postern/acme/apps/Team A/db ü?')).toEqual({ name: 'db' })
    expect(map.target('postern/acme/apps/Team A/db ü?')).toBe('Team A/db ü?')
    expect(map.target('postern/other/apps/Team A/db ü?')).toBeNull()
  })

  it.each(['aws', 'azure', 'google', 'hashicorp', 'http', 'json', 'env', 'env-upper'] as const)(
    'is accepted without a prefix at %s',
    (naming) => {
      expect(() => mapOf(naming, {}).checked()).not.toThrow()
      expect(() => mapOf(naming, { template: '{name}' }).checked()).not.toThrow()
    },
  )

  it('gives a place to one secret only', () => {
    const map = mapOf('aws', { names: { 'prod/db': 'prod/old' } })
    expect(map.find('prod/old')).toEqual({ name: 'prod/db' })
    expect(problem(map.place('prod/old'))).toBe("The chain's names give this place to prod/db")
    const azure = mapOf('azure', { names: { 'prod/db': 'Prod--Old' } })
    expect(azure.find('PROD--OLD')).toEqual({ name: 'prod/db' })
    expect(problem(azure.place('prod/old'))).toContain('prod/db')
  })

  it('lets a member name secrets otherwise than its chain', () => {
    const chain = { names: { 'prod/db': 'MyApp/DB_Password', 'prod/x': 'MyApp/X' } }
    const map = mapOf('azure', chain, { names: { 'prod/db': 'MyApp-DB-Password', 'prod/x': 'MyApp-X' } })
    expect(map.place('prod/db')).toEqual({ stored: 'MyApp-DB-Password' })
    expect(map.find('myapp-x')).toEqual({ name: 'prod/x' })
  })

  it('names a secret toString, which every object has', () => {
    expect(mapOf('aws', { names: { a: 'b' } }).place('toString')).toEqual({ stored: 'toString' })
  })

  it.each<[Naming, Partial<MappedChain>, Partial<Member>, string, string]>([
    ['aws', { resource: 'prod/*', names: { 'dev/db': 'x' } }, {}, 'names', 'does not cover dev/db'],
    ['aws', { names: { a: 'x', b: 'x' } }, {}, 'names', 'Names of a and b are one place'],
    ['azure', { names: { a: 'Same', b: 'sAme' } }, {}, 'names', 'Names of a and b are one place'],
    ['azure', { names: { a: 'My_App' } }, {}, 'names', 'letters, digits and hyphens'],
    ['azure', { names: { b: 'c' } }, { names: { a: 'a/b' } }, 'members.0.names', 'letters, digits and hyphens'],
    ['aws', { names: { a: 'DB Password' } }, {}, 'names', '"/_+=.@!-"'],
    ['hashicorp', { names: { a: 'x/../y' } }, {}, 'names', '".."'],
    ['aws', { template: 'My App/{name}' }, {}, 'template', '"/_+=.@!-"'],
    ['azure', { template: 'My-App/{name}' }, { template: 'My.{name}' }, 'members.0.template', 'hyphens'],
    ['aws', { resource: 'prod/db', template: 'x/{rest}' }, {}, 'template', 'Use names'],
    ['azure', {}, { prefix: 'a/' }, 'members.0.prefix', 'Prefix must be in characters of'],
  ])('for %s is refused: %j, %j', (naming, chain, member, field, message) => {
    const error = refusalFrom(() => mapOf(naming, chain, member).checked())
    expect([error.code, error.detail.field]).toEqual(['bad_request', field])
    expect(error.message).toContain(message)
  })
})

describe('a template', () => {
  it.each<[Naming, string, string, string, string]>([
    ['aws', 'aws/**', 'MyApp/{rest}', 'aws/Prod/db', 'MyApp/Prod/db'],
    ['aws', 'aws/**', 'MyApp/{name}', 'aws/db', 'MyApp/aws/db'],
    ['aws', '**', '{rest}.v1', 'prod/db', 'prod/db.v1'],
    ['azure', 'kv/**', 'MyApp-{rest}-x', 'kv/prod/db', 'MyApp-prod--db-x'],
    ['hashicorp', 'v/*/db', 'Team A/{rest}', 'v/eu/db', 'Team A/eu/db'],
    ['http', '*/b/**', '{rest} ü', 'a/b/c', 'a/b/c ü'],
  ])('in %s writes names of %s by %s', (naming, resource, template, name, stored) => {
    const map = mapOf(naming, { resource, template })
    map.checked()
    expect(map.place(name)).toEqual({ stored })
    expect(map.find(stored)).toEqual({ name })
  })

  it('tells what keeps a name of the store from being one of the chain', () => {
    const map = mapOf('hashicorp', { resource: 'aws/**', template: 'MyApp/{rest}' })
    expect(problem(map.find('Other/x'))).toBe('Name does not fit the template of the chain')
    expect(problem(map.find('MyApp/'))).not.toBeNull()
    expect(problem(map.find('MyApp/a b'))).not.toBeNull()
    expect(problem(mapOf('aws', { resource: 'prod/*' }).find('dev/db'))).toBe('Pattern prod/* does not cover dev/db')
  })

  it('narrows a list to what may match', () => {
    const map = mapOf('aws', { resource: 'aws/**', template: 'MyApp/{rest}', names: { 'aws/x/y': 'MyApp/xylophone' } })
    expect(map.listPrefix('')).toBe('')
    expect(map.listPrefix('aws/')).toBe('MyApp/')
    expect(map.listPrefix('aws/p')).toBe('MyApp/p')
    expect(map.listPrefix('aws/x/')).toBe('MyApp/x')
    expect(mapOf('azure', { template: 'T-{name}' }).listPrefix('prod/')).toBe('t-prod--')
  })
})

describe.each(NAMINGS)('any map of %s', { timeout: 60_000 }, (naming) => {
  const segment = fc.stringMatching(/^[A-Za-z0-9_.][A-Za-z0-9_.+=@-]{0,6}$/).filter((text) => !/^\.{1,2}$/.test(text))
  const name = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'))
  const piece = fc.oneof(
    fc.constantFrom(
      '',
      '/',
      '.',
      '..',
      '../',
      '-',
      '--',
      '%2e',
      '%2f',
      '%252e',
      '\\',
      '?',
      '#',
      ';',
      ' ',
      '..;',
      '.. ',
      'x',
      'ü',
      'X/',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  )
  const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''))
  const chain = fc.record({
    resource: fc.constant('**'),
    template: fc.tuple(text, fc.constantFrom('{name}', '{rest}'), text).map((parts) => parts.join('')),
    names: fc.dictionary(name, text, { maxKeys: 3 }),
  })
  const operatorPrefix = naming === 'azure' ? 'postern--acme--' : 'postern/acme/'

  it('reaches nothing outside of the prefix of the operator, however often a server decodes the path', () => {
    let placed = 0
    fc.assert(
      fc.property(chain, text, name, (given, prefix, asked) => {
        const map = mapOf(naming, given, { prefix }, operatorPrefix)
        for (const one of [asked, ...Object.keys(given.names)]) {
          const place = map.place(one)
          if ('problem' in place) continue
          placed++
          expect(place.stored.startsWith(operatorPrefix)).toBe(true)
          // AWS has no paths: a name there is a text of a body.
          if (naming === 'aws') continue
          let path = place.stored.split('/').map(encodeURIComponent).join('/')
          for (let times = 0; times < 4; times++) {
            expect(new URL(`https://store.example/${path}`).pathname.startsWith(`/${operatorPrefix}`)).toBe(true)
            try {
              path = decodeURIComponent(path)
            } catch {
              break
            }
          }
        }
      }),
      { numRuns: 500 },
    )
    expect(placed).toBeGreaterThan(20)
  })

  it('gives each secret a place of its own, and finds it there', () => {
    fc.assert(
      fc.property(chain, fc.array(name, { maxLength: 8 }), (given, asked) => {
        const map = mapOf(naming, given)
        try {
          map.checked()
        } catch {
          return
        }
        const owners = new Map<string, string>()
        for (const one of new Set([...asked, ...Object.keys(given.names), ...Object.values(given.names)])) {
          if (!/^[A-Za-z0-9_./+=@-]+$/.test(one)) continue
          const place = map.place(one)
          if ('problem' in place) continue
          const at = folded(naming, place.stored)
          expect([owners.get(at) ?? one, at]).toEqual([one, at])
          owners.set(at, one)
        }
      }),
      { numRuns: 300 },
    )
  })
})

it('tells when a chain no longer writes a name to the same place', () => {
  const member = { provider: 'aws' } as const
  const plain = { resource: 'a/**' }
  expect(mappingOf(plain, member, 'a/b')).toBeUndefined()
  const texts = [
    mappingOf({ ...plain, names: { 'a/b': 'X' } }, member, 'a/b'),
    mappingOf({ ...plain, names: { 'a/b': 'Y' } }, member, 'a/b'),
    mappingOf({ ...plain, template: 'x/{rest}' }, member, 'a/b'),
    mappingOf({ resource: 'a/b/**', template: 'x/{rest}' }, member, 'a/b/c'),
    mappingOf(plain, { ...member, template: 'y/{rest}' }, 'a/b'),
  ]
  expect(new Set([undefined, ...texts]).size).toBe(6)
})
