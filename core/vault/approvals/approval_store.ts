/**
 * Stores requests for approval and the votes on them.
 *
 * @module
 */
import { DAY_MS } from '../../durations.ts'
import type { Action } from '../access/rules.ts'
import type { Sql } from '../sql.ts'

/** A request that waits for others, or did. */
export interface Approval {
  id: string
  /** The hash of `body`, which approvers approve. */
  hash: string
  /** The request as canonical JSON. */
  body: string
  operation: string
  /** The actions that need the approvals. */
  actions: readonly Action[]
  resource: string
  requester: string
  /** The lineage of the requester: none of these principals can approve. */
  lineage: readonly string[]
  /** The requester's reason. */
  reason: string
  createdAt: number
  expiresAt: number
  state: 'open' | 'rejected' | 'withdrawn' | 'used'
  endedAt: number | null
  endedBy: string | null
  endedWhy: string | null
}

/** An approval that was given, and by which token. */
export interface Vote {
  principal: string
  token: string | null
  session: string | null
  /** The trust in an identity provider that its session was made by, as it was then. */
  trust: { issuer: string; revision: string } | null
  /** The lineage of the approver. A person behind two approvers has one vote. */
  lineage: readonly string[]
  at: number
}

type Row = Omit<Approval, 'lineage' | 'actions'> & { lineage: string; action: string }
type VoteRow = Omit<Vote, 'lineage' | 'trust'> & {
  lineage: string | null
  issuer: string | null
  revision: string | null
}
type NewApproval = Omit<Approval, 'state' | 'endedAt' | 'endedBy' | 'endedWhy'>

const COLUMNS = `id, hash, body, operation, action, resource, requester, hands AS lineage, reason, created_at AS createdAt,
  expires_at AS expiresAt, state, ended_at AS endedAt, ended_by AS endedBy, ended_why AS endedWhy`
/** The longest time that a rule gives, as core/wire/index.ts has it. */
const MAX_WITHIN_MS = DAY_MS
/** How long ended requests are kept for display. The log keeps them as long as any entry. */
const KEEP_MS = 30 * DAY_MS

/** The rows of requests for approval, and of votes. */
export class ApprovalStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  find(id: string): Approval | null {
    const [row] = this.#sql.all<Row>(`SELECT ${COLUMNS} FROM approval WHERE id = ?`, id)
    return row === undefined ? null : approvalOf(row)
  }

  /** A principal's requests that can still be approved and used. */
  openOf(requester: string, now: number): Approval[] {
    const query = `SELECT ${COLUMNS} FROM approval WHERE requester = ? AND state = 'open' AND expires_at > ? ORDER BY created_at`
    return this.#sql.all<Row>(query, requester, now).map(approvalOf)
  }

  /** How many are open. */
  waiting(now: number): number {
    const query = "SELECT COUNT(*) AS count FROM approval WHERE state = 'open' AND expires_at > ?"
    return this.#sql.all<{ count: number }>(query, now)[0]!.count
  }

  /** The number of a principal's unexpired requests, without those that were approved and used. */
  askedBy(requester: string, now: number): number {
    const query = "SELECT COUNT(*) AS n FROM approval WHERE requester = ? AND state <> 'used' AND expires_at > ?"
    return this.#sql.all<{ n: number }>(query, requester, now)[0]!.n
  }

  /** The open requests, then the others; each the newest first. */
  list(limit: number, now: number): Approval[] {
    const isOpen = "state = 'open' AND expires_at > ?"
    const order = 'ORDER BY created_at DESC, id LIMIT ?'
    // An open request is not older than the longest time that a rule may give.
    const openQuery = `SELECT ${COLUMNS} FROM approval WHERE ${isOpen} AND created_at > ? ${order}`
    const open = this.#sql.all<Row>(openQuery, now, now - MAX_WITHIN_MS, limit)
    const restQuery = `SELECT ${COLUMNS} FROM approval WHERE NOT (${isOpen}) ${order}`
    const rest = open.length === limit ? [] : this.#sql.all<Row>(restQuery, now, limit - open.length)
    return [...open, ...rest].map(approvalOf)
  }

  /** Adds a request, and forgets some that ended long ago. */
  add({ lineage, actions, ...approval }: NewApproval): void {
    const { id, hash, body, operation, resource, requester, reason, createdAt, expiresAt } = approval
    const old = createdAt - KEEP_MS
    this.#sql.all('DELETE FROM vote WHERE approval IN (SELECT id FROM approval WHERE expires_at < ? LIMIT 10)', old)
    this.#sql.all(
      `DELETE FROM approval WHERE id IN (SELECT id FROM approval WHERE expires_at < ? LIMIT 10)
       AND NOT EXISTS (SELECT 1 FROM vote WHERE vote.approval = approval.id)`,
      old,
    )
    this.#sql.all(
      `INSERT INTO approval (id, hash, body, operation, action, resource, requester, hands, reason, created_at, expires_at, state)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')`,
      ...[id, hash, body, operation, actions.join(' '), resource, requester, JSON.stringify(lineage)],
      ...[reason, createdAt, expiresAt],
    )
  }

  votes(id: string): Vote[] {
    const query = `SELECT principal, token, session, at, hands AS lineage, issuer, revision FROM vote WHERE approval = ?
      ORDER BY at, principal`
    return this.#sql.all<VoteRow>(query, id).map(voteOf)
  }

  /** Stores a vote. Each principal has one. */
  vote(id: string, { principal, token, session, trust, lineage, at }: Vote): void {
    const { issuer = null, revision = null } = trust ?? {}
    this.#sql.all(
      `INSERT INTO vote (approval, principal, token, session, at, hands, issuer, revision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      ...[id, principal, token, session, at, JSON.stringify(lineage), issuer, revision],
    )
  }

  /** Ends a request that is open. */
  end(id: string, { state, by, why }: { state: Approval['state']; by: string; why: string | null }, now: number): void {
    this.#sql.all(
      "UPDATE approval SET state = ?, ended_at = ?, ended_by = ?, ended_why = ? WHERE id = ? AND state = 'open'",
      ...[state, now, by, why, id],
    )
  }
}

function voteOf({ lineage, issuer, revision, ...row }: VoteRow): Vote {
  const trust = issuer === null || revision === null ? null : { issuer, revision }
  return { ...row, trust, lineage: lineage === null ? [row.principal] : JSON.parse(lineage) }
}

function approvalOf({ action, lineage, ...row }: Row): Approval {
  return { ...row, actions: action.split(' ') as Action[], lineage: JSON.parse(lineage) }
}
