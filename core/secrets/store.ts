import type { Sql, SqlValue } from '../sql.ts'

/** How a value was given, and is given back: as text, or as bytes in base64. */
export type Encoding = 'utf8' | 'base64'

/** A name, and where its versions stand. */
export interface SecretRow {
  id: number
  name: string
  /** The version that is read by default; `null` when all are destroyed. */
  current: number | null
  previous: number | null
  /** The highest number ever handed out. */
  latest: number
  tags: string
  createdAt: number
  updatedAt: number
  deletedAt: number | null
}

/** One version, sealed. */
export interface VersionRow {
  number: number
  kid: string
  sealed: Uint8Array<ArrayBuffer> | null
  contentType: string
  encoding: Encoding
  createdAt: number
  createdBy: string
  expiresAt: number | null
  destroyedAt: number | null
}

export type NewVersion = Omit<VersionRow, 'destroyedAt'>

/** A secret with what is shown of its current version in a list; `null` when there is none. */
export type ListedRow = SecretRow & { contentType: string | null; expiresAt: number | null }

/** Which write an idempotency key stands for. */
export interface Replay {
  fingerprint: string
  name: string
  number: number
  /** What a provider calls the version, when it keeps the secret. */
  provided: string | null
}

const SECRET = `secret.id, name, current, previous, latest, tags, secret.created_at AS createdAt,
  updated_at AS updatedAt, deleted_at AS deletedAt`
const METADATA = `number, kid, content_type AS contentType, encoding, version.created_at AS createdAt,
  created_by AS createdBy, expires_at AS expiresAt, destroyed_at AS destroyedAt`

/** Sorts after every character that a name may have. */
export const AFTER_NAMES = '~'

/** The rows of secrets and their versions. It knows SQL and nothing of rights, keys or plaintext. */
export class SecretStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
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

  /** Versions without their sealed values, newest first. */
  versions(secret: number, below: number, limit: number): Omit<VersionRow, 'sealed'>[] {
    return this.#sql.all(
      `SELECT ${METADATA} FROM version WHERE secret = ? AND number < ? ORDER BY number DESC LIMIT ?`,
      secret,
      below,
      limit,
    )
  }

  /**
   * Secrets by name, of a prefix, behind the name `after`, whatever their state. Every row looked at
   * is returned, so that `limit` bounds the work.
   */
  list(prefix: string, after: string, limit: number): ListedRow[] {
    return this.#sql.all<ListedRow>(
      `SELECT ${SECRET}, content_type AS contentType, expires_at AS expiresAt
       FROM secret LEFT JOIN version ON version.secret = secret.id AND version.number = secret.current
       WHERE name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?`,
      ...[after, prefix, prefix + AFTER_NAMES, limit],
    )
  }

  /** Adds a version and makes it current. */
  add(name: string, secret: SecretRow | null, version: NewVersion, tags: string): void {
    const { number, createdAt } = version
    const id = secret?.id ?? this.#create(name, createdAt)
    this.#sql.all(
      `INSERT INTO version (secret, number, kid, sealed, content_type, encoding, created_at, created_by, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, number, version.kid, version.sealed, version.contentType, version.encoding],
      ...[createdAt, version.createdBy, version.expiresAt],
    )
    this.#sql.all(
      'UPDATE secret SET previous = current, current = ?, latest = ?, tags = ?, updated_at = ? WHERE id = ?',
      ...[number, number, tags, createdAt, id],
    )
  }

  /** Marks a secret deleted at a time, or not deleted. Its versions stay as they are. */
  markDeleted(secret: number, deletedAt: number | null, now: number): void {
    this.#sql.all('UPDATE secret SET deleted_at = ?, updated_at = ? WHERE id = ?', deletedAt, now, secret)
  }

  /** Erases one sealed value, or all of a secret, for good. The metadata stays. */
  destroy(secret: number, number: number | null, now: number): void {
    const erase = 'UPDATE version SET sealed = NULL, destroyed_at = ? WHERE secret = ? AND destroyed_at IS NULL'
    // Fingerprints are of the values that are to be gone.
    const forget = 'DELETE FROM idempotency WHERE name = (SELECT name FROM secret WHERE id = ?)'
    if (number !== null) {
      this.#sql.all(`${erase} AND number = ?`, now, secret, number)
      this.#sql.all(`${forget} AND number = ?`, secret, number)
      this.#sql.all('UPDATE secret SET updated_at = ? WHERE id = ?', now, secret)
    } else {
      this.#sql.all(erase, now, secret)
      this.#sql.all(
        "UPDATE secret SET current = NULL, previous = NULL, deleted_at = NULL, tags = '{}', updated_at = ? WHERE id = ?",
        ...[now, secret],
      )
      this.#sql.all(forget, secret)
    }
  }

  /** The write that an idempotency key of a principal stands for, if it was after `oldest`. */
  replay(principal: string, key: string, oldest: number): Replay | null {
    return this.#one<Replay>(
      'SELECT fingerprint, name, number, provided FROM idempotency WHERE principal = ? AND key = ? AND created_at > ?',
      ...[principal, key, oldest],
    )
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
