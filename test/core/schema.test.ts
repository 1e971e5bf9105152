import { describe, expect, it } from 'vitest'
import { migrate } from '../../core/schema.ts'
import type { Sql } from '../../core/sql.ts'
import { openSqlite } from '../../worker/sqlite.ts'

const schemaOf = (sql: Sql) =>
  sql.all<{ sql: string }>('SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name')
const migrationsOf = (sql: Sql) =>
  sql.all<{ number: number; at: number }>('SELECT number, applied_at AS at FROM migration')

describe('migrate', () => {
  it('makes every table of a new store, and notes when', () => {
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

  it('does nothing the second time, and loses nothing', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, 1000)
    const [schema, migrations] = [schemaOf(sql), migrationsOf(sql)]
    sql.all("INSERT INTO meta VALUES ('key', 'kept')")
    migrate(sql, 2000)
    expect(schemaOf(sql)).toEqual(schema)
    expect(migrationsOf(sql)).toEqual(migrations)
    expect(sql.all('SELECT value FROM meta')).toEqual([{ value: 'kept' }])
  })

  it('refuses a store of a newer schema, and leaves it as it is', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, 1000)
    const newest = migrationsOf(sql).length
    sql.all('INSERT INTO migration VALUES (?, ?)', newest + 1, 1500)
    const [schema, migrations] = [schemaOf(sql), migrationsOf(sql)]
    expect(() => migrate(sql, 2000)).toThrow(RangeError)
    expect(schemaOf(sql)).toEqual(schema)
    expect(migrationsOf(sql)).toEqual(migrations)
  })

  it('leaves no half of a schema when it fails in the middle', () => {
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

  it('gives blobs back as Uint8Array and keeps integers below 2^53 exact', () => {
    const sql = openSqlite(':memory:')
    const [row] = sql.all<{ b: Uint8Array; n: number }>('SELECT ? AS b, ? AS n', Uint8Array.of(1, 2), 2 ** 53 - 1)
    expect(row!.b).toEqual(Uint8Array.of(1, 2))
    expect(row!.n).toBe(2 ** 53 - 1)
  })
})
