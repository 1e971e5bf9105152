/**
 * Signs the head of a log, with the keys of its terms.
 *
 * @module
 */

import type { Keyring } from '../../core/crypto/keyring.ts'
import type { Settings } from '../../core/settings/settings.ts'
import { openCheckpoint, signCheckpoint } from '../../core/tlog/checkpoint.ts'
import type { TreeHead } from '../../core/tlog/merkle.ts'
import { formatVerifierKey, type NoteSigner, parseVerifierKey } from '../../core/tlog/signed_note.ts'
import type { Head } from '../../core/vault/audit/operations.ts'

/** What the keys of a log derive from. */
export interface LogKeys {
  vault: string
  keyring: Keyring
  settings: Pick<Settings, 'logOrigin'>
}

/** The origin of a log, which is the name of its keys too. */
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

/** The root key that the key of a term derives from. The first term has no row until its root key is replaced. */
function rootOf({ keys, firstRoot }: Pick<Head, 'keys' | 'firstRoot'>, term: number): string | null {
  const known = keys.find((one) => one.term === term)
  return known === undefined ? firstRoot : known.root
}

/** The verifier keys of a log, the newest first. Each verifies the checkpoints of its term. */
export async function verifierKeys(
  keys: LogKeys,
  { keys: known, firstRoot }: Pick<Head, 'keys' | 'firstRoot'>,
): Promise<string[]> {
  const first = known.some(({ term }) => term === 1) ? [] : [formatVerifierKey(await signerOf(keys, 1, firstRoot))]
  return [...known.map(({ key }) => key), ...first]
}

/**
 * Signs the head of a log, unless it is signed: with the key of this term and with that of the term before, so that a
 * verifier with the older key alone works until the next change, or until the root key of the older one is gone.
 *
 * The head comes from the vault, so it is durable. Two edges that sign it at the same time make the same note.
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

/** The number of terms to try for a log whose store is lost. Only the store knows how many terms the log had. */
const TRIED_TERMS = 16

/** Whether a key of this vault's log, under one of the given root keys, signed a checkpoint. */
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
