/**
 * Shapes of approvals and of break-glass events.
 *
 * @module
 */

import * as z from 'zod/mini'
import { UUID_PATTERN } from '../uuid.ts'
import { id, line, moment } from './parts.ts'
import { AskedApproval } from './problem.ts'

/** A request for approval. `hash` is the SHA-256 of `body`, its canonical JSON: an approver reads the body and approves the hash. */
export const Approval = z.extend(AskedApproval, {
  state: z.enum(['open', 'rejected', 'withdrawn', 'used', 'expired']),
  operation: z.string(),
  resource: z.string(),
  requester: id,
  reason: z.string(),
  createdAt: moment,
  body: z.string(),
  approvals: z.array(z.strictObject({ principal: id, at: moment })),
  demands: z.array(z.strictObject({ rule: id, required: z.int(), from: z.array(id) })),
  endedAt: z.optional(moment),
  endedBy: z.optional(z.string()),
  endedWhy: z.optional(z.string()),
})
/** Requests for approval. */
export const ApprovalList = z.strictObject({ items: z.array(Approval) })
/** Approves or rejects a request. */
export const DecideApproval = z
  .strictObject({
    decision: z.enum(['approve', 'reject']),
    hash: z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/, 'Must be the hash of the body that was read')),
    reason: z.optional(line(1, 256)),
  })
  .check(
    z.refine(
      ({ decision, reason }) => decision === 'approve' || reason !== undefined,
      'A rejection must give a reason',
    ),
  )

/** Breaks the glass: lifts the need for approvals for some minutes. */
export const BreakGlass = z.strictObject({
  reason: line(8, 256),
  minutes: z._default(z.int().check(z.gte(1), z.lte(60)), 15),
})
/** The review of a break-glass event by another administrator. */
export const ReviewGlass = z.strictObject({ review: line(8, 1024) })
/** A break-glass event. */
export const BrokenGlass = z.strictObject({
  id: z.string(),
  principal: id,
  reason: z.string(),
  beganAt: moment,
  expiresAt: moment,
  endedAt: z.optional(moment),
  reviewedAt: z.optional(moment),
  reviewedBy: z.optional(z.string()),
  review: z.optional(z.string()),
})
/** Break-glass events. */
export const BrokenGlassList = z.strictObject({ items: z.array(BrokenGlass) })

/** Headers of a request that needs approval. */
export const ApprovalHeaders = z.strictObject({
  Approval: z.optional(
    z.string().check(z.regex(new RegExp(`^(?:ask|${UUID_PATTERN})$`), 'Must be "ask" or the id of an approval')),
  ),
  'Approval-Reason': z.optional(line(1, 256)),
})
