/**
 * The rows of replicas that lag behind their primary or are compared with it.
 *
 * @module
 */
import type { FailureKind } from '../../providers/provider.ts'
import type { Sql } from '../sql.ts'

/** The state that a replica must reach: the value of the primary, or no value if the primary has none. */
export type Effect = 'write' | 'delete'

/** One replica of a name that lags behind its primary. */
export interface Lagging {
  name: string
  provider: string
  effect: Effect
  /** Another one for each write. */
  mark: string
  since: number
  attempts: number
  failure: FailureKind | null
  /** Set when the shape of what the replica has may be replaced. */
  replace: 'shape' | null
}

/** How far a provider lags behind. */
export interface Lag {
  provider: string
  names: number
  /** When the oldest write that has not arrived was begun. */
  since: number
}

/** One replica, with the result of its comparison. */
export interface Compared {
  name: string
  provider: string
  /** Whether it had another value; `null` before the first time. */
  differs: boolean | null
}

/** When a write began, and when its replicas become due. */
interface Begun {
  now: number
  dueAt: number
  serveUntil?: number | null
  replace?: 'shape' | undefined
  /** Whether it is known to have been made. */
  isMade?: boolean
}

const FIRST_RETRY_MS = 2000
const LAST_RETRY_MS = 10 * 60_000
const MAX_COMPARED = 10_000

