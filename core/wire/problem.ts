/**
 * Errors.
 *
 * @module
 */
import * as z from 'zod'
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
  reason: z.string().optional(),
  field: z.string().optional(),
  limitBytes: z.int().optional(),
  auditIndex: z.int().optional(),
  approval: AskedApproval.optional(),
})
