import type { Caller } from '../call.ts'
import type { Identity } from '../operation.ts'
import type { FactorStore } from './factors.ts'
import { BOOTSTRAP_ADMIN, bootstrap } from './operations.ts'
import type { Circumstances } from './policy.ts'
import type { SessionStore } from './sessions.ts'
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

/** Finds out who a caller is, from its token or session; `null` for a dead one, or a proof that does not fit. */
export function identify(caller: Caller, stores: Stores, now: number): Identified | null {
  const { credential } = caller
  if (credential === null) return null
  const { hash } = credential
  return credential.kind === 'session' ? bySession(caller, hash, stores, now) : byToken(caller, hash, stores, now)
}

/** Whoever wants to sign in: nobody yet. `null` when the proof was used before. */
export function stranger(caller: Caller, stores: Stores, now: number): Identified | null {
  if (!proofIsNew(caller, stores, now)) return null
  const nothing = { token: null, issuer: null, session: null, sessionExpiresAt: null, jkt: null }
  const circumstances = circumstancesOf(caller, now, { method: 'federated', mfaAt: null, bound: false })
  return { identity: { principal: '', kind: 'service', ...nothing }, circumstances }
}

/** Each proof counts for one request, whatever it is for (RFC 9449 section 11.1). */
function proofIsNew({ proof, requestId }: Caller, { factors }: Stores, now: number): boolean {
  return proof === null || factors.useOnce(`dpop/${proof.id}`, requestId, proof.expiresAt, now)
}

function bySession(caller: Caller, hash: Uint8Array, stores: Stores, now: number): Identified | null {
  const { sessions } = stores
  const session = sessions.find(hash, now)
  // A bound token without a proof is a stolen one; a proof with an unbound token proves nothing.
  if (session === null || session.jkt !== (caller.proof?.jkt ?? null)) return null
  if (!proofIsNew(caller, stores, now)) return null
  sessions.touch(hash, session.seenAt, now)
  const { principal, kind, token, issuer, jkt, accessor, expiresAt, method, mfaAt } = session
  const identity = { principal, kind, token, issuer, session: accessor, sessionExpiresAt: expiresAt, jkt }
  return { identity, circumstances: circumstancesOf(caller, now, { method, mfaAt, bound: jkt !== null }) }
}

function byToken(caller: Caller, hash: Uint8Array, stores: Stores, now: number): Identified | null {
  const { access } = stores
  const token = access.identify(hash, now)
  if (token === null && caller.bootstrap !== true) return null
  // Before somebody is made of it: what is refused changes nothing.
  if (!proofIsNew(caller, stores, now)) return null
  const found = token ?? first(caller, access, now)
  if (found === null) return null
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
