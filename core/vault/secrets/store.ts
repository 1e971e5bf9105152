/**
 * Reads and writes the rows of secrets, of their versions, and of idempotent writes.
 *
 * @module
 */
import type { Encoding } from '../../encoding.ts'
import { Erasures } from '../erasures.ts'
import type { Sql, SqlValue } from '../sql.ts'

/** A name, and where its versions stand. */
export interface SecretRow {
  id: number
  name: string
  /** The version that is read by default; `null` when all are destroyed. */
  current: number | null
  previous: number | null
  /** The version that a rotation is making valid; `null` when none is. */
  pending: number | null
  /** The highest number ever handed out. */
  latest: number
  tags: string
  createdAt: number
  updatedAt: number
  deletedAt: number | null
}

/** One sealed version. */
export interface VersionRow {
  number: number
  kid: string
  sealed: Uint8Array<ArrayBuffer> | null
  contentType: string
  encoding: Encoding
  createdAt: number
  createdBy: string
  /** The origin of the version, if it is not a write: `rotation`, `rollback to 3`, `import`. */
  why: string | null
  /** When it became current; `null` when it never did, or that was not noted yet. */
  currentAt: number | null
  expiresAt: number | null
  destroyedAt: number | null
}

/** A version as a history shows it: the tag of its envelope in place of what is sealed. */
export type ListedVersion = Omit<VersionRow, 'sealed'> & { checksum: string | null }

/** A version to add. */
export type NewVersion = Omit<VersionRow, 'destroyedAt' | 'currentAt'>

/** A secret with what is shown of its current version in a list; `null` when there is none. */
export type ListedRow = SecretRow & { contentType: string | null; expiresAt: number | null }

/** The identity of a write: its key, and a keyed hash of it, also under former root keys. */
export interface Idempotency {
  key: string
  fingerprint: string
  former?: readonly string[]
}

/** The write of an idempotency key. */
export interface Replay {
  fingerprint: string
  name: string
  number: number
  /** The provider's name for the version, when it keeps the secret. */
  provided: string | null
}

const SECRET = `secret.id, name, current, previous, pending, latest, tags, secret.created_at AS createdAt,
  updated_at AS updatedAt, deleted_at AS deletedAt`
const METADATA = `number, kid, content_type AS contentType, encoding, version.created_at AS createdAt,
  created_by AS createdBy, why, current_at AS currentAt, expires_at AS expiresAt, destroyed_at AS destroyedAt`

/** Secrets with versions to be erased. */
export interface Prunable {
  names: string[]
  after: number | null
}

/** The versions to erase: those behind the newest `keep`, and those made before `oldest`. */
export interface Bounds {
  keep: number
  oldest: number
}

/** The most rows to count: a reader needs no higher number. */
const MAX_COUNTED = 10_000

/** No stage, no run that has need of it, and beyond what is kept. Numbers are counted with their gaps: that keeps some less, never more. */
const PRUNABLE = `destroyed_at IS NULL AND number <> COALESCE(secret.current, 0) AND number <> COALESCE(secret.previous, 0)
  AND number <> COALESCE(secret.pending, 0) AND NOT EXISTS (SELECT 1 FROM run WHERE run.secret = secret.id
  AND outcome IS NULL AND version.number IN (run.number, restores, replaces)) AND (version.number <= secret.latest - ? OR version.created_at < ?)`

/** Sorts after every character that a name may have. */
export const AFTER_NAMES = '~'

/** The rows of secrets and their versions. The store knows SQL, and neither rights, keys nor plaintext. */
export class SecretStore {
  readonly #sql: Sql
  readonly #erasures: Erasures

  constructor(sql: Sql, erasures = new Erasures()) {
    this.#sql = sql
    this.#erasures = erasures
  }

  find(name: string): SecretRow | null {
    return this.#one<SecretRow>(`SELECT ${SECRET} FROM secret WHERE name = ?`, name)
  }

