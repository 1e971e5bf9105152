import { signCheckpoint } from '../core/audit/checkpoint.ts'
import type { TreeHead } from '../core/audit/log.ts'
import type { NoteSigner } from '../core/audit/note.ts'
import type { Head } from '../core/audit/operations.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import type { Settings } from '../core/settings.ts'

/** The key that signs a vault's log, under the log's name. */
export function logSigner(keyring: Keyring, { logOrigin }: Settings, vault: string): Promise<NoteSigner> {
  return keyring.noteSigner(vault, `${logOrigin}/${vault}`)
}

/**
 * Signs the head of a log, unless that was done.
 *
 * The head came out of the vault, and so is durable. Two edges that sign it at once make the same note.
 *
 * @param keep Stores the checkpoint.
 * @returns The newest checkpoint.
 */
export async function signHead(
  { head, signed }: Head,
  signer: NoteSigner,
  keep: (checkpoint: TreeHead & { note: string }) => Promise<unknown>,
): Promise<string> {
  if (signed?.size === head.size) return signed.note
  const note = await signCheckpoint(head, signer)
  await keep({ ...head, note })
  return note
}
