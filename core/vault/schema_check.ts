/**
 * Checks that a store has the schema that its migrations make, and nothing else. A foreign trigger would change rows in
 * our transactions, and survive upgrades, copies and backups.
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import canonicalize from 'canonicalize'
import { type Bytes, base64url, utf8 } from '../bytes.ts'
import { printable } from '../sanitize.ts'
import type { Sql } from './sql.ts'

/** One row of `sqlite_master`. */
export interface SchemaObject {
  type: string
  name: string
  /** The table that an index or a trigger belongs to; of a table or a view, its own name. */
  table: string
  /** The statement that made it; `null` for the indexes that SQLite makes for a constraint. */
  sql: string | null
}

/** How one object differs from what the migrations make. */
export interface Difference extends SchemaObject {
  kind: 'added' | 'changed' | 'missing'
}

/** Thrown instead of writing to a store whose schema is not the migrations' own. Nothing was written. */
export class SchemaMismatch extends Error {
  override readonly name = 'SchemaMismatch'
  readonly differences: readonly Difference[]

  constructor(differences: readonly Difference[]) {
    super('Schema of the store is not the one that its migrations make')
    this.differences = differences
  }
}

/** The schema of a store, without what SQLite and Durable Objects keep for themselves. */
export function schemaOf(sql: Sql): SchemaObject[] {
  const found = sql.all<SchemaObject>(
    'SELECT type, name, tbl_name AS "table", sql FROM sqlite_master ORDER BY name, type',
  )
  return found.filter((one) => !isInternal(one))
}

/** The prefixes of tables that Durable Objects and `wrangler dev` add. */
const OF_THE_HOST = ['_cf_', '__miniflare_']

/** A trigger or a view runs statements under any name; an index that SQLite made itself has no statement. */
function isInternal({ type, name, sql }: SchemaObject): boolean {
  if (type !== 'table' && type !== 'index') return false
  return (
    OF_THE_HOST.some((prefix) => name.startsWith(prefix)) ||
    (name.startsWith('sqlite_') && (type === 'table' || sql === null))
  )
}

/** Compares a schema with another, object by object and letter by letter. */
export function differencesOf(found: readonly SchemaObject[], declared: readonly SchemaObject[]): Difference[] {
  const keyOf = ({ type, name }: SchemaObject) => `${type} ${name}`
  const theirs = new Map(found.map((one) => [keyOf(one), one]))
  const ours = new Map(declared.map((one) => [keyOf(one), one]))
  const missing = declared.filter((one) => !theirs.has(keyOf(one)))
  const others = found.flatMap((one): Difference[] => {
    const own = ours.get(keyOf(one))
    if (own === undefined) return [{ ...one, kind: 'added' }]
    return own.sql === one.sql && own.table === one.table ? [] : [{ ...one, kind: 'changed' }]
  })
  return [...others, ...missing.map((one): Difference => ({ ...one, kind: 'missing' }))]
}

/** Names exactly these differences: 43 characters of base64url. */
export function digestOf(differences: readonly Difference[]): string {
  const sorted = differences.map((one) => canonicalize(one) ?? '').sort()
  return base64url(sha256(utf8(JSON.stringify(sorted))) as Bytes)
}

/** Describes a difference for an operator: `trigger "upkeep" on "session" added`. */
export function describeDifference({ kind, type, name, table }: Difference): string {
  const short = (text: string) => JSON.stringify(printable(text.slice(0, 100)))
  return `${type} ${short(name)}${table === name ? '' : ` on ${short(table)}`} ${kind}`
}

/**
 * The schema that statements make in an empty database, as SQLite writes it into `sqlite_master`. A Durable Object has no
 * second database to try them in, so they are followed here; tests compare the result with each engine's own.
 *
 * @throws {RangeError} for a statement about the schema of a form that no migration has used yet.
 */
export function declaredBy(statements: readonly string[]): SchemaObject[] {
  const objects = new Map<string, SchemaObject>()
  for (const statement of statements) follow(statement, objects)
  return [...objects.values()]
}

const CREATE_TABLE = /^CREATE TABLE (?:IF NOT EXISTS )?((\w+) [\s\S]+)$/
const CREATE_INDEX = /^CREATE (UNIQUE )?INDEX ((\w+) ON (\w+) [\s\S]+)$/
const ADD_COLUMN = /^ALTER TABLE (\w+) ADD COLUMN (\S[\s\S]*\S)$/
const RENAME_TABLE = /^ALTER TABLE (\w+) RENAME TO (\w+)$/
const DROP_TABLE = /^DROP TABLE (\w+)$/
const DROP_INDEX = /^DROP INDEX (\w+)$/

function follow(statement: string, objects: Map<string, SchemaObject>): void {
  const wanted = (name: string | undefined): SchemaObject => {
    const found = objects.get(name ?? '')
    if (found === undefined) throw new RangeError('Migration names an object that no earlier one made')
    return found
  }
  const [, table, tableName] = CREATE_TABLE.exec(statement) ?? []
  const [, unique = '', index, indexName, indexed] = CREATE_INDEX.exec(statement) ?? []
  const [, altered, column] = ADD_COLUMN.exec(statement) ?? []
  const [, before, after] = RENAME_TABLE.exec(statement) ?? []
  const [, dropped] = DROP_TABLE.exec(statement) ?? DROP_INDEX.exec(statement) ?? []
  if (tableName !== undefined) {
    objects.set(tableName, { type: 'table', name: tableName, table: tableName, sql: `CREATE TABLE ${table}` })
  } else if (indexName !== undefined && indexed !== undefined) {
    objects.set(indexName, { type: 'index', name: indexName, table: indexed, sql: `CREATE ${unique}INDEX ${index}` })
  } else if (altered !== undefined && column !== undefined) {
    const found = wanted(altered)
    objects.set(altered, { ...found, sql: withColumn(found.sql ?? '', column) })
  } else if (before !== undefined && after !== undefined) {
    const found = wanted(before)
    const sql = (found.sql ?? '').replace(`CREATE TABLE ${before} `, `CREATE TABLE "${after}" `)
    objects.delete(before)
    objects.set(after, { type: 'table', name: after, table: after, sql })
  } else if (dropped !== undefined) {
    wanted(dropped)
    for (const one of [...objects.values()]) if (one.table === dropped || one.name === dropped) objects.delete(one.name)
  } else if (!/^(?:INSERT|UPDATE|DELETE) /.test(statement)) throw new RangeError('Migration has an unknown form')
}

/** SQLite puts a new column behind the last one: before the constraints of the table, or before the closing parenthesis. */
function withColumn(sql: string, column: string): string {
  let depth = 0
  for (let at = 0; at < sql.length; at++) {
    if (sql[at] === '(') depth++
    else if (sql[at] === ')') depth--
    const isConstraint = depth === 1 && /^,\s*(?:PRIMARY|UNIQUE|CHECK|FOREIGN|CONSTRAINT)\b/.test(sql.slice(at))
    const isEnd = depth === 0 && sql[at] === ')'
    if (isConstraint || isEnd) return `${sql.slice(0, at)}, ${column}${sql.slice(at)}`
  }
  throw new RangeError('Migration alters a table without columns')
}
