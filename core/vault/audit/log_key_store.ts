/**
 * The verifier keys of a log: its signing key has terms, and each term has its own key.
 *
 * @module
 */
import type { Sql } from '../sql.ts'

/** The verifier key of one term. */
export interface LogKey {
  term: number
  key: string
  /** The root key that it derives from. */
  root: string | null
}

/** The rows of verifier keys. */
export class LogKeyStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The term whose key signs checkpoints now. */
  term(): number {
    return this.#sql.all<{ term: number }>('SELECT COALESCE(MAX(term), 1) AS term FROM log_key')[0]!.term
  }

  /** The stored keys, newest first. The key of the first term is stored only once its root key was replaced. */
  list(): LogKey[] {
    return this.#sql.all<LogKey>('SELECT term, key, root FROM log_key ORDER BY term DESC')
  }

  /** Begins the next term, or stores the verifier key of the first. */
  add({ term, key, root }: LogKey, now: number): void {
    const row = [term, key, now, root]
    this.#sql.all('INSERT INTO log_key (term, key, created_at, root) VALUES (?, ?, ?, ?)', ...row)
  }
}