  version(secret: number, number: number): VersionRow | null {
    return this.#one<VersionRow>(
      `SELECT ${METADATA}, sealed FROM version WHERE secret = ? AND number = ?`,
      secret,
      number,
    )
  }

  /**
   * Versions without their sealed values, newest first. The checksum is the AES-GCM tag that ends an envelope: a MAC
   * over the value and its place, under a key of its own. Every read verifies it, and a rewrap leaves it as it is.
   */
  versions(secret: number, below: number, limit: number): ListedVersion[] {
    return this.#sql.all(
      `SELECT ${METADATA}, lower(hex(substr(sealed, -16))) AS checksum FROM version WHERE secret = ? AND number < ? ORDER BY number DESC LIMIT ?`,
      secret,
      below,
      limit,
    )
  }

  /**
   * Lists secrets by name, with a prefix, after the name `after`, in any state. Every row read is returned, so
   * that `limit` bounds the work.
   */
  list(prefix: string, after: string, limit: number): ListedRow[] {
    return this.#sql.all<ListedRow>(
      `SELECT ${SECRET}, content_type AS contentType, expires_at AS expiresAt
       FROM secret LEFT JOIN version ON version.secret = secret.id AND version.number = secret.current
       WHERE name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?`,
      ...[after, prefix, prefix + AFTER_NAMES, limit],
    )
  }

  /** The row of a name, made when there is none: it has no version, and no list shows it. */
  reserve(name: string, now: number): SecretRow {
    if (this.find(name) === null) this.#create(name, now)
    return this.find(name)!
  }

  /** Adds a version and makes it current. */
  add(name: string, secret: SecretRow | null, version: NewVersion, tags: string): void {
    const { number, createdAt } = version
    const id = secret?.id ?? this.#create(name, createdAt)
    this.#insert(id, version, createdAt)
    this.#sql.all(
      'UPDATE secret SET previous = current, current = ?, latest = ?, tags = ?, updated_at = ? WHERE id = ?',
      ...[number, number, tags, createdAt, id],
    )
  }

  /** Adds a version that is not current yet. */
  addPending(secret: SecretRow, version: NewVersion): void {
    this.#insert(secret.id, version, null)
    this.#sql.all('UPDATE secret SET pending = ?, latest = ? WHERE id = ?', version.number, version.number, secret.id)
  }

  /** Makes the pending version current, and the current one previous. */
  promote({ id, pending }: SecretRow, now: number): void {
    this.#sql.all(
      'UPDATE secret SET previous = current, current = pending, pending = NULL, updated_at = ? WHERE id = ?',
      ...[now, id],
    )
    this.#sql.all('UPDATE version SET current_at = ? WHERE secret = ? AND number = ?', now, id, pending)
  }

  /** Removes the stage of the pending version. The version itself stays in the history. */
  dropPending(secret: number): void {
    this.#sql.all('UPDATE secret SET pending = NULL WHERE id = ?', secret)
  }

  /**
   * Finds, among the `limit` secrets after an id, those with versions that a policy no longer keeps: older than the
   * newest `keep`, or made before `oldest`, and at no stage.
   *
   * @returns Their names, and the last id that was read; `null` at the end.
   */
  prunable(after: number, { keep, oldest, limit }: Bounds & { limit: number }): Prunable {
    const ids = this.#sql.all<{ id: number }>('SELECT id FROM secret WHERE id > ? ORDER BY id LIMIT ?', after, limit)
    const last = ids.at(-1)?.id ?? after
    const query = `SELECT DISTINCT name FROM secret JOIN version ON version.secret = secret.id
      WHERE secret.id > ? AND secret.id <= ? AND ${PRUNABLE} ORDER BY name`
    const names = this.#sql.all<{ name: string }>(query, after, last, keep, oldest).map(({ name }) => name)
    return { names, after: ids.length < limit ? null : last }
  }

  /** How many there are of all secrets; 10,000 at most. */
  countPrunable({ keep, oldest }: Bounds): number {
    const query = `SELECT COUNT(*) AS count FROM (SELECT 1 FROM version JOIN secret ON secret.id = version.secret
      WHERE ${PRUNABLE} LIMIT ${MAX_COUNTED})`
    return this.#one<{ count: number }>(query, keep, oldest)!.count
  }

  /** Erases those of one secret. @returns Their numbers. */
  prune(secret: number, { keep, oldest }: Bounds, now: number): number[] {
    const numbers = this.#sql
      .all<{ number: number }>(
        `SELECT number FROM version JOIN secret ON secret.id = version.secret
         WHERE secret = ? AND ${PRUNABLE} ORDER BY number LIMIT 200`,
        ...[secret, keep, oldest],
      )
      .map(({ number }) => number)
    for (const number of numbers) this.#erase(secret, number, now)
    return numbers
  }

  /** Marks a secret deleted at a time, or not deleted. Its versions stay as they are. */
  markDeleted(secret: number, deletedAt: number | null, now: number): void {
    this.#sql.all('UPDATE secret SET deleted_at = ?, updated_at = ? WHERE id = ?', deletedAt, now, secret)
  }

  /** Erases one sealed value, or all of a secret, for good. The metadata stays. */
  destroy(secret: number, number: number | null, now: number): void {
    const erase =
      'UPDATE version SET sealed = NULL, destroyed_at = ? WHERE secret = ? AND destroyed_at IS NULL RETURNING number'
    // The fingerprints cover values that must be erased too.
    const forget = 'DELETE FROM idempotency WHERE name = (SELECT name FROM secret WHERE id = ?)'
    if (number !== null) {
      this.#erase(secret, number, now)
      this.#sql.all('UPDATE secret SET updated_at = ? WHERE id = ?', now, secret)
    } else {
      this.#erasures.note(this.#sql.all(erase, now, secret))
      this.#sql.all(
        "UPDATE secret SET current = NULL, previous = NULL, deleted_at = NULL, tags = '{}', updated_at = ? WHERE id = ?",
        ...[now, secret],
      )
      this.#sql.all(forget, secret)
    }
  }

  /** The write of a principal's idempotency key, if it was made after `oldest`. */
  replay(principal: string, key: string, oldest: number): Replay | null {
    return this.#one<Replay>(
      'SELECT fingerprint, name, number, provided FROM idempotency WHERE principal = ? AND key = ? AND created_at > ?',
      ...[principal, key, oldest],
    )
  }

  /** Deletes the writes before a time, with their fingerprints. */
  forgetWrites(before: number): void {
    this.#sql.all('DELETE FROM idempotency WHERE created_at <= ?', before)
  }

  /** Remembers a write by its key, and forgets some of those from before `oldest`. */
  remember(principal: string, key: string, replay: Replay, now: number, oldest: number): void {
    const { fingerprint, name, number, provided } = replay
    this.#sql.all(
      `DELETE FROM idempotency WHERE (principal, key) IN
       (SELECT principal, key FROM idempotency WHERE created_at <= ? ORDER BY created_at LIMIT 10)`,
      oldest,
    )
    this.#sql.all(
      'INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)',
      ...[principal, key, fingerprint, name, number, now, provided],
    )
  }

  #erase(secret: number, number: number, now: number): void {
    const erased = this.#sql.all(
      `UPDATE version SET sealed = NULL, destroyed_at = ? WHERE secret = ? AND destroyed_at IS NULL AND number = ?
       RETURNING number`,
      ...[now, secret, number],
    )
    this.#erasures.note(erased)
    this.#sql.all(
      'DELETE FROM idempotency WHERE name = (SELECT name FROM secret WHERE id = ?) AND number = ?',
      ...[secret, number],
    )
  }

  #insert(id: number, version: NewVersion, currentAt: number | null): void {
    const { number, kid, sealed, contentType, encoding, createdAt, createdBy, why, expiresAt } = version
    this.#sql.all(
      `INSERT INTO version (secret, number, kid, sealed, content_type, encoding, created_at, created_by, expires_at, why,
       current_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, number, kid, sealed, contentType, encoding, createdAt, createdBy, expiresAt, why, currentAt],
    )
  }

  #create(name: string, now: number): number {
    const [row] = this.#sql.all<{ id: number }>(
      `INSERT INTO secret (name, latest, tags, created_at, updated_at) VALUES (?, 0, '{}', ?, ?) RETURNING id`,
      ...[name, now, now],
    )
    return row!.id
  }

  #one<Row>(query: string, ...params: SqlValue[]): Row | null {
    return this.#sql.all<Row>(query, ...params)[0] ?? null
  }
}
