import { describe, expect, it } from 'vitest'
import { declaredSchema, migrate } from '../../../../core/vault/migrate.ts'
import { NEWEST_SCHEMA, TABLES } from '../../../../core/vault/schema.ts'
import { declaredBy, digestOf, SchemaMismatch, schemaOf as schemaRows } from '../../../../core/vault/schema_check.ts'
import type { Sql } from '../../../../core/vault/sql.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'

const schemaOf = (sql: Sql) =>
  sql.all<{ sql: string }>('SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name')
const migrationsOf = (sql: Sql) =>
  sql.all<{ number: number; at: number }>('SELECT number, applied_at AS at FROM migration')

describe('migrate', () => {
  it('creates every table of a new store, and records the time', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, 1000)
    const tables = sql.all<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    const names = [
      'entry',
      'hash',
      'idempotency',
      'meta',
      'migration',
      'principal',
      'rule',
      'secret',
      'token',
      'version',
    ]
    expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(names))
    const applied = migrationsOf(sql)
    expect(applied.length).toBeGreaterThan(0)
    expect(applied.map(({ number }) => number)).toEqual(applied.map((_, i) => i + 1))
    expect(applied.every(({ at }) => at === 1000)).toBe(true)
  })

  it('does nothing the second time', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, 1000)
    const [schema, migrations] = [schemaOf(sql), migrationsOf(sql)]
    sql.all("INSERT INTO meta VALUES ('key', 'kept')")
    migrate(sql, 2000)
    expect(schemaOf(sql)).toEqual(schema)
    expect(migrationsOf(sql)).toEqual(migrations)
    expect(sql.all('SELECT value FROM meta')).toEqual([{ value: 'kept' }])
  })

  it('refuses a store of a newer schema, and leaves it unchanged', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, 1000)
    const newest = migrationsOf(sql).length
    sql.all('INSERT INTO migration VALUES (?, ?)', newest + 1, 1500)
    const [schema, migrations] = [schemaOf(sql), migrationsOf(sql)]
    expect(() => migrate(sql, 2000)).toThrow(RangeError)
    expect(schemaOf(sql)).toEqual(schema)
    expect(migrationsOf(sql)).toEqual(migrations)
  })

  it('leaves no partial schema after a failure midway', () => {
    const sql = openSqlite(':memory:')
    const failing: Sql = {
      all: (query, ...params) => {
        if (query.startsWith('CREATE TABLE idempotency')) throw new Error('disk full')
        return sql.all(query, ...params)
      },
      atomic: (fn) => sql.atomic(fn),
      scrub: () => sql.scrub(),
    }
    expect(() => migrate(failing, 1000)).toThrow('disk full')
    expect(migrationsOf(sql)).toEqual([])
    migrate(sql, 2000)
    expect(migrationsOf(sql).every(({ at }) => at === 2000)).toBe(true)
    expect(sql.all('SELECT * FROM idempotency')).toEqual([])
  })
})

