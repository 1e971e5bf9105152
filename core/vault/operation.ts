/**
 * Operations of a vault, as data: each names the right that it needs and does its work.
 *
 * The operations themselves are in the folders of their subjects (`secrets/`, `access/`, `audit/`); `vault.ts` runs all
 * of them in the same way.
 *
 * @module
 */

import type { Ticket } from '../authentication/ticket.ts'
import type { AskedApproval, Reason } from '../errors.ts'
import type { RateLimitDecision, RateWindow } from '../rate_limit.ts'
import type { PrincipalKind } from './access/principal_store.ts'
import type { Action, Circumstances, Rule } from './access/rules.ts'
import type { Stores } from './stores.ts'

/** Facts that an operation adds to its audit entry. Never a value, a token, or a hash of one. */
export type Facts = Readonly<Record<string, unknown>>

/**
 * The outcome of an operation: a value, or the reason for a refusal. Both are recorded unless `unrecorded` is set: for
 * a step that releases nothing, or a refusal that a stranger could repeat to fill the log.
 */
export type Outcome<T> = (
  | { value: T; actor?: Actor }
  | { reason: Reason; approval?: AskedApproval; quota?: RateLimitDecision }
) & {
  facts?: Facts
  unrecorded?: true
  /** Set when this outcome is more severe than {@link Operation.securityEvent}. */
  securityEvent?: 'alert'
}

/** The principal and token that the entry names for a caller without a principal. */
export type Actor = Pick<Identity, 'principal' | 'token'>

/** The identity of a caller, as the vault knows it from the token or the session. */
export interface Identity {
  principal: string
  kind: PrincipalKind
  /** The accessor of the API token; `null` for a federated session. */
  token: string | null
  /** The trust in an identity provider that a federated session is made from. */
  issuer: string | null
  /** The accessor of the session, when it is one. */
  session: string | null
  /** When the session ends at the latest, in milliseconds since the Unix epoch. */
  sessionExpiresAt: number | null
  /** The thumbprint of the key that the session is bound to. */
  jkt: string | null
}

/** Everything that an operation may touch, inside its transaction. */
export interface OperationContext extends Stores {
  limits: VaultLimits
  identity: Identity
  /** The operator's ticket, for an operation that takes one; `null` for every other. */
  ticket: Ticket | null
  /** The id of the caller's principal: `identity.principal`. */
  principal: string
  /** The rules that name this principal. */
  rules: readonly Rule[]
  /** Why the caller may not do something here and now; `null` when it may. For what has no one action. */
  refuses: (action: Action, resource: string) => 'denied' | 'mfa_required' | null
  /** Why the server's policy refuses an action here and now, above all rules; `null` when it does not. */
  barred: (action: Action) => 'denied' | 'mfa_required' | null
  /** The circumstances of the request. */
  circumstances: Circumstances
  requestId: string
  /** The network it comes from, as failures are counted by. */
  source: string
  /** The time of the vault, in milliseconds since the Unix epoch: by it everything begins and ends that the vault keeps. */
  now: number
  /** The reading of the clock, for what others date, such as proofs and assertions. */
  clock: number
}

/** Limits of the whole server: the lifetimes of sessions, and the uses of a second factor. */
export interface VaultLimits {
  requireMfa: boolean
  requireMfaForAdmin: boolean
  sessionMaxMs: number
  sessionIdleMs: number
  revalidationWindows(principal: string): RateWindow[]
}

/** One operation of a vault. Synchronous throughout: no other request comes between. */
export interface Operation<Input, Output> {
  /** The right it needs, on {@link Operation.resource}; `null` when `run` looks at rights itself. */
  action: Action | null
  /** A further right that an input needs on the same resource: `read`, where a stored value is opened for its caller. */
  also?: (input: Input) => Action | null
  /** Set when it needs no token: it is what creates a session. */
  anonymous?: true
  /** The purpose of the ticket that the operation takes, in place of a token or session. */
  ticket?: Ticket['purpose']
  /**
   * Set when it changes rights, or what is kept and for how long: it is then a security event even when it succeeds; `alert` when an
   * operator should look now.
   */
  securityEvent?: true | 'alert'
  /** Set when each one counts against rate limits, rather than the request that it belongs to. */
  countsEach?: true
  /**
   * Set when it reports the outcome of an operation that was authorized just before: no rate limit counts it or keeps
   * it out of the log.
   */
  continuation?: true
  resource: (input: Input) => string
  /** Facts about the resource for the entry of any outcome. */
  resourceFacts?: (input: Input) => Facts
  /**
   * The exact request and the state that it depends on: an approval is given for these. `nothing` when no approval is
   * needed, ever or in this state, since the operation releases no value or only takes rights away. An operation
   * without a binding is refused where a rule demands an approval.
   */
  approvalBinding?: ((context: OperationContext, input: Input) => Facts | 'nothing') | 'nothing'
  run: (context: OperationContext, input: Input) => Outcome<Output>
}

/** Takes the place of an input that the edge found unusable for this server. It is authorized, recorded and refused. */
export interface Unusable {
  id: string
  unusable: true
}

/** Lets the compiler infer the types of an operation from its definition. */
export function operation<Input, Output>(definition: Operation<Input, Output>): Operation<Input, Output> {
  return definition
}

/** The resource of an operation or a task on one secret: the secret's name. */
export function byName({ name }: { name: string }): string {
  return name
}
