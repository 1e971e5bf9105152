/**
 * Facts about a vault as a whole.
 *
 * @module
 */
import type { Sql } from './sql.ts'

/** Facts about a vault as a whole, by name. */
export class MetaStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  find(key: string): string | null {
    return this.#sql.all<{ value: string }>('SELECT value FROM meta WHERE key = ?', key)[0]?.value ?? null
  }

  put(key: string, value: string): void {
    this.#sql.all('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, value)
  }

  remove(key: string): void {
    this.#sql.all('DELETE FROM meta WHERE key = ?', key)
  }
}