/** The rows of replication: which replicas lag behind, and how they compared. */
export class ReplicationStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /**
   * Marks the replicas of a name as due before or after a write, so that they catch up even if the edge crashes. Their
   * lag counts from the oldest write that has not arrived.
   *
   * A pending deletion stays until a later write is known to be made: that write may have been refused.
   *
   * @param serveUntil When the value on the replicas stops being valid; `null` when that is unknown.
   */
  begin(name: string, providers: readonly string[], effect: Effect, begun: Begun) {
    const { now, dueAt, serveUntil = null, replace, isMade = false } = begun
    for (const provider of providers) {
      this.#sql.all(
        `INSERT INTO replication (name, provider, effect, mark, since, due_at, attempts, serve_until, replaces)
         VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)
         ON CONFLICT (name, provider) DO UPDATE SET
           effect = CASE WHEN effect = 'delete' AND NOT ? THEN effect ELSE excluded.effect END,
           mark = excluded.mark, due_at = excluded.due_at, attempts = 0, replaces = COALESCE(replaces, excluded.replaces), serve_until = COALESCE(MIN(serve_until, excluded.serve_until), serve_until, excluded.serve_until)`,
        ...[name, provider, effect, crypto.randomUUID(), now, dueAt, serveUntil, replace ?? null],
        Number(isMade),
      )
    }
  }

  /** Withdraws the permission to replace the shape of a name's replicas: the write that gave it was refused. */
  keepShape(name: string): void {
    this.#sql.all('UPDATE replication SET replaces = NULL WHERE name = ?', name)
  }

  /** The providers whose replica of a name lags and is no longer valid: reads skip them. */
  outdated(name: string, now: number): string[] {
    return this.#sql
      .all<{ provider: string }>('SELECT provider FROM replication WHERE name = ? AND serve_until <= ?', name, now)
      .map(({ provider }) => provider)
  }

  due(now: number, limit: number): Lagging[] {
    return this.#sql.all<Lagging>(
      `SELECT name, provider, effect, mark, since, attempts, failure, replaces AS "replace" FROM replication
       WHERE due_at <= ? ORDER BY due_at LIMIT ?`,
      ...[now, limit],
    )
  }

  nextDue(): number | null {
    return this.#sql.all<{ at: number | null }>('SELECT MIN(due_at) AS at FROM replication')[0]?.at ?? null
  }

  /** @returns Whether the replica was still due: another write may have come meanwhile. */
  done(name: string, provider: string, mark: string): boolean {
    const rows = this.#sql.all(
      'DELETE FROM replication WHERE name = ? AND provider = ? AND mark = ? RETURNING name',
      ...[name, provider, mark],
    )
    return rows.length > 0
  }

  /** Deletes the lag of replicas that cannot have a secret of this name. */
  drop(name: string, providers: readonly string[]): void {
    for (const provider of providers) {
      this.#sql.all('DELETE FROM replication WHERE name = ? AND provider = ?', name, provider)
    }
  }

  failed({ name, provider, mark, attempts }: Lagging, failure: FailureKind, now: number): void {
    // Full jitter, but never at once.
    const most = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 20))
    this.#sql.all(
      'UPDATE replication SET attempts = attempts + 1, failure = ?, due_at = ? WHERE name = ? AND provider = ? AND mark = ?',
      ...[failure, now + FIRST_RETRY_MS / 2 + Math.floor(Math.random() * most), name, provider, mark],
    )
  }

  lags(): Lag[] {
    return this.#sql.all<Lag>(
      'SELECT provider, COUNT(*) AS names, MIN(since) AS since FROM replication GROUP BY provider',
    )
  }

  /** Includes the replicas of a name in the regular comparisons. */
  watch(name: string, providers: readonly string[]): void {
    const known = this.#sql.all('SELECT 1 FROM compared WHERE name = ? LIMIT 1', name)
    if (known.length > 0) return
    const [row] = this.#sql.all<{ count: number }>('SELECT COUNT(*) AS count FROM compared')
    if (row!.count >= MAX_COMPARED) return
    for (const provider of providers) {
      this.#sql.all('INSERT OR IGNORE INTO compared (name, provider, compared_at) VALUES (?, ?, 0)', name, provider)
    }
  }

  /** Ends the comparisons of a replica. */
  unwatch(name: string, provider: string): void {
    this.#sql.all('DELETE FROM compared WHERE name = ? AND provider = ?', name, provider)
  }

  /**
   * Replicas last compared before a time, unless a write to them is in flight. A replica that could not be compared is
   * tried again after a pause.
   */
  uncompared({ before, triedBefore }: { before: number; triedBefore: number }, limit: number): Compared[] {
    return this.#sql
      .all<{ name: string; provider: string; differs: number | null }>(
        `SELECT name, provider, differs FROM compared
         WHERE compared_at < ? AND tried_at < ? AND NOT EXISTS (SELECT 1 FROM replication WHERE replication.name = compared.name)
         ORDER BY compared_at LIMIT ?`,
        ...[before, triedBefore, limit],
      )
      .map(({ differs, ...rest }) => ({ ...rest, differs: differs === null ? null : differs === 1 }))
  }

  comparison(name: string, provider: string): (Compared & { digest: string | null }) | null {
    const [row] = this.#sql.all<{ digest: string | null; differs: number | null }>(
      'SELECT digest, differs FROM compared WHERE name = ? AND provider = ?',
      ...[name, provider],
    )
    if (row === undefined) return null
    return { name, provider, digest: row.digest, differs: row.differs === null ? null : row.differs === 1 }
  }

  /** Stores that a replica could not be compared. That does not count as a comparison. */
  notCompared(name: string, provider: string, now: number): void {
    this.#sql.all('UPDATE compared SET tried_at = ? WHERE name = ? AND provider = ?', now, name, provider)
  }

  compared(name: string, provider: string, result: { digest: string | null; differs: boolean }, now: number): void {
    this.#sql.all(
      'UPDATE compared SET digest = ?, differs = ?, compared_at = ?, tried_at = 0 WHERE name = ? AND provider = ?',
      ...[result.digest, Number(result.differs), now, name, provider],
    )
  }

  /** Deletes the keyed digests of comparisons, and keeps their results. */
  forgetDigests(): void {
    this.#sql.all('UPDATE compared SET digest = NULL')
  }

  /** Replicas that had another value than the primary. */
  drifted(): { provider: string; name: string }[] {
    return this.#sql.all('SELECT provider, name FROM compared WHERE differs = 1')
  }
}
