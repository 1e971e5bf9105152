/**
 * Members of a chain that a read passed over, and the reasons.
 *
 * @module
 */
import type { FailureKind } from './provider.ts'

/** Why a provider is not called now: its breaker is open, or the store named a time before which it takes no request. */
export type RestReason = 'breaker' | 'retry_after'

/** Why a member was passed over. `outdated`: it still has the value that a rotation replaced. */
export type SkipReason = FailureKind | RestReason | 'outdated'

/** A member that was passed over, and why. */
export interface SkippedMember {
  provider: string
  why: SkipReason
}

/** Answers that there is no value. Only the primary, or all members together, can give one for a chain. */
export const ABSENT: readonly FailureKind[] = ['not_found', 'deleted', 'disabled', 'expired']

/** Whether a reason to pass a member over says that it has no value. */
export function isAbsence(why: SkipReason): boolean {
  return why === 'name' || (ABSENT as readonly SkipReason[]).includes(why)
}
