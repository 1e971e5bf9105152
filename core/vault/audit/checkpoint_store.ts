/**
 * The checkpoints of a log that were signed: see `core/tlog/checkpoint.ts`.
 *
 * @module
 */
import { looksCosigned, parseNote } from '../../tlog/signed_note.ts'
import type { Sql } from '../sql.ts'

/** A signed checkpoint. */
export interface SignedCheckpoint {
  size: number
  note: string
  /** Milliseconds since the Unix epoch. */
  signedAt: number
}

const MAX_CHECKPOINTS = 1000
/** How many checkpoints one query reads. */
const PAGE = 64

/** The rows of checkpoints. */
export class CheckpointStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The newest checkpoint; `null` before the first. */
  newest(): SignedCheckpoint | null {
    const query = 'SELECT size, note, signed_at AS signedAt FROM checkpoint ORDER BY size DESC LIMIT 1'
    return this.#sql.all<SignedCheckpoint>(query)[0] ?? null
  }

  /** The newest checkpoint that a witness cosigned. Reads back through every stored checkpoint, a page at a time. */
  newestCosigned(): SignedCheckpoint | null {
    const query = `SELECT size, note, signed_at AS signedAt FROM checkpoint WHERE size < ? ORDER BY size DESC LIMIT ?`
    for (let before = Number.MAX_SAFE_INTEGER; ; ) {
      const page = this.#sql.all<SignedCheckpoint>(query, before, PAGE)
      const found = page.find(({ note }) => looksCosigned(parseNote(note)))
      if (found !== undefined || page.length < PAGE) return found ?? null
      before = page.at(-1)!.size
    }
  }

  /**
   * Stores a checkpoint. It replaces one of the same size only if it has more signatures. The oldest are deleted once
   * there are more than a thousand.
   */
  put(size: number, note: string, now: number): void {
    const longer = 'ON CONFLICT DO UPDATE SET note = excluded.note WHERE length(excluded.note) > length(note)'
    this.#sql.all(`INSERT INTO checkpoint VALUES (?, ?, ?) ${longer}`, size, note, now)
    const query = `DELETE FROM checkpoint WHERE size <
      (SELECT MIN(size) FROM (SELECT size FROM checkpoint ORDER BY size DESC LIMIT ?))`
    this.#sql.all(query, MAX_CHECKPOINTS)
  }
}