describe('the schema of a store', () => {
  it('is declared as SQLite writes it, after each migration', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, 1000)
    expect(schemaRows(sql)).toEqual([...declaredSchema(NEWEST_SCHEMA)].sort((a, b) => (a.name < b.name ? -1 : 1)))
  })

  it('is followed through forms that no migration combines', () => {
    const statements = [
      "CREATE TABLE one (a INTEGER PRIMARY KEY, b TEXT CHECK (b IN ('x, y', 'z')), UNIQUE (a, b)) WITHOUT ROWID",
      'CREATE TABLE two (\n  a INTEGER\n)',
      'CREATE INDEX two_by_a ON two (a)',
      'ALTER TABLE one ADD COLUMN c TEXT',
      'ALTER TABLE one ADD COLUMN d INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE two ADD COLUMN b TEXT',
      'DROP INDEX two_by_a',
      'CREATE TABLE three (a)',
      'CREATE UNIQUE INDEX three_by_a ON three (a) WHERE a IS NOT NULL',
      'DROP TABLE three',
      'CREATE TABLE four (a)',
      'ALTER TABLE four RENAME TO five',
    ]
    const sql = openSqlite(':memory:')
    for (const statement of statements) sql.all(statement)
    expect(declaredBy(statements).sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(schemaRows(sql))
    expect(() => declaredBy(['CREATE VIEW v AS SELECT 1'])).toThrow(RangeError)
  })

  const changes: [string, string, string][] = [
    ['a trigger', 'CREATE TRIGGER upkeep AFTER INSERT ON session BEGIN DELETE FROM rule; END', 'trigger upkeep added'],
    ['a view', 'CREATE VIEW everything AS SELECT * FROM version', 'view everything added'],
    ['an index', 'CREATE INDEX mine ON entry (body)', 'index mine added'],
    ['a table', 'CREATE TABLE notes (n)', 'table notes added'],
    ['a column', 'ALTER TABLE rule ADD COLUMN more TEXT', 'table rule changed'],
    ['an index that is gone', 'DROP INDEX token_by_principal', 'index token_by_principal missing'],
    [
      'an index that is another',
      'DROP INDEX run_active; CREATE INDEX run_active ON run (secret)',
      'index run_active changed',
    ],
    [
      'a trigger with a name of Durable Objects',
      'CREATE TRIGGER _cf_upkeep AFTER INSERT ON migration BEGIN DELETE FROM rule; END',
      'trigger _cf_upkeep added',
    ],
  ]
  it.each(changes)('row 77: with %s is not migrated, and nothing is written', (_, change, named) => {
    const sql = openSqlite(':memory:')
    migrate(sql, 1000)
    for (const statement of change.includes('BEGIN') ? [change] : change.split(';')) sql.all(statement)
    const before = [schemaRows(sql), migrationsOf(sql)]
    const error = mismatchOf(() => migrate(sql, 2000))
    expect(error.differences.map(({ type, name, kind }) => `${type} ${name} ${kind}`)).toEqual([named])
    expect([schemaRows(sql), migrationsOf(sql)]).toEqual(before)
    expect(migrate(sql, 2000, [digestOf(error.differences)])).toEqual(error.differences)
    expect(() => migrate(sql, 2000, [digestOf([])])).toThrow(SchemaMismatch)
  })

  it('row 77: is compared without the tables of SQLite and Durable Objects, but with triggers and views on them', () => {
    const names = ['sqlite_upkeep', '_cf_upkeep', '__miniflare_upkeep', 'ours']
    const rows = ['table', 'index', 'trigger', 'view'].flatMap((type) =>
      names.map((name) => ({ type, name, table: name, sql: `CREATE ${type}` })),
    )
    const automatic = { type: 'index', name: 'sqlite_autoindex_ours_1', table: 'ours', sql: null }
    const sql = { all: () => [...rows, automatic] } as unknown as Sql
    const left = schemaRows(sql).map(({ type, name }) => `${type} ${name}`)
    expect(left).toEqual([
      'table ours',
      // One of SQLite's own has no statement.
      'index sqlite_upkeep',
      'index ours',
      ...names.map((name) => `trigger ${name}`),
      ...names.map((name) => `view ${name}`),
    ])
  })

  it('row 77: is compared before an older store is migrated: no trigger sees the migration', () => {
    const sql = openSqlite(':memory:')
    sql.all('CREATE TABLE migration (number INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)')
    sql.all('CREATE TABLE seen (n)')
    sql.all('CREATE TRIGGER witness AFTER INSERT ON migration BEGIN INSERT INTO seen VALUES (NEW.number); END')
    expect(mismatchOf(() => migrate(sql, 1000)).differences.map(({ name }) => name)).toEqual(['seen', 'witness'])
    expect(sql.all('SELECT * FROM seen')).toEqual([])
  })

  it('row 77: is not mistaken for an empty store when another program made it', () => {
    const sql = openSqlite(':memory:')
    sql.all('CREATE TABLE invoices (n)')
    expect(() => migrate(sql, 1000)).toThrow(SchemaMismatch)
    expect(schemaRows(sql).map(({ name }) => name)).toEqual(['invoices'])
  })

  it('classifies each table as access, live or neither', () => {
    const tables = declaredSchema(NEWEST_SCHEMA).filter(({ type }) => type === 'table')
    expect(Object.keys(TABLES).sort()).toEqual(tables.map(({ name }) => name).sort())
  })

  function mismatchOf(work: () => unknown): SchemaMismatch {
    try {
      work()
    } catch (error) {
      if (error instanceof SchemaMismatch) return error
    }
    throw new Error('Schema was taken')
  }
})

describe('the storage port over SQLite', () => {
  it('undoes all of a transaction that throws, and throws the same', () => {
    const sql = openSqlite(':memory:')
    sql.all('CREATE TABLE t (n INTEGER)')
    const mistake = new TypeError('mine')
    expect(() =>
      sql.atomic(() => {
        sql.all('INSERT INTO t VALUES (1)')
        throw mistake
      }),
    ).toThrow(mistake)
    expect(sql.all('SELECT n FROM t')).toEqual([])
    expect(sql.atomic(() => sql.all('INSERT INTO t VALUES (2) RETURNING n'))).toEqual([{ n: 2 }])
  })

  it('returns blobs as Uint8Array and integers below 2^53 exactly', () => {
    const sql = openSqlite(':memory:')
    const [row] = sql.all<{ b: Uint8Array; n: number }>('SELECT ? AS b, ? AS n', Uint8Array.of(1, 2), 2 ** 53 - 1)
    expect(row!.b).toEqual(Uint8Array.of(1, 2))
    expect(row!.n).toBe(2 ** 53 - 1)
  })
})
