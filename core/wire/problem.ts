/**
 * Errors.
 *
 * @module
 */
import * as z from 'zod/mini'
import { moment } from './parts.ts'

/** A request for approval, as an error names it. */
export const AskedApproval = z.strictObject({ id: z.string(), hash: z.string(), expiresAt: moment })

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
  approval: z.optional(AskedApproval),
})
