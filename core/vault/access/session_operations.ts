/**
 * Operations on sessions, and sign-in through issuers.
 *
 * @module
 */

import { type Claims, textOf, unmetConditions } from '../../claim_conditions.ts'
import { HOUR_MS } from '../../durations.ts'
import { type Facts, type OperationContext, type Outcome, operation } from '../operation.ts'
import { refusedByLock, refusedRepeat } from './factor_operations.ts'
import type { VersionedIssuer } from './issuer_store.ts'
import type { Session } from './session_store.ts'

/**
 * The second factor that a caller presents: the TOTP step that the edge has verified, or the hashes of a recovery code,
 * which the vault checks.
 */
export type Factor = { kind: 'totp'; id: string; step: number } | { kind: 'recovery'; hash: string; former?: string[] }

/** The facts of a new session. */
export interface SessionInput {
  hash: Uint8Array
  /** The root key that the session's token is made under. */
  root?: string
  accessor: string
  jkt: string | null
  factor: Factor | null
}

/** A session that was just made. */
export interface OpenedSession {
  accessor: string
  principal: string
  expiresAt: number
  mfaAt: number | null
}

/** The caller's identity, for itself. */
export interface Whoami {
  principal: string
  kind: 'user' | 'service'
  method: 'token' | 'session' | 'federated'
  session: string | null
  expiresAt: number | null
  mfaAt: number | null
  bound: boolean
  totp: boolean
  recoveryCodesLeft: number
}

const self = { action: null, resource: () => 'self' } as const

/** Returns the caller's identity and how it signed in. */
export const whoami = operation({
  ...self,
  run({ identity, circumstances, factors }): Outcome<Whoami> {
    const { principal, kind, session, sessionExpiresAt: expiresAt, jkt } = identity
    const { method, mfaAt } = circumstances
    const totp = factors.confirmed(principal) !== null
    const recoveryCodesLeft = factors.recoveryCodesLeft(principal)
    return {
      value: { principal, kind, method, session, expiresAt, mfaAt, bound: jkt !== null, totp, recoveryCodesLeft },
    }
  },
})

/** Makes a session from an API token, or a new one from a session: with another factor, and in its place. */
export const openSession = operation({
  ...self,
  securityEvent: true,
  resourceFacts: ({ jkt, factor }: SessionInput) => ({ factor: factor?.kind ?? null, bound: jkt !== null }),
  run(context: OperationContext, { hash, accessor, jkt, factor, root }: SessionInput): Outcome<OpenedSession> {
    const { identity, circumstances, sessions, now, limits } = context
    // A bound session passes its binding on: a thief of its token must not shake it off.
    if (identity.jkt !== null && identity.jkt !== jkt) return { reason: 'unauthenticated' }
    const refused = factor === null ? null : takeFactor(context, factor, jkt)
    if (refused !== null) return refused
    const mfaAt = factor === null ? circumstances.mfaAt : now
    const expiresAt = identity.sessionExpiresAt ?? now + limits.sessionMaxMs
    if (identity.session !== null) sessions.revoke(identity.session, now)
    const { principal, token, issuer } = identity
    const method = circumstances.method === 'federated' ? 'federated' : 'session'
    const { address, agent } = circumstances
    const about = { hash, accessor, principal, token, issuer, method, jkt, root } as const
    sessions.add({ ...about, expiresAt, mfaAt, address, agent }, now)
    return { value: { accessor, principal, expiresAt, mfaAt }, facts: { session: accessor } }
  },
})

/** Lists the caller's own sessions; an administrator sees those of one principal or of all. */
export const listSessions = operation({
  action: null,
  resource: () => 'sessions',
  resourceFacts: ({ principal }: { principal: string | null }) => ({ of: principal }),
  run(context: OperationContext, { principal }: { principal: string | null }): Outcome<Session[]> {
    const refused = principal === context.principal ? null : context.refuses('admin', 'sessions')
    return refused === null ? { value: context.sessions.list(principal, context.now) } : { reason: refused }
  },
})

