/**
 * The rows of sessions.
 *
 * @module
 */
import type { Sql } from '../sql.ts'
import { OWN_ROOT } from './principal_store.ts'
import type { Method } from './rules.ts'

/** A session as it is shown: never its token, nor the hash that finds it. */
export interface Session {
  /** An id that is safe to show and to log. */
  accessor: string
  principal: string
  method: Exclude<Method, 'token'>
  createdAt: number
  seenAt: number
  expiresAt: number
  mfaAt: number | null
  address: string | null
  agent: string | null
  bound: boolean
}

/** A session to be. */
export interface NewSession {
  hash: Uint8Array
  accessor: string
  principal: string
  /** The accessor of the API token that it is made from. */
  token: string | null
  /** The id of the trust in an identity provider that it is made from. */
  issuer: string | null
  method: Exclude<Method, 'token'>
  jkt: string | null
  expiresAt: number
  mfaAt: number | null
  address: string | null
  agent: string | null
  /** The root key that its token is made under; the vault's own when not given. */
  root?: string | undefined
}

/** Why a session is dead: it was ended, its time is up, it was idle, its API token ended, or its principal is disabled. */
export type SessionEnd = 'revoked' | 'expired' | 'idle' | 'token' | 'disabled'

/** The facts of a session that the vault needs at each request. */
interface SessionFacts {
  accessor: string
  principal: string
  token: string | null
  issuer: string | null
  method: Exclude<Method, 'token'>
  jkt: string | null
  seenAt: number
  expiresAt: number
  mfaAt: number | null
}

/** A session that the vault knows, dead or alive. */
export type KnownSession = SessionFacts & ({ ended: null; kind: 'user' | 'service' } | { ended: SessionEnd })

interface Row extends SessionFacts {
  revokedAt: number | null
  /** `null` when the principal is disabled. */
  kind: 'user' | 'service' | null
  /** Whether the API token that it is made from is good, where it is made from one. */
  hasToken: number
}

const SHOWN = `accessor, principal, method, created_at AS createdAt, seen_at AS seenAt, expires_at AS expiresAt,
  mfa_at AS mfaAt, address, agent, jkt IS NOT NULL AS bound`
const LIVE = 'revoked_at IS NULL AND session.expires_at > ? AND seen_at > ?'

type ShownRow = Omit<Session, 'bound'> & { bound: number }

/** The rows of sessions. */
export class SessionStore {
  readonly #sql: Sql
  readonly #idleMs: number

  constructor(sql: Sql, idleMs: number) {
    this.#sql = sql
    this.#idleMs = idleMs
  }

  /** Finds a session, dead or alive; `null` when the vault does not know it. */
  find(hash: Uint8Array, now: number): KnownSession | null {
    // Subqueries, not joins: on Bun those take ten times as long.
    const [row] = this.#sql.all<Row>(
      `SELECT accessor, principal, token, issuer, method, jkt, seen_at AS seenAt, expires_at AS expiresAt, mfa_at AS mfaAt,
              revoked_at AS revokedAt,
              (SELECT kind FROM principal WHERE id = session.principal AND disabled_at IS NULL) AS kind,
              token IS NULL OR EXISTS (SELECT 1 FROM token AS parent WHERE parent.accessor = session.token
                AND parent.revoked_at IS NULL AND (parent.expires_at IS NULL OR parent.expires_at > ?)) AS hasToken
       FROM session WHERE hash = ?`,
      ...[now, hash],
    )
    if (row === undefined) return null
    const { revokedAt, hasToken: _, kind, ...session } = row
    const ended = this.#endOf(row, now)
    if (ended !== null) return { ...session, ended }
    return kind === null ? { ...session, ended: 'disabled' } : { ...session, ended: null, kind }
  }

  #endOf({ revokedAt, expiresAt, seenAt, hasToken }: Row, now: number): SessionEnd | null {
    if (revokedAt !== null) return 'revoked'
    if (expiresAt <= now) return 'expired'
    if (seenAt <= now - this.#idleMs) return 'idle'
    return hasToken ? null : 'token'
  }

  /** Stores that a session is in use, at most once in a sixtieth of the idle time. */
  touch(hash: Uint8Array, seenAt: number, now: number): void {
    if (now - seenAt > this.#idleMs / 60) this.#sql.all('UPDATE session SET seen_at = ? WHERE hash = ?', now, hash)
  }

  /** Adds a session, and forgets some that ended. */
  add(session: NewSession, now: number): void {
    this.#sql.all(
      'DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE expires_at < ? ORDER BY expires_at LIMIT 10)',
      now,
    )
    const { hash, accessor, principal, token, issuer, method, jkt, expiresAt, mfaAt, address, agent, root } = session
    this.#sql.all(
      `INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ${OWN_ROOT})`,
      ...[hash, accessor, principal, token, method, issuer, jkt, now, now, expiresAt, mfaAt, address, agent],
      root ?? null,
    )
  }

  /** Live sessions of one principal, or of all, newest first; 1000 at most. */
  list(principal: string | null, now: number): Session[] {
    const query = `SELECT ${SHOWN} FROM session WHERE ${LIVE}`
    const order = 'ORDER BY created_at DESC LIMIT 1000'
    const live = [now, now - this.#idleMs]
    const rows =
      principal === null
        ? this.#sql.all<ShownRow>(`${query} ${order}`, ...live)
        : this.#sql.all<ShownRow>(`${query} AND principal = ? ${order}`, ...live, principal)
    return rows.map((row) => ({ ...row, bound: row.bound === 1 }))
  }

  /** The principal of a session that has not ended. */
  ownerOf(accessor: string): string | null {
    const [row] = this.#sql.all<{ principal: string }>(
      'SELECT principal FROM session WHERE accessor = ? AND revoked_at IS NULL',
      accessor,
    )
    return row?.principal ?? null
  }

  revoke(accessor: string, now: number): void {
    this.#sql.all('UPDATE session SET revoked_at = ? WHERE accessor = ? AND revoked_at IS NULL', now, accessor)
  }

  /** Ends all sessions that a trust in an identity provider made. */
  revokeFederated(issuer: string, now: number): void {
    this.#sql.all('UPDATE session SET revoked_at = ? WHERE issuer = ? AND revoked_at IS NULL', now, issuer)
  }

  /** Ends all sessions of a principal, and returns how many. */
  revokeAll(principal: string, now: number): number {
    return this.#sql.all(
      'UPDATE session SET revoked_at = ? WHERE principal = ? AND revoked_at IS NULL RETURNING accessor',
      ...[now, principal],
    ).length
  }
}
