/**
 * What can be asked of a vault's sessions and second factors, and of identity providers at sign-in.
 *
 * Codes are checked at the edge, which has the keys; how often one may try, and that none counts
 * twice, is decided here.
 *
 * @module
 */
import { type Context, type Outcome, operation } from '../operation.ts'
import type { SealedTotp } from './factors.ts'
import type { VersionedIssuer } from './issuers.ts'
import { decide, globMatches } from './policy.ts'
import type { Session } from './sessions.ts'

/** A second factor, as the edge found it to be. */
export type Factor = { kind: 'totp'; step: number } | { kind: 'recovery'; hash: string }

/** What a new session is made of. */
export interface SessionInput {
  hash: Uint8Array
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

/** Who am I. */
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

export const whoami = operation({
  ...self,
  run({ identity, circumstances, factors }): Outcome<Whoami> {
    const { principal, kind, session, sessionExpiresAt: expiresAt, jkt } = identity
    const { method, mfaAt } = circumstances
    const totp = factors.totp(principal)?.confirmedAt != null
    const recoveryCodesLeft = factors.recoveryCodesLeft(principal)
    return {
      value: { principal, kind, method, session, expiresAt, mfaAt, bound: jkt !== null, totp, recoveryCodesLeft },
    }
  },
})

/** Makes a session from an API token, or a new one from a session: with another factor, and in its place. */
export const openSession = operation({
  ...self,
  run(context: Context, { hash, accessor, jkt, factor }: SessionInput): Outcome<OpenedSession> {
    const { identity, circumstances, sessions, now, limits } = context
    const facts = { session: accessor, factor: factor?.kind ?? null, bound: jkt !== null }
    // A bound session passes its binding on: a thief of its token must not shake it off.
    if (identity.jkt !== null && identity.jkt !== jkt) return { reason: 'unauthenticated', facts }
    if (factor !== null && !takeFactor(context, factor, jkt)) return { reason: 'unauthenticated', facts }
    const mfaAt = factor === null ? circumstances.mfaAt : now
    const expiresAt = identity.sessionExpiresAt ?? now + limits.sessionMaxMs
    if (identity.session !== null) sessions.revoke(identity.session, now)
    const { principal, token } = identity
    const method = circumstances.method === 'federated' ? 'federated' : 'session'
    const { address, agent } = circumstances
    sessions.add({ hash, accessor, principal, token, method, jkt, expiresAt, mfaAt, address, agent }, now)
    return { value: { accessor, principal, expiresAt, mfaAt }, facts }
  },
})

/** Reserves an attempt at a code, and gives the sealed secret to check it with. */
export const beginTotp = operation({
  ...self,
  run(
    { identity, factors, lockout, source, now }: Context,
    { jkt }: { jkt: string | null },
  ): Outcome<SealedTotp & { principal: string }> {
    const { principal } = identity
    // Counted even when there is no secret: to have none must not look different.
    const reservation = lockout.begin({ principal, source, jkt }, now)
    // Not recorded each time: a locked stranger could fill the log. The last attempt before it was.
    if (reservation === 'locked') return { reason: 'unauthenticated', quiet: true }
    const facts = { factor: 'totp', locks: reservation === 'last' }
    const totp = factors.totp(principal)
    return totp === null ? { reason: 'unauthenticated', facts } : { value: { ...totp, principal }, facts }
  },
})

/** Records that a code was wrong. The attempt is counted already. It always refuses. */
export const failTotp = operation({
  ...self,
  run: (_: Context, __: Record<never, never>): Outcome<never> => ({
    reason: 'unauthenticated',
    facts: { factor: 'totp' },
  }),
})

/** Puts a new TOTP secret in place, to be confirmed by a code of it. */
export const enrolTotp = operation({
  ...self,
  run(
    { identity, factors, circumstances, now }: Context,
    totp: Omit<SealedTotp, 'confirmedAt'>,
  ): Outcome<{ principal: string }> {
    const { principal } = identity
    // Whoever has only the token must not replace the factor that the token alone does not satisfy.
    const confirmed = factors.totp(principal)?.confirmedAt != null
    if (confirmed && circumstances.mfaAt === null) return { reason: 'mfa_required' }
    factors.putTotp(principal, totp, now)
    return { value: { principal } }
  },
})

/** Confirms a TOTP secret by a code of it, and takes new recovery codes. */
export const confirmTotp = operation({
  ...self,
  run(
    context: Context,
    input: { step: number; recoveryHashes: string[]; jkt: string | null },
  ): Outcome<{ principal: string }> {
    const { identity, factors, lockout, source, now } = context
    const { principal } = identity
    if (!factors.takeStep(principal, input.step)) return { reason: 'unauthenticated' }
    lockout.succeed({ principal, source, jkt: input.jkt }, now)
    factors.confirm(principal, input.recoveryHashes, now)
    return { value: { principal } }
  },
})

/** Removes a principal's second factors, for one who lost them. Its sessions end. */
export const resetFactors = operation({
  action: 'admin',
  resource: () => 'principals',
  run({ access, factors, sessions, now }, { id }: { id: string }): Outcome<{ sessions: number }> {
    if (access.principal(id) === null) return { reason: 'no_principal', facts: { principal: id } }
    factors.remove(id)
    const ended = sessions.revokeAll(id, now)
    return { value: { sessions: ended }, facts: { principal: id, sessions: ended } }
  },
})

/** One's own sessions; another's, or everybody's, for an admin. */
export const listSessions = operation({
  action: null,
  resource: () => 'sessions',
  run(context: Context, { principal }: { principal: string | null }): Outcome<Session[]> {
    if (principal !== context.principal && !mayAdminister(context)) return { reason: 'denied' }
    return { value: context.sessions.list(principal, context.now), facts: { principal } }
  },
})

/** Ends a session: the present one, another of one's own, or anybody's for an admin. */
export const endSession = operation({
  action: null,
  resource: () => 'sessions',
  run(context: Context, { accessor }: { accessor: string | null }): Outcome<{ accessor: string }> {
    const { sessions, identity, now, principal } = context
    const wanted = accessor ?? identity.session
    const owner = wanted === null ? null : sessions.ownerOf(wanted)
    // Another's session and none at all must look the same to whoever may not see it.
    if (owner !== principal && !mayAdminister(context)) return { reason: accessor === null ? 'no_session' : 'denied' }
    if (wanted === null || owner === null) return { reason: 'no_session' }
    sessions.revoke(wanted, now)
    return { value: { accessor: wanted }, facts: { session: wanted, of: owner } }
  },
})

/** Ends all sessions of a principal. */
export const endSessions = operation({
  action: null,
  resource: () => 'sessions',
  run(context: Context, { principal }: { principal: string }): Outcome<{ sessions: number }> {
    if (principal !== context.principal && !mayAdminister(context))
      return { reason: 'denied', facts: { of: principal } }
    const ended = context.sessions.revokeAll(principal, context.now)
    return { value: { sessions: ended }, facts: { of: principal, sessions: ended } }
  },
})

/** The identity providers that this vault trusts for an `iss` claim: what the edge checks a token against. */
export const trustedIssuers = operation({
  action: null,
  anonymous: true,
  resource: () => 'issuers',
  run: ({ issuers }: Context, { issuer }: { issuer: string }): Outcome<VersionedIssuer[]> => {
    const trusted = issuers.trusting(issuer)
    return trusted.length === 0 ? { reason: 'unauthenticated' } : { value: trusted }
  },
})

/** A token of an identity provider whose signature, issuer, audience and times the edge has checked. */
export interface FederatedInput {
  hash: Uint8Array
  accessor: string
  jkt: string | null
  issuerId: string
  /** The version of the trust that the edge checked against: a change in between refuses. */
  issuerVersion: number
  claims: Record<string, unknown>
  /** Identifies the token, to be taken once, and when it would expire. */
  once: string
  onceExpiresAt: number
}

/** Makes a session from a token of an identity provider, when its claims meet the conditions. */
export const federateSession = operation({
  action: null,
  anonymous: true,
  resource: ({ issuerId }: FederatedInput) => `issuers/${issuerId}`,
  run(context: Context, input: FederatedInput): Outcome<OpenedSession> {
    const { access, issuers, sessions, factors, circumstances, limits, now } = context
    const { hash, accessor, jkt, claims } = input
    const issuer = issuers.find(input.issuerId)
    const facts = { session: accessor, issuer: input.issuerId, bound: jkt !== null, subject: textOf(claims.sub) }
    if (issuer === null || issuer.version !== input.issuerVersion) return { reason: 'unauthenticated', facts }
    if (!meets(claims, issuer)) return { reason: 'unauthenticated', facts }
    const principal = access.principal(issuer.principal)
    if (principal === null || principal.disabledAt !== null) return { reason: 'unauthenticated', facts }
    if (!factors.useOnce(`jwt/${input.once}`, context.requestId, input.onceExpiresAt, now))
      return { reason: 'unauthenticated', facts }
    const expiresAt = now + limits.sessionMaxMs
    const { address, agent } = circumstances
    const about = { hash, accessor, principal: principal.id, token: null, method: 'federated', jkt } as const
    sessions.add({ ...about, expiresAt, mfaAt: null, address, agent }, now)
    return {
      value: { accessor, principal: principal.id, expiresAt, mfaAt: null },
      facts: { ...facts, principal: principal.id },
    }
  },
})

/** Every condition names a claim that is there, is a text (or a number or truth value), and matches. */
function meets(claims: Record<string, unknown>, { claims: conditions }: VersionedIssuer): boolean {
  return Object.entries(conditions).every(([name, globs]) => {
    const text = Object.hasOwn(claims, name) ? textOf(claims[name]) : null
    return text !== null && globs.some((glob) => globMatches(glob, text))
  })
}

function textOf(claim: unknown): string | null {
  if (typeof claim === 'string') return claim.length <= 512 ? claim : null
  return typeof claim === 'number' || typeof claim === 'boolean' ? String(claim) : null
}

/** Uses a factor up. A TOTP attempt was reserved by {@link beginTotp}; a recovery code's is here. */
function takeFactor({ identity, factors, lockout, source, now }: Context, factor: Factor, jkt: string | null): boolean {
  const { principal } = identity
  const attempt = { principal, source, jkt }
  if (factor.kind === 'recovery' && lockout.begin(attempt, now) === 'locked') return false
  const taken =
    factor.kind === 'totp'
      ? factors.totp(principal)?.confirmedAt != null && factors.takeStep(principal, factor.step)
      : factors.takeRecoveryCode(principal, factor.hash)
  if (taken) lockout.succeed(attempt, now)
  return taken
}

function mayAdminister({ principal, rules, circumstances }: Context): boolean {
  return decide({ principal, action: 'admin', resource: 'sessions', context: circumstances }, rules).allow
}