/** Ends a session: the present one, another one of the caller, or any session for an administrator. */
export const endSession = operation({
  action: null,
  securityEvent: true,
  resource: () => 'sessions',
  resourceFacts: ({ accessor }: { accessor: string | null }) => ({ session: accessor }),
  run(context: OperationContext, { accessor }: { accessor: string | null }): Outcome<{ accessor: string }> {
    const { sessions, identity, now, principal } = context
    const wanted = accessor ?? identity.session
    if (wanted === null) return { reason: 'no_session' }
    const owner = sessions.ownerOf(wanted)
    // A foreign session and a missing one must look the same to a caller who may not see it.
    const refused = owner === principal ? null : context.refuses('admin', 'sessions')
    if (refused !== null) return { reason: refused }
    if (owner === null) return { reason: 'no_session' }
    sessions.revoke(wanted, now)
    return { value: { accessor: wanted }, facts: { session: wanted, of: owner } }
  },
})

/** Ends all sessions of a principal. */
export const endSessions = operation({
  action: null,
  securityEvent: true,
  resource: () => 'sessions',
  resourceFacts: ({ principal }: { principal: string }) => ({ of: principal }),
  run(context: OperationContext, { principal }: { principal: string }): Outcome<{ sessions: number }> {
    const refused = principal === context.principal ? null : context.refuses('admin', 'sessions')
    if (refused !== null) return { reason: refused }
    const ended = context.sessions.revokeAll(principal, context.now)
    return { value: { sessions: ended }, facts: { sessions: ended } }
  },
})

/**
 * Lists the issuers that this vault trusts for an `iss` claim; the edge checks a token against them. Never recorded:
 * strangers call it, with any claim.
 */
export const trustedIssuers = operation({
  action: null,
  anonymous: true,
  resource: () => 'issuers',
  run: ({ issuers }: OperationContext, { issuer }: { issuer: string }): Outcome<VersionedIssuer[]> => {
    const trusted = issuers.trusting(issuer)
    return trusted.length === 0 ? { reason: 'unauthenticated', unrecorded: true } : { value: trusted, unrecorded: true }
  },
})

/** A token of an identity provider whose signature, issuer and audience the edge has checked. */
export interface FederatedInput {
  hash: Uint8Array
  /** The root key that the session's token is made under. */
  root?: string
  accessor: string
  jkt: string | null
  /** The trusts that it was checked against: a change in between refuses. */
  candidates: { id: string; revision: string }[]
  claims: Claims
  /** Identifies the token, and when it would expire. */
  once: string
  onceExpiresAt: number
  /** The flaw of its times. A flawed assertion is refused, and the refusal is recorded. */
  flaw?: AssertionFlaw | null
}

/** The flaws that the times of an otherwise valid assertion can have. */
export type AssertionFlaw = 'assertion_expired' | 'assertion_too_old' | 'assertion_not_yet' | 'assertion_undated'

/** Why a well-signed token does not sign in. The caller does not learn it. */
type FederationRefusal = AssertionFlaw | 'assertion_used' | 'claims' | 'principal_disabled'

/** Makes a session from a token of an identity provider, when its claims meet the conditions of a trust. */
export const federateSession = operation({
  action: null,
  securityEvent: true,
  anonymous: true,
  resource: () => 'issuers',
  run(context: OperationContext, input: FederatedInput): Outcome<OpenedSession> {
    const { access, issuers, sessions, circumstances, limits, now } = context
    const { hash, accessor, jkt, claims, root, flaw = null } = input
    const facts = { bound: jkt !== null, issuer: textOf(claims.iss), subject: textOf(claims.sub) }
    if (flaw !== null) return refusedAssertion(context, input, flaw, facts)
    const trusts = input.candidates.flatMap(({ id, revision }) => {
      const issuer = issuers.find(id)
      return issuer !== null && issuer.revision === revision ? [issuer] : []
    })
    const unmet = trusts.map((issuer) => unmetBy(claims, issuer))
    const trust = trusts.find((_, at) => unmet[at]!.length === 0)
    if (trust === undefined) {
      const [closest] = unmet.toSorted((a, b) => a.length - b.length)
      return refusedAssertion(context, input, 'claims', { ...facts, ...(closest && { claim: closest[0]! }) })
    }
    const principal = access.principal(trust.principal)
    if (!principal || principal.disabledAt !== null)
      return refusedAssertion(context, input, 'principal_disabled', facts)
    if (!takesAssertion(context, trust, input)) {
      // A workload comes again with its key: another one, or none, is a thief's.
      const alert = context.factors.usedBy(idOf(input))?.startsWith(KEY) ? ({ securityEvent: 'alert' } as const) : {}
      const used = { ...facts, trust: trust.id, principal: principal.id }
      return { ...refusedAssertion(context, input, 'assertion_used', used), ...alert }
    }
    const expiresAt = now + limits.sessionMaxMs
    const { address, agent } = circumstances
    const about = {
      hash,
      accessor,
      principal: principal.id,
      token: null,
      issuer: trust.id,
      method: 'federated',
      jkt,
      root,
    } as const
    sessions.add({ ...about, expiresAt, mfaAt: null, address, agent }, now)
    const opened = { session: accessor, trust: trust.id, principal: principal.id }
    return { value: { accessor, principal: principal.id, expiresAt, mfaAt: null }, facts: { ...facts, ...opened } }
  },
})

