/**
 * Approvals, and breaking the glass.
 *
 * @module
 */
import * as z from 'zod'
import { id, line, moment } from './parts.ts'
import { AskedApproval } from './problem.ts'

/** A request for approval. `body` is the canonical JSON that `hash` is the SHA-256 of: approve what you read there. */
export const Approval = AskedApproval.extend({
  state: z.enum(['open', 'rejected', 'withdrawn', 'used', 'expired']),
  operation: z.string(),
  resource: z.string(),
  requester: id,
  reason: z.string(),
  createdAt: moment,
  body: z.string(),
  approvals: z.array(z.strictObject({ principal: id, at: moment })),
  demands: z.array(z.strictObject({ rule: id, required: z.int(), from: z.array(id) })),
  endedAt: moment.optional(),
  endedBy: z.string().optional(),
  endedWhy: z.string().optional(),
})
export const ApprovalList = z.strictObject({ items: z.array(Approval) })
export const DecideApproval = z
  .strictObject({
    decision: z.enum(['approve', 'reject']),
    hash: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'Must be the hash of what was read'),
    reason: line(1, 256).optional(),
  })
  .refine(({ decision, reason }) => decision === 'approve' || reason !== undefined, 'A rejection must give a reason')

export const BreakGlass = z.strictObject({ reason: line(8, 256), minutes: z.int().min(1).max(60).default(15) })
export const ReviewGlass = z.strictObject({ review: line(8, 1024) })
export const BrokenGlass = z.strictObject({
  id: z.string(),
  principal: id,
  reason: z.string(),
  beganAt: moment,
  expiresAt: moment,
  endedAt: moment.optional(),
  reviewedAt: moment.optional(),
  reviewedBy: z.string().optional(),
  review: z.string().optional(),
})
export const BrokenGlassList = z.strictObject({ items: z.array(BrokenGlass) })

/** Headers of a request that others have to approve. */
export const ApprovalHeaders = z.strictObject({
  Approval: z
    .string()
    .regex(/^(?:ask|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/, 'Must be "ask" or the id of an approval')
    .optional(),
  'Approval-Reason': line(1, 256).optional(),
})
