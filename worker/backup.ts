/**
 * Backups of a vault's store, made while it is served.
 *
 * A backup is ciphertext and metadata, as the store is: the root key is never in it. Its checkpoint, signed, says which
 * log it holds.
 *
 * @module
 */
import { signHead } from './checkpoint.ts'
import type { Duty } from './upkeep.ts'

/** Backs the vault up when that is due. */
export const backup: Duty = {
  name: 'backup',
  afterWriteMs: null,
  async run(desk) {
    const { archive } = desk
    if (archive === undefined) return null
    if (archive.dueAt() <= Date.now()) {
      const copy = await archive.copy()
      try {
        const { head, bytes } = copy
        // What was copied has to be the beginning of what is served: then a checkpoint of it is true.
        await desk.perform('audit.compare', head)
        const found = await desk.perform('audit.head', {})
        const checkpoint = await signHead({ ...found, head, signed: null }, desk, async () => {})
        const file = copy.keep(checkpoint, Date.now())
        await desk.perform('vault.backed_up', { file, bytes, head })
      } catch (error) {
        copy.discard()
        throw error
      }
      archive.prune()
    }
    return archive.dueAt()
  },
}
