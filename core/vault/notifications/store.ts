/**
 * The queue of notifications.
 *
 * @module
 */
import type { Sql } from '../sql.ts'

/** A notification that is waiting to be sent. */
export interface PendingNotification {
  id: number
  /** The type, such as `approval.asked`. */
  type: string
  data: Readonly<Record<string, unknown>>
  createdAt: number
}

/** The most of one type that wait: a hook that is down for long must not fill the store. */
const MAX_NOTICES = 1000

/** The rows of notices that were not taken yet. */
export class NotificationStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Adds one, and drops the oldest of too many; never one of another type, so that asking much hides no broken glass. */
  add({ type, data }: Pick<PendingNotification, 'type' | 'data'>, now: number): void {
    this.#sql.all(
      `DELETE FROM notice WHERE id IN
       (SELECT id FROM notice WHERE type = ? ORDER BY id DESC LIMIT 10 OFFSET ?)`,
      ...[type, MAX_NOTICES - 1],
    )
    const row = [type, JSON.stringify(data), now, now]
    this.#sql.all('INSERT INTO notice (type, data, created_at, next_at, attempts) VALUES (?, ?, ?, ?, 0)', ...row)
  }

  due(now: number): PendingNotification | null {
    const query = `SELECT id, type, data, created_at AS createdAt FROM notice WHERE next_at <= ? ORDER BY id LIMIT 1`
    const [row] = this.#sql.all<Omit<PendingNotification, 'data'> & { data: string }>(query, now)
    return row === undefined ? null : { ...row, data: JSON.parse(row.data) }
  }

  nextAt(): number | null {
    return this.#sql.all<{ nextAt: number | null }>('SELECT MIN(next_at) AS nextAt FROM notice')[0]!.nextAt
  }

  attemptsOf(id: number): number {
    return this.#sql.all<{ attempts: number }>('SELECT attempts FROM notice WHERE id = ?', id)[0]?.attempts ?? 0
  }

  putOff(id: number, attempts: number, nextAt: number): void {
    this.#sql.all('UPDATE notice SET attempts = ?, next_at = ? WHERE id = ?', attempts, nextAt, id)
  }

  remove(id: number): void {
    this.#sql.all('DELETE FROM notice WHERE id = ?', id)
  }

  clear(): void {
    this.#sql.all('DELETE FROM notice')
  }
}
