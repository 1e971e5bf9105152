/**
 * How far back a log goes, and the erasure of what is older: see `log_retention.ts`.
 *
 * @module
 */
import { position } from '../../tlog/merkle.ts'
import type { Sql } from '../sql.ts'

/** How far back the log goes, which entries go next, and the legal hold. */
export interface LogRetention {
  /** The first entry that is kept; a multiple of 256. */
  min: number
  /** The first entry that the next erasure keeps; equal to `min` when none is announced. */
  announced: number
  /** The index of the entry that announces the erasure, and its time in milliseconds since the Unix epoch. */
  announcedAt: number
  announcedWhen: number
  /** The reason for a legal hold; `null` when there is none. */
  hold: string | null
  heldAt: number | null
  heldBy: string | null
}

/** An erasure that is announced and not done yet. */
export type AnnouncedErasure = Pick<LogRetention, 'announced' | 'announcedAt' | 'announcedWhen'>

/** A bundle is the leaves of one full tile. Only the last of its 511 hashes, the tile's root, outlives its erasure. */
const BUNDLE = 256
const BUNDLE_HASHES = 2 * BUNDLE - 1
/** How many bundles one search for expired entries reads. */
const MAX_BUNDLES_READ = 64

/** The row of the retention, and the entries that it covers. */
export class RetentionStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  current(): LogRetention {
    const query = `SELECT min, announced, announced_at AS announcedAt,
      announced_when AS announcedWhen, hold, held_at AS heldAt, held_by AS heldBy
      FROM retention`
    return this.#sql.all<LogRetention>(query)[0]!
  }

  /** The index of the first entry that is kept. */
  get min(): number {
    return this.current().min
  }

  /**
   * Finds the largest multiple of 256, up to `most`, below which every entry is older than `cutoff`. It reads a bounded
   * number of entries: call it again to go further.
   *
   * @param cutoff Milliseconds since the Unix epoch.
   */
  expired(cutoff: number, most: number): number {
    const query = `SELECT COUNT(*) AS count, MAX(json_extract(CAST(body AS TEXT), '$.time')) AS newest
      FROM entry WHERE n >= ? AND n < ?`
    let { min } = this
    for (const last = min + MAX_BUNDLES_READ * BUNDLE; min < last && min + BUNDLE <= most; min += BUNDLE) {
      const [row] = this.#sql.all<{ count: number; newest: string }>(query, min, min + BUNDLE)
      // The newest time of the bundle need not be that of its last entry: a clock may have been set back.
      if (row?.count !== BUNDLE || Date.parse(row.newest) >= cutoff) break
    }
    return min
  }

  announce({ announced, announcedAt, announcedWhen }: AnnouncedErasure): void {
    const query = 'UPDATE retention SET announced = ?, announced_at = ?, announced_when = ?'
    this.#sql.all(query, announced, announcedAt, announcedWhen)
  }

  /**
   * Erases entries that were announced.
   *
   * @param bundles The most bundles of 256 entries to erase now.
   * @returns The new minimum.
   */
  prune(bundles: number): number {
    const { min, announced } = this.current()
    const to = Math.min(announced, min + bundles * BUNDLE)
    this.#sql.all('DELETE FROM entry WHERE n >= ? AND n < ?', min, to)
    this.#sql.all('DELETE FROM notable WHERE n < ?', to)
    for (let n = min; n < to; n += BUNDLE) {
      const start = position(0, n)
      this.#sql.all('DELETE FROM hash WHERE p >= ? AND p < ?', start, start + BUNDLE_HASHES - 1)
    }
    this.#sql.all('UPDATE retention SET min = ?', to)
    return to
  }

  /** Places a legal hold, or ends it (`null`). A hold withdraws an announced erasure. */
  hold(reason: string | null, by: string, now: number): void {
    const held = reason === null ? [null, null, null] : [reason, now, by]
    this.#sql.all('UPDATE retention SET hold = ?, held_at = ?, held_by = ?', ...held)
    if (reason !== null) this.#sql.all('UPDATE retention SET announced = min')
  }
}