/** The thumbprint of the key that used a token, if there was one. */
const KEY = 'key:'

function idOf({ once }: FederatedInput): string {
  return `jwt/${once}`
}

/** Whether a token may sign in by a trust now: again, or for the first time. */
function takesAssertion(
  { factors, clock, requestId }: OperationContext,
  { assertions }: VersionedIssuer,
  input: FederatedInput,
): boolean {
  const { onceExpiresAt, jkt, claims } = input
  if (assertions === 'until-expiry') return true
  const times = { madeAt: typeof claims.iat === 'number' ? claims.iat * 1000 : 0, expiresAt: onceExpiresAt }
  if (factors.usedBy(idOf(input)) === null && factors.mayHaveForgotten(times, clock)) return false
  const by = assertions === 'same-key' && jkt !== null ? `${KEY}${jkt}` : requestId
  return factors.useOnce(idOf(input), by, onceExpiresAt, clock)
}

/**
 * The most refusals of one issuer and reason that are recorded in an hour: some issuers sign tokens for any stranger.
 */
const REFUSALS_RECORDED = 10
const REFUSALS_MS = HOUR_MS

/** Refuses a well-signed token, and records each once. */
function refusedAssertion(
  { factors, clock, now }: OperationContext,
  { once }: FederatedInput,
  reason: FederationRefusal,
  facts: Facts,
): { reason: 'unauthenticated'; facts: Facts; unrecorded?: true } {
  const mark = (id: string) => factors.mark(`refused/${id}`, now + REFUSALS_MS, { clock, now })
  const about = `${facts.issuer}/${reason}`
  const slots = Array.from({ length: REFUSALS_RECORDED }, (_, slot) => `${about}/${slot}`)
  // Only a token that signed in once can be replayed, so these entries stay few.
  const isRecorded = mark(`${once}/${reason}`) && (reason === 'assertion_used' || slots.some(mark))
  return { reason: 'unauthenticated', facts: { ...facts, reason }, ...(!isRecorded && { unrecorded: true }) }
}

/** The claims of a token that a trust does not accept, by name. */
function unmetBy(claims: Claims, { issuer, claims: conditions }: VersionedIssuer): string[] {
  return claims.iss === issuer ? unmetConditions(claims, conditions) : ['iss']
}

/** Uses a factor up, or refuses. A TOTP attempt was reserved by {@link beginTotp}; a recovery code's is here. */
function takeFactor(
  context: OperationContext,
  factor: Factor,
  jkt: string | null,
): { reason: 'unauthenticated'; facts?: Facts; unrecorded?: true } | null {
  const { identity, factors, lockout, source, now } = context
  const { principal } = identity
  const attempt = { principal, source, jkt }
  if (factor.kind === 'recovery' && lockout.begin(attempt, now) === 'locked')
    return refusedByLock(context, 'recovery', jkt)
  if (factor.kind === 'totp') {
    if (factors.confirmed(principal)?.id !== factor.id) return { reason: 'unauthenticated' }
    if (!factors.takeStep(principal, factor.id, factor.step)) return refusedRepeat(context, jkt)
  } else if (!factors.takeRecoveryCode(principal, [factor.hash, ...(factor.former ?? [])])) {
    return { reason: 'unauthenticated' }
  }
  lockout.succeed(attempt, now)
  return null
}
