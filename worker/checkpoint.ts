/**
 * Signing a log: which keys do, and when.
 *
 * @module
 */
import { signCheckpoint } from '../core/audit/checkpoint.ts'
import type { TreeHead } from '../core/audit/log.ts'
import { formatVerifierKey, type NoteSigner } from '../core/audit/note.ts'
import type { Head } from '../core/audit/operations.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import type { Settings } from '../core/settings.ts'

/** Where a log's keys are. */
export interface LogKeys {
  vault: string
  keyring: Keyring
  settings: Pick<Settings, 'logOrigin'>
}

/** The name of a log: of its key too. */
export function originOf({ settings, vault }: Pick<LogKeys, 'settings' | 'vault'>): string {
  return `${settings.logOrigin}/${vault}`
}

/** The key of one term. */
export function signerOf(keys: LogKeys, term: number): Promise<NoteSigner> {
  return keys.keyring.noteSigner(keys.vault, originOf(keys), term)
}

/** The verifier keys of a log, the newest first: with any of them, its checkpoints of that term are verified. */
export async function verifierKeys(keys: LogKeys, { keys: later }: Pick<Head, 'keys'>): Promise<string[]> {
  return [...later.map(({ key }) => key), formatVerifierKey(await signerOf(keys, 1))]
}

/**
 * Signs the head of a log, unless that was done: with the key of this term, and with that of the one before, so that
 * whoever has only the older one can go on until the next change.
 *
 * The head came out of the vault, and so is durable. Two edges that sign it at once make the same note.
 *
 * @param keep Stores the checkpoint.
 * @returns The newest checkpoint.
 */
export async function signHead(
  { head, signed, term }: Head,
  keys: LogKeys,
  keep: (checkpoint: TreeHead & { note: string }) => Promise<unknown>,
): Promise<string> {
  if (signed?.size === head.size) return signed.note
  const older = term > 1 ? [await signerOf(keys, term - 1)] : []
  const note = await signCheckpoint(head, await signerOf(keys, term), ...older)
  await keep({ ...head, note })
  return note
}
