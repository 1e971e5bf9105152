/**
 * How the store of a vault becomes one of the newest schema, and how a schema that others changed is found.
 *
 * @module
 */

import { MIGRATIONS } from './schema.ts'
import {
  type Difference,
  declaredBy,
  differencesOf,
  digestOf,
  SchemaMismatch,
  type SchemaObject,
  schemaOf,
} from './schema_check.ts'
import type { Sql } from './sql.ts'

/** A table, not PRAGMA user_version: Durable Objects refuse that. */
const MIGRATION_TABLE = 'CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)'

/**
 * Brings a store to the newest schema, in one transaction. Before and after, its schema has to be the one that exactly
 * the migrations so far make: what someone else put there is never run, and never migrated.
 *
 * @param accepted Digests of differences that the operator accepts: see {@link digestOf}.
 * @returns The differences that were accepted; empty for a schema that is ours alone.
 * @throws {SchemaMismatch} for other differences. Nothing was written.
 * @throws {RangeError} when the store is of a newer schema than this code knows.
 */
export function migrate(sql: Sql, now: number, accepted: readonly string[] = []): readonly Difference[] {
  const applied = appliedTo(sql)
  const differences = [...checked(sql, applied, accepted)]
  if (applied === MIGRATIONS.length) return differences
  sql.all(MIGRATION_TABLE)
  return sql.atomic(() => {
    const done = Math.max(0, applied)
    for (const [i, statements] of MIGRATIONS.slice(done).entries()) {
      for (const statement of statements) sql.all(statement)
      sql.all('INSERT INTO migration VALUES (?, ?)', done + i + 1, now)
    }
    return checked(sql, MIGRATIONS.length, accepted)
  })
}

/** The number of migrations that a store has; -1 when it is not a store of Postern. */
function appliedTo(sql: Sql): number {
  if (!isMigrated(sql)) return -1
  let rows: { done: number }[]
  try {
    rows = sql.all<{ done: number }>('SELECT COALESCE(MAX(number), 0) AS done FROM migration')
  } catch {
    // A table of this name that has other columns.
    throw new SchemaMismatch(differencesOf(schemaOf(sql), declaredSchema(MIGRATIONS.length)))
  }
  const done = rows[0]?.done ?? 0
  if (!Number.isSafeInteger(done) || done < 0 || done > MIGRATIONS.length)
    throw new RangeError(`its schema is ${done}, and this Postern knows ${MIGRATIONS.length}`)
  return done
}

/** The message to an operator about a store that {@link migrate} found too new. The subject precedes it. */
export function describeNewer({ message }: RangeError): string {
  return `was written by a newer Postern: ${message}. Start that version, or restore a backup from before the upgrade. Nothing was changed`
}

function checked(sql: Sql, applied: number, accepted: readonly string[]): readonly Difference[] {
  const differences = differencesOf(schemaOf(sql), declaredSchema(applied))
  if (differences.length > 0 && !accepted.includes(digestOf(differences))) throw new SchemaMismatch(differences)
  return differences
}

/**
 * The schema that the first `applied` migrations make in an empty store; none for -1.
 *
 * Cost: the statements are followed once a process and number.
 */
export function declaredSchema(applied: number): readonly SchemaObject[] {
  const known = declared.get(applied)
  if (known !== undefined) return known
  const statements = applied < 0 ? [] : [MIGRATION_TABLE, ...MIGRATIONS.slice(0, applied).flat()]
  const objects = declaredBy(statements)
  declared.set(applied, objects)
  return objects
}

const declared = new Map<number, readonly SchemaObject[]>()

/** Whether a store already holds a vault. It writes nothing. */
export function isMigrated(sql: Sql): boolean {
  return sql.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'migration'").length > 0
}

/**
 * The id of the vault in a store that is of the newest schema, kept once it was given.
 *
 * @param given What its host calls it; `undefined` where the host does not know, as an object that its alarm wakes may not.
 * @throws {RangeError} when it was never given.
 */
export function vaultIdOf(sql: Sql, given: string | undefined): string {
  if (given !== undefined) sql.all("INSERT INTO meta VALUES ('vault', ?) ON CONFLICT DO NOTHING", given)
  const [row] = sql.all<{ value: string }>("SELECT value FROM meta WHERE key = 'vault'")
  if (row === undefined) throw new RangeError('Vault was never given its id')
  return row.value
}
