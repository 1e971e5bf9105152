import type { Caller } from '../call.ts'
import type { Identity } from '../operation.ts'
import type { FactorStore } from './factors.ts'
import { BOOTSTRAP_ADMIN, bootstrap } from './operations.ts'
import type { Circumstances } from './policy.ts'
import type { SessionEnd, SessionStore } from './sessions.ts'
import type { AccessStore } from './store.ts'

/** Who a caller is, and what is known beside. */
export interface Identified {
  identity: Identity
  circumstances: Circumstances
  /** Set when the caller just became the first principal of an empty vault. */
  bootstrapped?: true
}

interface Stores {
  access: AccessStore
  sessions: SessionStore
  factors: FactorStore
}

/**
 * A caller that is not identified, and why. The caller is told none of it: it gets the same 401 for each.
 *
 * - `unknown`: the vault does not know the token, or there is none
 * - `dead`: the token or session was good once
 * - `misused`: the session is bound to a key, and came without that key; or its proof was used before
 */
export type Unidentified = { why: 'unknown' } | Dead | Misused

interface Dead extends Holder {
  why: 'dead'
  flaw: SessionEnd
}

interface Misused extends Holder {
  why: 'misused'
  flaw: 'no_proof' | 'other_key' | 'not_bound' | 'proof_used'
}

/** Whose token or session it is, by accessors. */
interface Holder {
  principal: string
  token: string | null
  session: string | null
}

const UNKNOWN: Unidentified = { why: 'unknown' }

/** Identifies a caller by its token or session. */
export function identify(caller: Caller, stores: Stores, now: number): Identified | Unidentified {
  const { credential } = caller
  if (credential === null) return UNKNOWN
  const { hash } = credential
  return credential.kind === 'session' ? bySession(caller, hash, stores, now) : byToken(caller, hash, stores, now)
}

/** A caller that wants to sign in without a token of ours: it has no principal yet. */
export function stranger(caller: Caller, stores: Stores, now: number): Identified | Unidentified {
  if (!proofIsNew(caller, stores, now)) return UNKNOWN
  const nothing = { token: null, issuer: null, session: null, sessionExpiresAt: null, jkt: null }
  const circumstances = circumstancesOf(caller, now, { method: 'federated', mfaAt: null, bound: false })
  return { identity: { principal: '', kind: 'service', ...nothing }, circumstances }
}

/** Each proof counts for one request, whatever it is for (RFC 9449 section 11.1). */
function proofIsNew({ proof, requestId }: Caller, { factors }: Stores, now: number): boolean {
  return proof === null || factors.useOnce(`dpop/${proof.id}`, requestId, proof.expiresAt, now)
}

function bySession(caller: Caller, hash: Uint8Array, stores: Stores, now: number): Identified | Unidentified {
  const { sessions } = stores
  const session = sessions.find(hash, now)
  if (session === null) return UNKNOWN
  const { principal, token, issuer, jkt, accessor, expiresAt, method, mfaAt } = session
  const holder = { principal, token, session: accessor }
  const flaw = bindingFlaw(jkt, caller.proof?.jkt ?? null)
  // Before its end: a bound token without its key was stolen, also when it is dead.
  if (flaw !== null) return { why: 'misused', flaw, ...holder }
  if (session.ended !== null) return { why: 'dead', flaw: session.ended, ...holder }
  if (!proofIsNew(caller, stores, now)) return { why: 'misused', flaw: 'proof_used', ...holder }
  sessions.touch(hash, session.seenAt, now)
  const identity = { ...holder, kind: session.kind, issuer, sessionExpiresAt: expiresAt, jkt }
  return { identity, circumstances: circumstancesOf(caller, now, { method, mfaAt, bound: jkt !== null }) }
}

/** What is wrong with the key that a session came with. A proof with a session that is not bound proves nothing. */
function bindingFlaw(bound: string | null, proven: string | null): Misused['flaw'] | null {
  if (bound === proven) return null
  if (bound === null) return 'not_bound'
  return proven === null ? 'no_proof' : 'other_key'
}

function byToken(caller: Caller, hash: Uint8Array, stores: Stores, now: number): Identified | Unidentified {
  const { access } = stores
  const token = access.identify(hash, now)
  if (token === null && caller.bootstrap !== true) return UNKNOWN
  const holder = { principal: token?.principal ?? '', token: token?.accessor ?? null, session: null }
  if (token !== null && token.ended !== null) return { why: 'dead', flaw: token.ended, ...holder }
  // Before a principal is made: a request that is refused changes nothing.
  if (!proofIsNew(caller, stores, now)) return token ? { why: 'misused', flaw: 'proof_used', ...holder } : UNKNOWN
  const found = token ?? first(caller, access, now)
  if (found === null) return UNKNOWN
  const { principal, kind, accessor } = found
  const identity = { principal, kind, token: accessor, issuer: null, session: null, sessionExpiresAt: null, jkt: null }
  const circumstances = circumstancesOf(caller, now, { method: 'token', mfaAt: null, bound: false })
  return { identity, circumstances, ...(token === null && { bootstrapped: true }) }
}

function first({ bootstrap: isFirst, credential }: Caller, access: AccessStore, now: number) {
  const accessor = crypto.randomUUID()
  if (!isFirst || credential === null || !bootstrap(access, credential, accessor, now)) return null
  return { principal: BOOTSTRAP_ADMIN, accessor, kind: 'user' as const }
}

function circumstancesOf(
  { address, agent }: Caller,
  now: number,
  proven: Pick<Circumstances, 'method' | 'mfaAt' | 'bound'>,
): Circumstances {
  return { address, agent, now, ...proven }
}
