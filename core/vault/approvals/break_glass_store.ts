/**
 * The rows of broken glass.
 *
 * @module
 */
import type { Sql } from '../sql.ts'

/** One use of broken glass. */
export interface BrokenGlass {
  id: string
  principal: string
  /** The accessor of the session that it holds for; of the token, when an operator's ticket did it. */
  session: string
  reason: string
  beganAt: number
  expiresAt: number
  endedAt: number | null
  reviewedAt: number | null
  reviewedBy: string | null
  review: string | null
}

/** New broken glass with its lineage: none of these principals can review it. */
type NewGlass = Pick<BrokenGlass, 'id' | 'principal' | 'session' | 'reason' | 'beganAt' | 'expiresAt'> & {
  lineage: readonly string[]
}

/** An identity, by its principal and its token or session. */
interface Bearer {
  principal: string
  session: string | null
  token: string | null
}

const COLUMNS = `id, principal, session, reason, began_at AS beganAt, expires_at AS expiresAt, ended_at AS endedAt,
  reviewed_at AS reviewedAt, reviewed_by AS reviewedBy, review`

/** The rows of broken glass. They are never deleted. */
export class BreakGlassStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /**
   * The broken glass that applies to an identity: the session that broke it, and no other of its principal; or the
   * token that an operator's ticket gave, and its sessions. `operators` marks the latter, which takes precedence.
   */
  active({ principal, session, token }: Bearer, now: number): (BrokenGlass & { operators: boolean }) | null {
    const query = `SELECT ${COLUMNS} FROM break_glass
      WHERE session IN (?, ?) AND principal = ? AND ended_at IS NULL AND expires_at > ?`
    const found = this.#sql
      .all<BrokenGlass>(query, session, token, principal, now)
      .map((glass) => ({ ...glass, operators: glass.session === token }))
    return found.find(({ operators }) => operators) ?? found[0] ?? null
  }

  /** Moves broken glass from one token to the token that replaces it. */
  passOn(from: string, to: string): void {
    this.#sql.all('UPDATE break_glass SET session = ? WHERE session = ?', to, from)
  }

  find(id: string): BrokenGlass | null {
    return this.#sql.all<BrokenGlass>(`SELECT ${COLUMNS} FROM break_glass WHERE id = ?`, id)[0] ?? null
  }

  /** The newest first; those without a review before all others. */
  list(limit: number): BrokenGlass[] {
    const query = `SELECT ${COLUMNS} FROM break_glass ORDER BY reviewed_at IS NOT NULL, began_at DESC, id LIMIT ?`
    return this.#sql.all<BrokenGlass>(query, limit)
  }

  add({ id, principal, session, reason, beganAt, expiresAt, lineage }: NewGlass): void {
    this.#sql.all(
      `INSERT INTO break_glass (id, principal, session, reason, began_at, expires_at, hands)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[id, principal, session, reason, beganAt, expiresAt, JSON.stringify(lineage)],
    )
  }

  /** The lineage of the principal who broke the glass. */
  lineageOf(id: string): string[] {
    const query = 'SELECT COALESCE(hands, json_array(principal)) AS lineage FROM break_glass WHERE id = ?'
    const [row] = this.#sql.all<{ lineage: string }>(query, id)
    return row === undefined ? [] : JSON.parse(row.lineage)
  }

  end(id: string, now: number): void {
    this.#sql.all('UPDATE break_glass SET ended_at = ? WHERE id = ? AND ended_at IS NULL', now, id)
  }

  review(id: string, by: string, text: string, now: number): void {
    this.#sql.all(
      'UPDATE break_glass SET reviewed_at = ?, reviewed_by = ?, review = ? WHERE id = ? AND reviewed_at IS NULL',
      ...[now, by, text, id],
    )
  }
}
