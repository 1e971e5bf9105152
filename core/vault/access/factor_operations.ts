/**
 * Operations on second factors.
 *
 * The edge, which has the keys, checks the codes. The vault limits the attempts and makes sure that no code counts
 * twice.
 *
 * @module
 */
import { type Facts, type OperationContext, type Outcome, operation } from '../operation.ts'
import type { RecoveryHashes, SealedTotp } from './factor_store.ts'

const self = { action: null, resource: () => 'self' } as const

/** Reserves an attempt at a code, and gives the sealed secret to check it with. */
export const beginTotp = operation({
  ...self,
  run(context: OperationContext, { jkt, purpose }: BeginTotp): Outcome<SealedTotp & { principal: string }> {
    const { identity, factors, lockout, source, now } = context
    const { principal } = identity
    // Counted even when there is no secret: to have none must not look different.
    const reservation = lockout.begin({ principal, source, jkt }, now)
    if (reservation === 'locked') return refusedByLock(context, 'totp', jkt)
    const facts = { factor: 'totp', purpose, locks: reservation === 'last' }
    const totp = purpose === 'confirm' ? factors.pending(principal) : factors.confirmed(principal)
    return totp === null ? { reason: 'unauthenticated', facts } : { value: { ...totp, principal }, facts }
  },
})

/** An attempt that a lock refuses: the first during each lock is recorded, the others could fill the log. */
export function refusedByLock(
  { identity, factors, lockout, source, clock, now }: OperationContext,
  factor: 'totp' | 'recovery',
  jkt: string | null,
): { reason: 'unauthenticated'; facts: Facts; unrecorded?: true } {
  const { id, until } = lockout.lockOn({ principal: identity.principal, source, jkt }, now)
  const isFirst = factors.mark(`locked/${id}`, until, { clock, now })
  return { reason: 'unauthenticated', facts: { factor, whileLocked: true }, ...(!isFirst && { unrecorded: true }) }
}

/**
 * A code that was right and is used already, or is older than the last one used. It is refused, and is not counted: a
 * client that repeats a request must not lock its user out.
 */
export function refusedRepeat(
  { identity, lockout, source, now }: OperationContext,
  jkt: string | null,
): { reason: 'unauthenticated'; facts: Facts } {
  lockout.release({ principal: identity.principal, source, jkt }, now)
  return { reason: 'unauthenticated', facts: { factor: 'totp', codeUsed: true } }
}

interface BeginTotp {
  jkt: string | null
  /** To sign in with the secret that counts, or to confirm the one that waits. */
  purpose: 'sign_in' | 'confirm'
}

interface FailTotp {
  /** The thumbprint that the attempt was counted under: {@link BeginTotp}. */
  jkt?: string | null
  /** By how many steps the clock of the authenticator is ahead, if the code is right at another time. */
  stepsAhead?: number | null
}

/**
 * Records that a code was wrong, and whether that locked. The attempt is counted already, and stays counted unless the
 * code was right earlier: such a code is never accepted again, so a guesser gains nothing by it. A code that will be
 * right counts, and the entry, which its caller may read, does not tell it from another. It always refuses.
 */
export const failTotp = operation({
  ...self,
  continuation: true,
  run(context: OperationContext, { stepsAhead = null, jkt = null }: FailTotp): Outcome<never> {
    const { identity, lockout, source, now } = context
    const attempt = { principal: identity.principal, source, jkt }
    const isPast = stepsAhead !== null && stepsAhead < 0
    if (isPast) lockout.release(attempt, now)
    const clock = isPast ? { stepsAhead } : {}
    return {
      reason: 'unauthenticated',
      facts: { factor: 'totp', locked: lockout.isLocked(attempt, now), ...clock },
    }
  },
})

/** How fresh a second factor has to be to put another one in its place. */
const REPLACE_MS = 10 * 60_000

/** Stores a new TOTP secret as pending, until a code of it confirms it. */
export const enrolTotp = operation({
  ...self,
  securityEvent: true,
  run(context: OperationContext, totp: SealedTotp): Outcome<{ principal: string }> {
    const { identity, factors, keys, circumstances, now } = context
    const { principal } = identity
    if (!keys.isCurrent(totp.kid)) return { reason: 'raced' }
    const { mfaAt } = circumstances
    // A caller with only a token must not replace the second factor that protects it.
    const fresh = mfaAt !== null && now - mfaAt <= REPLACE_MS
    if (factors.confirmed(principal) !== null && !fresh) return { reason: 'mfa_required' }
    factors.putPending(principal, totp, now)
    return { value: { principal } }
  },
})

interface ConfirmTotp extends RecoveryHashes {
  id: string
  step: number
  jkt: string | null
}

/** Confirms a TOTP secret by a code of it, and takes new recovery codes. */
export const confirmTotp = operation({
  ...self,
  securityEvent: true,
  run(context: OperationContext, { id, step, jkt, ...recovery }: ConfirmTotp): Outcome<{ principal: string }> {
    const { identity, factors, lockout, source, now } = context
    const { principal } = identity
    // Requires the secret that the code was checked against, and not a later replacement.
    if (factors.pending(principal)?.id !== id) return { reason: 'unauthenticated' }
    if (!factors.takeStep(principal, id, step)) return refusedRepeat(context, jkt)
    lockout.succeed({ principal, source, jkt }, now)
    factors.confirm(principal, id, recovery, now)
    return { value: { principal } }
  },
})

/** Removes a principal's second factors, for one who lost them. Its sessions end. */
export const resetFactors = operation({
  action: 'admin',
  securityEvent: true,
  resource: () => 'principals',
  // Binds the factor that was lost, and no later one. A pending factor is left out: its owner could void each approval
  // by starting another enrolment.
  approvalBinding: ({ factors }, { id }: { id: string }) => ({ id, totp: factors.confirmed(id)?.id ?? null }),
  run({ access, factors, sessions, now }, { id }: { id: string }): Outcome<{ sessions: number }> {
    if (access.principal(id) === null) return { reason: 'no_principal', facts: { principal: id } }
    factors.remove(id)
    const ended = sessions.revokeAll(id, now)
    return { value: { sessions: ended }, facts: { principal: id, sessions: ended } }
  },
})
