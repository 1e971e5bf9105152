/**
 * The calls between the edge and a vault: plain data, over an RPC or in one process.
 *
 * @module
 */

import type { Ticket } from '../authentication/ticket.ts'
import { type AskedApproval, type PosternError, type Reason, refusal } from '../errors.ts'
import type { RateLimitDecision } from '../rate_limit.ts'
import type { OperationName } from './operation_table.ts'

/** What the edge knows about a caller. It has no rights: the vault looks those up itself. */
export interface Caller {
  /**
   * The keyed hash of its token, which kind it is, and of which root key; an operator's ticket, whose MAC was checked;
   * `null` for one that wants to sign in.
   */
  credential: { kind: 'token' | 'session'; hash: Uint8Array; root?: string } | { kind: 'ticket'; ticket: Ticket } | null
  /** A DPoP proof that the edge checked, apart from its reuse. */
  proof: { jkt: string; id: string; expiresAt: number } | null
  /** Set when the caller wants approvals for its request, and why; or names the approved request. */
  approval?: { ask: string } | { id: string }
  requestId: string
  address: string | null
  agent: string | null
}

/** Whether a credential may create a vault. */
export function isBootstrap(credential: Caller['credential']): boolean {
  return credential?.kind === 'ticket' && credential.ticket.purpose === 'bootstrap'
}

/** One call of an operation. Plain data: it crosses an RPC. */
export interface Call {
  operation: OperationName
  caller: Caller
  /** The operation's input. `VaultHandle` in `worker/vault_host/host.ts` is where its type is kept. */
  input: unknown
}

/** The state of the tightest rate limit, for the client. */
export type Quota = Pick<RateLimitDecision, 'name' | 'limit' | 'remaining' | 'retryAfterMs'>

/**
 * The answer to a call, with the index of the entry that records it.
 *
 * A refusal is a value here, not a throw: a throw inside a transaction would undo its own entry, and a throw across
 * Durable Object RPC loses its code. {@link unwrap} turns it into one.
 */
export type Answer<T = unknown> = { quota: Quota | null } & (
  | { ok: true; index: number | null; value: T }
  | { ok: false; index: number | null; reason: Reason; approval?: AskedApproval }
)

/** An answer that was granted. */
export interface Granted<T> {
  index: number | null
  value: T
  quota: Quota | null
}

/**
 * Returns what was granted.
 *
 * @throws {PosternError} the refusal.
 */
export function unwrap<T>(answer: Answer<T>): Granted<T> {
  if (answer.ok) return answer
  throw refusalOf(answer)
}

/** Refusals that pass by themselves, and soon. */
const SOON: readonly Reason[] = ['storage', 'chain_changed', 'provider_unavailable', 'write_unknown']

/** Makes the error of a refused answer. */
export function refusalOf({ reason, index, quota, approval }: Answer & { ok: false }): PosternError {
  // A 401 holds no index: it would tell a locked or wrong code from an unknown token.
  const recorded = index !== null && reason !== 'unauthenticated'
  const throttled = reason === 'throttled' && quota !== null
  return refusal(reason, {
    ...(recorded ? { auditIndex: index } : {}),
    ...(approval && { approval }),
    ...(throttled ? { retryAfterSeconds: Math.ceil(quota.retryAfterMs / 1000) } : {}),
    ...(SOON.includes(reason) ? { retryAfterSeconds: 1 } : {}),
  })
}
