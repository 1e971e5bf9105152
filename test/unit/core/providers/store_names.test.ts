import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isName } from '../../../../core/name_grammar.ts'
import { parseName } from '../../../../core/names.ts'
import { NameMap } from '../../../../core/providers/name_map.ts'
import { ProviderFailure } from '../../../../core/providers/provider.ts'
import { checkStoreName, type Naming, storeName } from '../../../../core/providers/store_names.ts'
import { refusalFrom, shownBy } from '../../../support/core.ts'

const NAMINGS: readonly Naming[] = ['aws', 'azure', 'google', 'hashicorp', 'http', 'json', 'env', 'env-upper']
/** Prefixes that each store could be given. */
const PREFIXES: Record<Naming, readonly string[]> = {
  aws: ['', 'postern/', 'team-', 'a.b_c='],
  azure: ['', 'Postern-', 'team--'],
  google: ['', 'Postern-', 'team--'],
  hashicorp: ['', 'apps/', 'team-'],
  http: ['', 'apps/'],
  json: ['', 'apps/'],
  env: ['', 'APP_', 'app.'],
  'env-upper': ['', 'APP_', 'X__'],
}

const segment = fc.oneof(
  fc.stringMatching(/^[a-z0-9](?:[a-z0-9_.-]{0,10}[a-z0-9])?$/),
  fc.stringMatching(/^[ab_](?:[ab_-]{0,4})$/),
  fc.stringMatching(/^[A-Za-z0-9_.][A-Za-z0-9_.+=@-]{0,10}$/),
)
const name = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('/'))
  .filter(isName)

/** The secret that a name in a store belongs to, or `null`. */
function secretName(naming: Naming, stored: string, prefix = ''): string | null {
  const found = new NameMap(naming, prefix, { resource: '**' }, { provider: 'aws' }).find(stored)
  return 'name' in found ? found.name : null
}

/** The store's name, or `null` when the store can have none. */
function written(naming: Naming, text: string, prefix: string): string | null {
  try {
    return storeName(naming, text, prefix)
  } catch {
    expect(refusalFrom(() => storeName(naming, text, prefix)).code).toBe('bad_request')
    return null
  }
}

describe.each(NAMINGS)('names of %s', { timeout: 60_000 }, (naming) => {
  const prefix = fc.constantFrom(...PREFIXES[naming])

  it('map back to the secret that they were made from', () => {
    let mapped = 0
    fc.assert(
      fc.property(name, prefix, (text, start) => {
        const stored = written(naming, parseName(text), start)
        if (stored === null) return
        mapped++
        expect(secretName(naming, stored, start)).toBe(text)
        expect(() => checkStoreName(naming, stored)).not.toThrow()
      }),
      { numRuns: 600 },
    )
    expect(mapped).toBeGreaterThan(50)
  })

  it('are distinct for distinct secrets, even where case is folded', () => {
    const alike = fc
      .tuple(segment, segment, fc.constantFrom('/', '-', '--', '_', '__', '.', ''))
      .map(([a, b, glue]) => `${a}${glue}${b}`)
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            name,
            alike.filter((text) => safeName(text)),
          ),
          { minLength: 2, maxLength: 12 },
        ),
        prefix,
        (texts, start) => {
          const stored = new Map<string, string>()
          for (const text of new Set(texts)) {
            const place = written(naming, text, start)
            // Azure ignores case.
            const one = naming === 'azure' ? place?.toLowerCase() : place
            if (one === null || one === undefined) continue
            expect(stored.get(one)).toBeUndefined()
            stored.set(one, text)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('map back to a secret only when they are the name that it would get', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), prefix, (text, start) => {
        const secret = secretName(naming, start + text, start)
        if (secret !== null) expect(storeName(naming, secret, start).toLowerCase()).toBe((start + text).toLowerCase())
      }),
      { numRuns: 200 },
    )
    expect(secretName(naming, 'unrelated name', PREFIXES[naming].at(-1))).toBeNull()
    for (const text of ['', '..', '../x', 'a//b', '__proto__', 'constructor'])
      expect(secretName(naming, text)).toBeNull()
  })
})

function safeName(text: string): boolean {
  try {
    return parseName(text) === text
  } catch {
    return false
  }
}

