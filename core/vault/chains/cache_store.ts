/**
 * The rows of the cache of values from providers, sealed.
 *
 * @module
 */
import type { Encoding } from '../../encoding.ts'
import type { FailureKind } from '../../providers/provider.ts'
import { Erasures } from '../erasures.ts'
import type { Sql } from '../sql.ts'

/** A value as the cache keeps it, sealed: see `core/sealing/cached_value.ts`. */
export interface CachedValue {
  name: string
  /** The requested version; `''` for the current one. */
  asked: string
  /** The chain as it was then: another may keep the name elsewhere. */
  revision: string
  provider: string
  version: string
  kid: string
  sealed: Uint8Array<ArrayBuffer>
  contentType: string | null
  encoding: Encoding
  createdAt: number | null
  expiresAt: number | null
  /** The tags of the store as JSON; `null` without any, and in rows of 0.1. */
  tags?: string | null
  fetchedAt: number
}

/** An answer that there is no value. */
export interface CachedRefusal {
  revision: string
  provider: string
  failure: FailureKind
  fetchedAt: number
}

/** How long a change is remembered: longer than any request that was on its way when it came. */
const BARRIER_MS = 15 * 60_000
const MAX_ROWS = 10_000

/** The rows of the cache. The store knows SQL, and neither keys nor rights. */
export class CacheStore {
  readonly #sql: Sql
  readonly #erasures: Erasures

  constructor(sql: Sql, erasures = new Erasures()) {
    this.#sql = sql
    this.#erasures = erasures
  }

  value(name: string, asked: string): CachedValue | null {
    const [row] = this.#sql.all<CachedValue>(
      `SELECT name, asked, revision, provider, version, kid, sealed, content_type AS contentType, encoding,
         created_at AS createdAt, expires_at AS expiresAt, tags, fetched_at AS fetchedAt
       FROM cached WHERE name = ? AND asked = ? AND sealed IS NOT NULL`,
      ...[name, asked],
    )
    return row ?? null
  }

  refusal(name: string, asked: string): CachedRefusal | null {
    const [row] = this.#sql.all<CachedRefusal>(
      `SELECT revision, provider, failure, fetched_at AS fetchedAt
       FROM cached WHERE name = ? AND asked = ? AND failure IS NOT NULL`,
      ...[name, asked],
    )
    return row ?? null
  }

  /**
   * Keeps a value, in place of what was there, and makes room for it. What grows old or is fetched again is not noted as
   * erased: that is at every read, and the provider still has it.
   */
  keep(value: CachedValue, keepUntil: number): void {
    this.#sweep(value.fetchedAt)
    this.#sql.all(
      `INSERT OR REPLACE INTO cached (name, asked, revision, provider, version, kid, sealed, content_type, encoding,
         created_at, expires_at, tags, fetched_at, keep_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[value.name, value.asked, value.revision, value.provider, value.version, value.kid, value.sealed],
      ...[value.contentType, value.encoding, value.createdAt, value.expiresAt, value.tags ?? null],
      ...[value.fetchedAt, keepUntil],
    )
  }

  /** Keeps an answer that there is none. */
  keepRefusal(name: string, asked: string, refusal: CachedRefusal, keepUntil: number): void {
    this.#sweep(refusal.fetchedAt)
    this.#sql.all(
      `INSERT OR REPLACE INTO cached (name, asked, revision, provider, failure, fetched_at, keep_until)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[name, asked, refusal.revision, refusal.provider, refusal.failure, refusal.fetchedAt, keepUntil],
    )
  }

  /**
   * Deletes the cached state of a name, and keeps earlier reads from being cached: a read in flight while the secret
   * changed brings the old value.
   *
   * @returns The number of values that were deleted.
   */
  purge(name: string, now: number): number {
    const rows = this.#sql.all('DELETE FROM cached WHERE name = ? RETURNING name', name)
    this.#erasures.note(rows)
    this.#sql.all('DELETE FROM cache_barrier WHERE raised_at <= ?', now - BARRIER_MS)
    this.#sql.all('INSERT OR REPLACE INTO cache_barrier VALUES (?, ?)', name, now)
    return rows.length
  }

  /** Deletes the cached state of one version of a name. */
  drop(name: string, asked: string): void {
    this.#erasures.note(this.#sql.all('DELETE FROM cached WHERE name = ? AND asked = ? RETURNING name', name, asked))
  }

  /** Deletes all cached values: the chains have changed. */
  purgeAll(): void {
    this.#erasures.note(this.#sql.all('DELETE FROM cached RETURNING name'))
  }

  /** When a name was last purged; 0 when that is long ago. A value read before then must not be cached. */
  barrier(name: string): number {
    const [row] = this.#sql.all<{ at: number }>('SELECT raised_at AS at FROM cache_barrier WHERE name = ?', name)
    return row?.at ?? 0
  }

  #sweep(now: number): void {
    this.#sql.all(
      'DELETE FROM cached WHERE rowid IN (SELECT rowid FROM cached WHERE keep_until <= ? ORDER BY keep_until LIMIT 20)',
      now,
    )
    const [row] = this.#sql.all<{ count: number }>('SELECT COUNT(*) AS count FROM cached')
    if (row!.count < MAX_ROWS) return
    this.#sql.all('DELETE FROM cached WHERE rowid IN (SELECT rowid FROM cached ORDER BY keep_until LIMIT 20)')
  }
}
