/**
 * Shapes of requests to the audit log.
 *
 * @module
 */
import * as z from 'zod/mini'
import { FORMATS } from '../export/format.ts'
import { SEVERITIES } from '../vault/audit/severity.ts'
import { described, line } from './parts.ts'
import { number } from './request_parts.ts'

/** The reason for a legal hold. `null` ends the hold. */
export const HoldLog = z.strictObject({ reason: z.nullable(line(1, 256)) })

/** Selects entries of the log. */
export const EntriesQuery = z.strictObject({
  from: z._default(number(0, Number.MAX_SAFE_INTEGER), 0),
  limit: z._default(number(1, 1000), 100),
  severity: described(z._default(z.enum(SEVERITIES), 'info'), 'Only entries of this severity or higher'),
})
/** Selects entries, and the format for their export. */
export const ExportQuery = z.extend(EntriesQuery, { format: z._default(z.enum(FORMATS), 'jsonl') })
/** Limits the caller's own entries. */
export const MineQuery = z.strictObject({ limit: z._default(number(1, 200), 50) })

const index = number(0, Number.MAX_SAFE_INTEGER)
/** Selects a checkpoint: `true` for the newest one that a witness has cosigned. */
export const CheckpointQuery = z.strictObject({ cosigned: z.optional(z.enum(['true', 'false'])) })
/** The tree size for an inclusion proof. The current size if not given. */
export const InclusionQuery = z.strictObject({ size: z.optional(index) })
/** The two tree sizes for a consistency proof. */
export const ConsistencyQuery = z.strictObject({ from: index, to: index })
