/**
 * Break glass: if no approver is available, a principal with that right may proceed without approvals, for a short time
 * and in one session, visible to all. It lifts the demand for approvals of `read`, `rotate` and `write`, and nothing
 * else: no `forbid`, no missing `permit`, no second factor, no demand on `admin` or on a final `delete`.
 *
 * @module
 */

import { notify } from '../notifications/tasks.ts'
import { type OperationContext, type Outcome, operation } from '../operation.ts'
import { lineageOf } from './approval.ts'
import type { BrokenGlass } from './break_glass_store.ts'

/** How fresh the second factor has to be. */
const MFA_MS = 10 * 60_000

const onGlass = { action: 'admin', resource: () => 'break-glass' } as const

/** Breaks the glass for the caller's session, which needs a second factor of the last ten minutes. */
export const breakGlass = operation({
  ...onGlass,
  securityEvent: 'alert',
  resourceFacts: ({ reason, minutes }: { reason: string; minutes: number }) => ({ reason, minutes }),
  approvalBinding: 'nothing',
  run(context: OperationContext, { reason, minutes }: { reason: string; minutes: number }): Outcome<BrokenGlass> {
    const { breakGlass: glasses, identity, circumstances, now } = context
    const { principal, kind, session } = identity
    if (kind !== 'user') return { reason: 'denied' }
    const { mfaAt } = circumstances
    if (session === null || mfaAt === null || now - mfaAt > MFA_MS) return { reason: 'mfa_required' }
    const unreviewed = { endedAt: null, reviewedAt: null, reviewedBy: null, review: null }
    const about = { id: crypto.randomUUID(), principal, session, reason }
    const glass = { ...about, beganAt: now, expiresAt: now + minutes * 60_000, ...unreviewed }
    glasses.add({ ...glass, lineage: lineageOf(context, identity) })
    const { id: glassId, expiresAt } = glass
    notify(context, { type: 'glass.broken', data: { breakGlass: glassId, principal, reason, expiresAt } }, now)
    return { value: glass, facts: { breakGlass: glass.id, expiresAt: glass.expiresAt } }
  },
})

/** Lists broken glass: those without a review first, then the newest first. */
export const listGlass = operation({
  ...onGlass,
  approvalBinding: 'nothing',
  run: ({ breakGlass: glasses }: OperationContext, _: Record<never, never>): Outcome<BrokenGlass[]> => ({
    value: glasses.list(200),
  }),
})

/** Ends broken glass before its time. */
export const endGlass = operation({
  ...onGlass,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ breakGlass: id }),
  approvalBinding: 'nothing',
  run({ breakGlass: glasses, now }: OperationContext, { id }: { id: string }): Outcome<BrokenGlass> {
    glasses.end(id, now)
    const glass = glasses.find(id)
    return glass === null ? { reason: 'no_glass' } : { value: glass }
  },
})

/** Records the review of broken glass by another person. */
export const reviewGlass = operation({
  ...onGlass,
  securityEvent: true,
  resourceFacts: ({ id, review }: { id: string; review: string }) => ({ breakGlass: id, review }),
  approvalBinding: 'nothing',
  run(context: OperationContext, { id, review }: { id: string; review: string }): Outcome<BrokenGlass> {
    const { breakGlass: glasses, identity, principal, now } = context
    const glass = glasses.find(id)
    if (glass === null) return { reason: 'no_glass' }
    // As for approvals: the reviewer must be another person, whichever tokens the two use.
    const isOwn = glasses.lineageOf(id).includes(principal) || lineageOf(context, identity).includes(glass.principal)
    if (isOwn) return { reason: 'own_review' }
    // Later acts in this glass would escape the review.
    if (glass.expiresAt > now) glasses.end(id, now)
    glasses.review(id, principal, review, now)
    return { value: glasses.find(id)! }
  },
})
