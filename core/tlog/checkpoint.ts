/**
 * Checkpoints (C2SP tlog-checkpoint): a signed tree head.
 *
 * ```text
 * <origin>
 * <size>
 * <base64(root hash)>
 * ```
 *
 * @module
 */
import { base64, parseBase64 } from '../bytes.ts'
import { badRequest } from '../errors.ts'
import type { Hash, TreeHead } from './merkle.ts'
import { type NoteSigner, type NoteVerifier, openNote, parseNote, signNote } from './signed_note.ts'

/** The content of a checkpoint. */
export interface Checkpoint extends TreeHead {
  /** The origin of the log, which is also the name of its key. */
  origin: string
}

/**
 * Signs a tree head with the key of the log, and optionally with the previous key. Sign only durable heads: a signed
 * head must stay true.
 */
export function signCheckpoint({ size, root }: TreeHead, signer: NoteSigner, ...more: NoteSigner[]): Promise<string> {
  return signNote(`${signer.name}\n${size}\n${base64(root)}\n`, signer, ...more)
}

/**
 * Parses the text of a checkpoint.
 *
 * @param text Hostile input.
 * @throws {PosternError} `bad_request` for anything but the one form: no leading zeros, no more lines
 *   than the format has, no carriage returns.
 */
export function parseCheckpoint(text: string, field = 'checkpoint'): Checkpoint {
  const [, origin = '', sizeText = '', rootText = ''] =
    /^([^\n\r]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/=]{44})\n/.exec(text) ?? []
  const root = parseBase64(rootText)
  const size = Number(sizeText)
  // Extension lines may follow. They must not be empty, and are ignored.
  const rest = text.slice(origin.length + sizeText.length + rootText.length + 3)
  if (origin === '' || root?.length !== 32 || !Number.isSafeInteger(size) || !/^(?:[^\n\r]+\n)*$/.test(rest)) {
    throw badRequest(field, 'Checkpoint must be an origin, a size and a root hash, a line each')
  }
  return { origin, size, root: root as Hash }
}

/**
 * Verifies a checkpoint and reads it.
 *
 * @param note Hostile input.
 * @returns `null` if no known key signed it, a signature is wrong, or it names a log other than that of its key.
 * @throws {PosternError} `bad_request` if it is malformed.
 */
export async function openCheckpoint(note: string, verifiers: readonly NoteVerifier[]): Promise<Checkpoint | null> {
  const opened = await openNote(parseNote(note, 'checkpoint'), verifiers)
  if (opened === null) return null
  const checkpoint = parseCheckpoint(opened.text)
  return opened.by.includes(checkpoint.origin) ? checkpoint : null
}
