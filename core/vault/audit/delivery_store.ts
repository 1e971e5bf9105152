/**
 * The rows of deliveries: how far the log has come at each target.
 *
 * @module
 */
import type { Sql } from '../sql.ts'

/** Where something goes, and how far it has come. */
export interface Delivery {
  /** `sink`, `anchor` or `witness`, a colon, and which. */
  target: string
  /** How many entries it has, or how many the newest checkpoint covers that it has. */
  mark: number
  /** When it last took something, in milliseconds since the Unix epoch. */
  deliveredAt: number | null
  /** Why deliveries fail now, as a code; `null` when they succeed. */
  failure: string | null
  failingSince: number | null
}

/** The rows of deliveries. */
export class DeliveryStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  list(): Delivery[] {
    return this.#sql.all<Delivery>(`SELECT target, mark, delivered_at AS deliveredAt, failure,
      failing_since AS failingSince FROM delivery ORDER BY target`)
  }

  find(target: string): Delivery | null {
    return this.list().find((one) => one.target === target) ?? null
  }

  put({ target, mark, deliveredAt, failure, failingSince }: Delivery): void {
    const row = [target, mark, deliveredAt, failure, failingSince]
    this.#sql.all('INSERT OR REPLACE INTO delivery VALUES (?, ?, ?, ?, ?)', ...row)
  }
}
