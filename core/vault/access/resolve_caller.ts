/**
 * Resolves a caller by its token, session or ticket.
 *
 * @module
 */

import type { Ticket } from '../../authentication/ticket.ts'
import { HOUR_MS } from '../../durations.ts'
import type { Severity } from '../audit/severity.ts'
import type { Time } from '../clock.ts'
import type { Identity, Operation } from '../operation.ts'
import type { Caller } from '../rpc.ts'
import type { FactorStore } from './factor_store.ts'
import type { AccessStore } from './principal_store.ts'
import type { Circumstances, Method } from './rules.ts'
import type { SessionEnd, SessionStore } from './session_store.ts'
import type { TicketStore } from './ticket_store.ts'

/** A resolved caller: its identity and circumstances. */
export interface ResolvedCaller {
  identity: Identity
  circumstances: Circumstances
  /** The ticket that the caller presents. Such a caller has no principal. */
  ticket?: Ticket | null
}

interface Stores {
  access: AccessStore
  sessions: SessionStore
  factors: FactorStore
  tickets: TicketStore
}

/**
 * A caller that is not identified, and why. The caller is told none of it: it gets the same 401 for each.
 *
 * - `unknown`: the vault does not know the token, or there is none, or the operation takes none of its kind
 * - `dead`: the token or session was good once
 * - `misused`: the session is bound to a key, and came without that key; or its proof was used before
 */
export type UnresolvedCaller = { why: 'unknown' } | Dead | Misused

interface Dead extends Holder {
  why: 'dead'
  flaw: SessionEnd
}

interface Misused extends Holder {
  why: 'misused'
  flaw: 'no_proof' | 'other_key' | 'not_bound' | 'proof_used'
}

/** The holder of a token or session, by accessors. */
interface Holder {
  principal: string
  token: string | null
  session: string | null
}

const UNKNOWN: UnresolvedCaller = { why: 'unknown' }

/** The credentials that an operation takes beside tokens and sessions. */
type Entrance = Pick<Operation<unknown, unknown>, 'anonymous' | 'ticket'>

/** Identifies a caller by its token or session, or by its ticket where the operation takes one. */
export function resolveCaller(
  caller: Caller,
  { anonymous, ticket }: Entrance,
  stores: Stores,
  time: Time,
): ResolvedCaller | UnresolvedCaller {
  const { credential } = caller
  if (credential?.kind === 'ticket') {
    const isTaken = credential.ticket.purpose === ticket
    return isTaken ? { ...withoutPrincipal(caller, time.now, 'token'), ticket: credential.ticket } : UNKNOWN
  }
  if (ticket !== undefined) return UNKNOWN
  if (credential === null) {
    return anonymous && proofIsNew(caller, stores, time) ? withoutPrincipal(caller, time.now, 'federated') : UNKNOWN
  }
  const { hash } = credential
  return credential.kind === 'session' ? bySession(caller, hash, stores, time) : byToken(caller, hash, stores, time)
}

/** A caller without a principal: it wants to sign in, or presents a ticket. */
function withoutPrincipal(caller: Caller, now: number, method: Method): ResolvedCaller {
  const nothing = { token: null, issuer: null, session: null, sessionExpiresAt: null, jkt: null }
  const circumstances = circumstancesOf(caller, now, { method, mfaAt: null, bound: false })
  return { identity: { principal: '', kind: 'service', ...nothing }, circumstances }
}

/** Each proof counts for one request, regardless of the operation (RFC 9449 section 11.1). */
function proofIsNew({ proof, requestId }: Caller, { factors }: Stores, { clock }: Time): boolean {
  return proof === null || factors.useOnce(`dpop/${proof.id}`, requestId, proof.expiresAt, clock)
}

function bySession(caller: Caller, hash: Uint8Array, stores: Stores, time: Time): ResolvedCaller | UnresolvedCaller {
  const { sessions } = stores
  const { now } = time
  const session = sessions.find(hash, now)
  if (session === null) return UNKNOWN
  const { principal, token, issuer, jkt, accessor, expiresAt, method, mfaAt } = session
  const holder = { principal, token, session: accessor }
  const flaw = bindingFlaw(jkt, caller.proof?.jkt ?? null)
  // Before its end: a bound token without its key was stolen, also when it is dead.
  if (flaw !== null) return { why: 'misused', flaw, ...holder }
  if (session.ended !== null) return { why: 'dead', flaw: session.ended, ...holder }
  if (!proofIsNew(caller, stores, time)) return { why: 'misused', flaw: 'proof_used', ...holder }
  sessions.touch(hash, session.seenAt, now)
  const identity = { ...holder, kind: session.kind, issuer, sessionExpiresAt: expiresAt, jkt }
  return { identity, circumstances: circumstancesOf(caller, now, { method, mfaAt, bound: jkt !== null }) }
}

/** The flaw of the key that came with a session. A proof with an unbound session proves nothing. */
function bindingFlaw(bound: string | null, proven: string | null): Misused['flaw'] | null {
  if (bound === proven) return null
  if (bound === null) return 'not_bound'
  return proven === null ? 'no_proof' : 'other_key'
}

function byToken(caller: Caller, hash: Uint8Array, stores: Stores, time: Time): ResolvedCaller | UnresolvedCaller {
  const { access, tickets } = stores
  const { now } = time
  const token = access.findToken(hash, now)
  if (token === null) return UNKNOWN
  const { principal, accessor } = token
  const holder = { principal, token: accessor, session: null }
  if (token.ended !== null) return { why: 'dead', flaw: token.ended, ...holder }
  // Checked before the ticket is spent: a refused request changes nothing.
  if (!proofIsNew(caller, stores, time)) return { why: 'misused', flaw: 'proof_used', ...holder }
  tickets.noteUse(accessor, now)
  const { kind } = token
  const identity = { principal, kind, token: accessor, issuer: null, session: null, sessionExpiresAt: null, jkt: null }
  return { identity, circumstances: circumstancesOf(caller, now, { method: 'token', mfaAt: null, bound: false }) }
}

function circumstancesOf(
  { address, agent }: Caller,
  now: number,
  proven: Pick<Circumstances, 'method' | 'mfaAt' | 'bound'>,
): Circumstances {
  return { address, agent, now, ...proven }
}

/** How often the refusal of one token for one flaw is recorded, in milliseconds. */
export const REFUSALS_RECORDED_MS = HOUR_MS

/** The entry of a refused token or session; `null` for one that the vault does not know. */
export function refusalEvent(found: UnresolvedCaller, tried: string) {
  if (found.why === 'unknown') return null
  const { why, flaw, principal, token, session } = found
  const isTheft = flaw === 'no_proof' || flaw === 'other_key'
  const kind =
    why === 'dead'
      ? { operation: 'token.dead', resource: session === null ? 'tokens' : 'sessions' }
      : { operation: 'session.misused', resource: 'sessions' }
  const severity: Severity = isTheft ? 'alert' : 'warning'
  const about = { ...kind, action: null, rule: null, outcome: 'unauthenticated', severity } as const
  return { ...about, principal, token, session, facts: { flaw, tried } }
}
