/**
 * Errors.
 *
 * @module
 */
import * as z from 'zod/mini'
import { described, moment } from './parts.ts'

/** A request for approval, as an error names it. */
export const AskedApproval = z.strictObject({ id: z.string(), hash: z.string(), expiresAt: moment })

/** Members of a chain that were asked and could not answer. */
export const PassedOver = z.array(z.strictObject({ provider: z.string(), why: z.string() }))

/** An error as RFC 9457 writes it. */
export const Problem = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  requestId: z.string(),
  reason: z.optional(z.string()),
  field: z.optional(z.string()),
  limitBytes: z.optional(z.int()),
  auditIndex: z.optional(z.int()),
  passedOver: described(
    z.optional(PassedOver),
    'Members of the chain that could not answer, in order: the secret may be there',
  ),
  approval: z.optional(AskedApproval),
})
