/**
 * The rows of webhooks.
 *
 * @module
 */
import type { Bytes } from '../../bytes.ts'
import { Erasures } from '../erasures.ts'
import type { Sql } from '../sql.ts'

/** A webhook: its URL, and the secret that signs its messages. */
export interface Webhook {
  id: string
  url: string
  kid: string
  sealed: Bytes
  version: number
  updatedAt: number
  updatedBy: string
}

/** The secret of a webhook of 0.1, sealed again with its URL bound. */
export interface BoundWebhookSecret extends Pick<Webhook, 'id' | 'url' | 'kid' | 'sealed'> {
  /** The former envelope. */
  before: Bytes
}

const COLUMNS = 'id, url, kid, sealed, version, updated_at AS updatedAt, updated_by AS updatedBy'

/** The rows of hooks. */
export class WebhookStore {
  readonly #sql: Sql
  readonly #erasures: Erasures

  constructor(sql: Sql, erasures = new Erasures()) {
    this.#sql = sql
    this.#erasures = erasures
  }

  find(id: string): Webhook | null {
    return this.#sql.all<Webhook>(`SELECT ${COLUMNS} FROM hook WHERE id = ?`, id)[0] ?? null
  }

  list(): Webhook[] {
    return this.#sql.all<Webhook>(`SELECT ${COLUMNS} FROM hook ORDER BY id`)
  }

  put({ id, url, kid, sealed, version, updatedAt, updatedBy }: Webhook): void {
    this.#erasures.note(this.#sql.all('SELECT 1 FROM hook WHERE id = ? AND sealed <> ?', id, sealed))
    const row = [id, url, kid, sealed, version, updatedAt, updatedBy]
    // Updates the row in place: a move to another term goes through the rows in order, and would miss a new one.
    this.#sql.all(
      `INSERT INTO hook (id, url, kid, sealed, version, updated_at, updated_by, bound) VALUES (?, ?, ?, ?, ?, ?, ?, 1)
       ON CONFLICT (id) DO UPDATE SET url = excluded.url, kid = excluded.kid, sealed = excluded.sealed, bound = 1,
       version = excluded.version, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
      ...row,
    )
  }

  /** The webhooks of 0.1, whose envelope does not bind the URL. */
  unbound(): Webhook[] {
    return this.#sql.all<Webhook>(`SELECT ${COLUMNS} FROM hook WHERE bound = 0 ORDER BY id`)
  }

  isBound(id: string): boolean {
    return this.#sql.all('SELECT 1 FROM hook WHERE id = ? AND bound = 1', id).length > 0
  }

  /** @returns Whether the webhook was unchanged since its secret was sealed again. */
  bind({ id, url, kid, sealed, before }: BoundWebhookSecret): boolean {
    const query = `UPDATE hook SET kid = ?, sealed = ?, bound = 1 WHERE id = ? AND url = ? AND sealed = ? AND bound = 0 RETURNING id`
    const rows = this.#sql.all(query, kid, sealed, id, url, before)
    this.#erasures.note(rows)
    return rows.length > 0
  }

  delete(id: string): void {
    this.#erasures.note(this.#sql.all('DELETE FROM hook WHERE id = ? RETURNING id', id))
  }

  /** Whether a configured or running rotation uses this webhook. */
  isUsed(id: string): boolean {
    const names = "json_extract(body, '$.target.hook') = ?"
    const query = `SELECT 1 FROM rotation WHERE ${names} UNION ALL SELECT 1 FROM run WHERE outcome IS NULL AND ${names} LIMIT 1`
    return this.#sql.all(query, id, id).length > 0
  }
}