describe('storeName', () => {
  it.each<[Naming, string, string]>([
    ['aws', 'prod/db', 'prod/db'],
    ['aws', 'prod/db.main_1', 'prod/db.main_1'],
    ['aws', 'MyApp/Prod/DB_Password', 'MyApp/Prod/DB_Password'],
    ['hashicorp', 'team/App-Config', 'team/App-Config'],
    ['json', '.env+x=y@z', '.env+x=y@z'],
    ['aws', 'a-12345', 'a-12345'],
    ['aws', 'a-1234567', 'a-1234567'],
    // It ends like an ARN.
    ['aws', 'prod/db-abc123', 'prod/db-abc123'],
    ['aws', 'team-secret', 'team-secret'],
    ['azure', 'prod/db', 'prod--db'],
    ['azure', 'prod/db-main', 'prod--db-main'],
    ['hashicorp', 'prod/db.v1', 'prod/db.v1'],
    ['env', 'DATABASE_URL', 'DATABASE_URL'],
    ['env', 'database_url', 'database_url'],
    ['env', '1A.b-c__d', '1A.b-c__d'],
    ['env-upper', 'database_url', 'DATABASE_URL'],
    ['env-upper', 'prod/db', 'PROD__DB'],
  ])('in %s maps %s to %s', (naming, text, stored) => {
    expect(storeName(naming, text)).toBe(stored)
  })

  it.each<[Naming, string, string]>([
    ['azure', 'prod.db', 'a period'],
    ['azure', 'prod_db', 'an underscore'],
    ['azure', 'prod--db', 'what a slash becomes'],
    ['azure', `${'a'.repeat(100)}/${'b'.repeat(30)}`, 'more than 127 characters'],
    ['env-upper', 'prod-db', 'a hyphen'],
    ['env-upper', 'prod.db', 'a period'],
    ['env-upper', 'prod__db', 'what a slash becomes'],
    ['azure', 'Prod/db', 'upper case, which the store ignores'],
    ['azure', 'prod-/db', 'a hyphen before a slash'],
    ['azure', 'prod+db', 'a plus'],
    ['env-upper', 'PROD/db', 'upper case'],
    ['env-upper', 'prod_/db', 'an underscore before a slash'],
    ['env-upper', 'prod/_db', 'an underscore behind a slash'],
    ['env-upper', 'prod@db', 'an at sign'],
    ['hashicorp', 'prod/a..b', 'two periods'],
    ['env-upper', '1password', 'a digit first'],
    ['env', 'prod/db', 'a slash'],
    ['env', 'prod+db', 'a plus'],
    ['env', 'prod@db', 'an at sign'],
  ])('in %s has no name for %s: it has %s', (naming, text) => {
    const error = refusalFrom(() => storeName(naming, text))
    expect([error.code, error.detail.field]).toEqual(['bad_request', 'name'])
    expect(shownBy(error)).not.toContain(text)
  })

  it('proposes the form of 0.1 for a name that a .env file cannot have', () => {
    expect(refusalFrom(() => storeName('env', 'prod/db')).message).toMatch(/POSTERN_PROVIDERS__FILE_NAMES to upper$/)
    expect(refusalFrom(() => storeName('env-upper', 'prod.db')).message).not.toContain('FILE_NAMES')
  })

  it('counts the prefix, and checks the whole name', () => {
    expect(refusalFrom(() => storeName('azure', 'a'.repeat(120), 'p'.repeat(10))).code).toBe('bad_request')
    for (const prefix of [
      '../',
      'a/../',
      'a%2f',
      'a%2E%2e/',
      '%252e',
      'a\\',
      'a\n',
      'a\u00a0',
      'a\u200d',
      '/',
      'a//',
    ]) {
      expect(refusalFrom(() => storeName('hashicorp', 'x', prefix)).code).toBe('bad_request')
    }
  })

  it('reads names of Azure case-insensitively', () => {
    expect(secretName('azure', 'POSTERN-Prod--DB', 'postern-')).toBe('prod/db')
  })
})

describe('checkStoreName', () => {
  it('throws a ProviderFailure', () => {
    for (const naming of NAMINGS) {
      try {
        checkStoreName(naming, 'canary\nvalue')
        expect.unreachable()
      } catch (error) {
        expect(error).toBeInstanceOf(ProviderFailure)
        expect([(error as ProviderFailure).kind, (error as ProviderFailure).message]).toEqual([
          'invalid',
          'Provider failed: invalid',
        ])
      }
    }
  })

  it('takes linear time for any name', () => {
    const hostile = [
      '/'.repeat(100_000),
      '.'.repeat(100_000),
      './'.repeat(50_000),
      `${'a/'.repeat(50_000)}..`,
      '-a'.repeat(50_000),
    ]
    for (const naming of NAMINGS)
      for (const text of hostile) expect(() => checkStoreName(naming, text)).toThrow(ProviderFailure)
  })
})
