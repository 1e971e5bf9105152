/**
 * Shapes of errors.
 *
 * @module
 */
import * as z from 'zod/mini'
import { described, moment } from './parts.ts'

/** A reference to a request for approval, in an error. */
export const AskedApproval = z.strictObject({ id: z.string(), hash: z.string(), expiresAt: moment })

/** Members of a chain that could not answer. */
export const PassedOver = z.array(z.strictObject({ provider: z.string(), why: z.string() }))

/** A problem document (RFC 9457). */
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
    'Members of the chain that could not answer, in order. They may have the secret',
  ),
  approval: z.optional(AskedApproval),
})
