/**
 * Shapes of answers that the bundled client does not parse: it only needs their status.
 *
 * @module
 */
import * as z from 'zod/mini'

const moment = z.iso.datetime()
const name = z.string()

/** A deleted secret, which can be restored. */
export const DeletedSecret = z.strictObject({ name, deletedAt: moment })
/** A restored secret. */
export const RestoredSecret = z.strictObject({ name, version: z.int() })
/** A destroyed version, or all versions. */
export const DestroyedSecret = z.strictObject({ name, version: z.optional(z.int()), destroyedAt: moment })
/** An ended session. */
export const EndedSession = z.strictObject({ accessor: z.string() })
/** The principal whose lockout was cleared. */
export const ClearedLock = z.strictObject({ id: z.string() })
/** The secret whose rotation was deleted. */
export const DeletedRotation = z.strictObject({ name })
/** A deleted hook. */
export const DeletedHook = z.strictObject({ id: z.string() })
/** The legal hold of the log. */
export const HeldLog = z.strictObject({ min: z.int(), hold: z.nullable(z.string()) })
/** Liveness. */
export const Alive = z.strictObject({ status: z.literal('up') })
/** Readiness, with the health of the providers. */
export const Ready = z.strictObject({
  status: z.literal('up'),
  providers: z.optional(z.record(z.string(), z.enum(['up', 'degraded', 'down']))),
})
