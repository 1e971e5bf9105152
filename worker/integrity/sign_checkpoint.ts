/**
 * Signing a log: which keys do, and when.
 *
 * @module
 */

import type { Keyring } from '../../core/crypto/keyring.ts'
import type { Settings } from '../../core/settings/settings.ts'
import { openCheckpoint, signCheckpoint } from '../../core/tlog/checkpoint.ts'
import type { TreeHead } from '../../core/tlog/merkle.ts'
import { formatVerifierKey, type NoteSigner, parseVerifierKey } from '../../core/tlog/signed_note.ts'
import type { Head } from '../../core/vault/audit/operations.ts'

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

/**
 * The key of one term.
 *
 * @param root The root key that it derives from.
 * @throws {PosternError} `unavailable` when that is not here.
 */
export async function signerOf(keys: LogKeys, term: number, root: string | null): Promise<NoteSigner> {
  return keys.keyring.of(root).noteSigner(keys.vault, originOf(keys), term)
}

/** The root key that the key of a term derives from. Of the first there is no row before its root key was replaced. */
function rootOf({ keys, firstRoot }: Pick<Head, 'keys' | 'firstRoot'>, term: number): string | null {
  const known = keys.find((one) => one.term === term)
  return known === undefined ? firstRoot : known.root
}

/** The verifier keys of a log, the newest first: with any of them, its checkpoints of that term are verified. */
export async function verifierKeys(
  keys: LogKeys,
  { keys: known, firstRoot }: Pick<Head, 'keys' | 'firstRoot'>,
): Promise<string[]> {
  const first = known.some(({ term }) => term === 1) ? [] : [formatVerifierKey(await signerOf(keys, 1, firstRoot))]
  return [...known.map(({ key }) => key), ...first]
}

/**
 * Signs the head of a log, unless that was done: with the key of this term, and with that of the one before, so that
 * whoever has only the older one can go on until the next change, or until the root key of the older one is gone.
 *
 * The head came out of the vault, and so is durable. Two edges that sign it at once make the same note.
 *
 * @param keep Stores the checkpoint.
 * @returns The newest checkpoint.
 */
export async function signHead(
  found: Head,
  keys: LogKeys,
  keep: (checkpoint: TreeHead & { note: string }) => Promise<unknown>,
): Promise<string> {
  const { head, signed, term } = found
  if (signed?.size === head.size) return signed.note
  const olderRoot = rootOf(found, term - 1)
  const signsOlder = term > 1 && (olderRoot === null || keys.keyring.all.some(({ rootId }) => rootId === olderRoot))
  const older = signsOlder ? [await signerOf(keys, term - 1, olderRoot)] : []
  const note = await signCheckpoint(head, await signerOf(keys, term, rootOf(found, term)), ...older)
  await keep({ ...head, note })
  return note
}

/** Terms that a log without its store is tried with: where the store is gone, nothing says how many it had. */
const TRIED_TERMS = 16

/** Whether one of the root keys that are given signed a checkpoint of this vault's log. */
export async function isSignedBy(checkpoint: string, keys: LogKeys): Promise<boolean> {
  const terms = Array.from({ length: TRIED_TERMS }, (_, i) => i + 1)
  const signers = keys.keyring.all.flatMap((ring) =>
    terms.map((term) => ring.noteSigner(keys.vault, originOf(keys), term)),
  )
  const verifiers = (await Promise.all(signers)).map((signer) => parseVerifierKey(formatVerifierKey(signer)))
  try {
    return (await openCheckpoint(checkpoint, await Promise.all(verifiers))) !== null
  } catch {
    return false
  }
}
