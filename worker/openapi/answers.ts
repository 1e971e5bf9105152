/**
 * Shapes of answers that our own client does not read: it needs no more than that they came.
 *
 * @module
 */
import * as z from 'zod/mini'

const moment = z.iso.datetime()
const name = z.string()

export const DeletedSecret = z.strictObject({ name, deletedAt: moment })
export const RestoredSecret = z.strictObject({ name, version: z.int() })
export const DestroyedSecret = z.strictObject({ name, version: z.optional(z.int()), destroyedAt: moment })
export const EndedSession = z.strictObject({ accessor: z.string() })
export const ClearedLock = z.strictObject({ id: z.string() })
export const DeletedRotation = z.strictObject({ name })
export const DeletedHook = z.strictObject({ id: z.string() })
export const HeldLog = z.strictObject({ min: z.int(), hold: z.nullable(z.string()) })
export const Alive = z.strictObject({ status: z.literal('up') })
export const Ready = z.strictObject({
  status: z.literal('up'),
  providers: z.optional(z.record(z.string(), z.enum(['up', 'degraded', 'down']))),
})
