/**
 * Records that a vault serves a schema with differences that its operator accepted.
 *
 * @module
 */
import type { Outcome } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { task } from '../task.ts'

/** Differences of the schema that an operator accepted. */
export interface AcceptedSchema {
  digest: string
  differences: readonly string[]
  count: number
}

/** The digest of the last accepted schema that the log records. */
const NOTED = 'schema'

/** Records, once for each digest, that an operator accepted a schema other than the one that Postern made. */
export const noteSchema = task({
  securityEvent: 'alert',
  resource: () => '',
  resourceFacts: (accepted: AcceptedSchema | null) => ({ ...accepted }),
  run({ meta }: Stores, accepted: AcceptedSchema | null): Outcome<null> {
    const known = meta.find(NOTED)
    if (known === (accepted?.digest ?? null)) return { value: null, unrecorded: true }
    if (accepted === null) {
      meta.remove(NOTED)
      return { value: null, unrecorded: true }
    }
    meta.put(NOTED, accepted.digest)
    return { value: null }
  },
})
