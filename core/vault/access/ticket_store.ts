/**
 * The rows of operators' tickets.
 *
 * @module
 */
import type { Sql } from '../sql.ts'

/** The record of a ticket that opened the vault. */
export interface UsedTicket {
  /** The token that it gave last. */
  accessor: string
  /** When that token was used first: since then the ticket is of no use. */
  spentAt: number | null
}

/**
 * The rows of tickets that opened the vault. They are never deleted: a spent ticket stays spent, whichever time the clock
 * shows.
 */
export class TicketStore {
  readonly #sql: Sql
  // The tokens of tickets that are still unused. It is checked at each request, and nearly always empty.
  #unused: Set<string> | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Drops the rows kept in memory. Call it when a transaction was rolled back. */
  forget(): void {
    this.#unused = null
  }

  find(nonce: string): UsedTicket | null {
    const query = 'SELECT accessor, spent_at AS spentAt FROM ticket WHERE nonce = ?'
    return this.#sql.all<UsedTicket>(query, nonce)[0] ?? null
  }

  /** Stores the token that a ticket gave, in place of the one before. */
  put(nonce: string, accessor: string, now: number): void {
    this.#sql.all(
      `INSERT INTO ticket (nonce, accessor, given_at) VALUES (?, ?, ?)
       ON CONFLICT (nonce) DO UPDATE SET accessor = excluded.accessor, given_at = excluded.given_at`,
      ...[nonce, accessor, now],
    )
    this.forget()
  }

  /**
   * Notes the use of a token: the ticket that gave it is spent. For every other token it costs one look-up in memory.
   */
  noteUse(accessor: string, now: number): void {
    this.#unused ??= new Set(
      this.#sql
        .all<{ accessor: string }>('SELECT accessor FROM ticket WHERE spent_at IS NULL')
        .map((row) => row.accessor),
    )
    if (!this.#unused.delete(accessor)) return
    this.#sql.all('UPDATE ticket SET spent_at = ? WHERE accessor = ?', now, accessor)
  }
}
