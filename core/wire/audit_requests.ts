/**
 * What is asked of the log.
 *
 * @module
 */
import * as z from 'zod/mini'
import { FORMATS } from '../export/format.ts'
import { SEVERITIES } from '../vault/audit/severity.ts'
import { described, line } from './parts.ts'
import { number } from './request_parts.ts'

/** Why nothing of the log may be erased; `null` ends the hold. */
export const HoldLog = z.strictObject({ reason: z.nullable(line(1, 256)) })

export const EntriesQuery = z.strictObject({
  from: z._default(number(0, Number.MAX_SAFE_INTEGER), 0),
  limit: z._default(number(1, 1000), 100),
  severity: described(z._default(z.enum(SEVERITIES), 'info'), 'Only those of this severity, and above'),
})
export const ExportQuery = z.extend(EntriesQuery, { format: z._default(z.enum(FORMATS), 'jsonl') })
export const MineQuery = z.strictObject({ limit: z._default(number(1, 200), 50) })

const index = number(0, Number.MAX_SAFE_INTEGER)
/** `true` asks for the newest checkpoint that a witness cosigned. */
export const CheckpointQuery = z.strictObject({ cosigned: z.optional(z.enum(['true', 'false'])) })
export const InclusionQuery = z.strictObject({ size: z.optional(index) })
export const ConsistencyQuery = z.strictObject({ from: index, to: index })
