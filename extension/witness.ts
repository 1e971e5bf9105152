/**
 * Watching a log from outside: the last checkpoint that was verified is kept, and each new one has to go on from it.
 *
 * @module
 */
import { type Checkpoint, openCheckpoint, parseCheckpoint } from '../core/audit/checkpoint.ts'
import type { Hash } from '../core/audit/merkle.ts'
import { type NoteVerifier, parseNote, parseVerifierKey } from '../core/audit/note.ts'
import { verifyConsistencyByPlatform } from '../core/audit/proof.ts'
import { parseBase64 } from '../core/bytes.ts'
import type { UserClient } from '../core/client/user.ts'
import { PosternError } from '../core/errors.ts'

/** What is kept of a log: public, all of it. */
export interface Remembered {
  /** The verifier keys that its checkpoints are signed by, a line each: of this term and of those before. */
  key: string
  /** The checkpoint that was verified last, as it was signed. */
  note: string
}

/** What is wrong with a log. */
export type Flaw =
  | 'signature' // the key that is known did not sign this checkpoint
  | 'shrank' // it has fewer entries than before
  | 'forked' // it is not a continuation of what was seen before
  | 'withheld' // it does not have an entry that the server gave an answer for

export type Verdict =
  | { checkpoint: Checkpoint; remember: Remembered }
  | { flaw: Flaw; before: number; now: number | null }

type Log = Pick<UserClient, 'checkpoint' | 'consistency' | 'auditKey'>

/**
 * Looks at a log once.
 *
 * @param remembered What was kept; `null` for a log that is seen for the first time.
 * @param pinned The verifier key, when it was given by a way that is not the server. Otherwise the first one is believed.
 * @param recorded The last entry that the server named in an answer, before this is called; -1 for none.
 * @returns The verified checkpoint and what to keep of it, or the flaw. What was kept must not be replaced then.
 * @throws {PosternError} when the server refuses or is down: that says nothing about the log.
 */
export async function witness(
  log: Log,
  remembered: Remembered | null,
  pinned: string | null,
  recorded = -1,
): Promise<Verdict> {
  const key = pinned ?? remembered?.key ?? (await log.auditKey())
  // A key of a later term is not believed because the server says so: the user pins it, or trusts the log anew.
  const verifiers = await Promise.all(key.split(/\s+/).map((line) => parseVerifierKey(line)))
  const before = remembered === null ? null : await opened(remembered.note, verifiers)
  const note = await log.checkpoint()
  const checkpoint = await opened(note, verifiers)
  const seen = before?.size ?? 0
  // What was kept under another key than the one that is pinned now vouches for nothing.
  if (checkpoint === null || (remembered !== null && before === null))
    return { flaw: 'signature', before: seen, now: null }
  if (before !== null) {
    if (before.origin !== checkpoint.origin) return { flaw: 'forked', before: seen, now: checkpoint.size }
    if (checkpoint.size < before.size) return { flaw: 'shrank', before: seen, now: checkpoint.size }
    if (!(await goesOn(log, before, checkpoint))) return { flaw: 'forked', before: seen, now: checkpoint.size }
  }
  // An old checkpoint, shown for ever, goes on from itself: what happened since would never be seen.
  if (checkpoint.size <= recorded) return { flaw: 'withheld', before: recorded + 1, now: checkpoint.size }
  return { checkpoint, remember: { key, note } }
}

/**
 * Whether what a look found must not be kept any more: another look has kept a later checkpoint since this one began, or
 * the user has had what was kept forgotten. Synchronous, so that it can be asked right before the write.
 *
 * @param began What was kept when the look began.
 * @param kept What is kept now. It was verified before it was kept.
 */
export function isOutdone({ size }: Checkpoint, began: Remembered | null, kept: Remembered | null): boolean {
  if (kept?.note === began?.note) return false
  return kept === null || parseCheckpoint(parseNote(kept.note, 'checkpoint').text).size > size
}

async function goesOn(log: Log, before: Checkpoint, now: Checkpoint): Promise<boolean> {
  const hashes: Hash[] = []
  if (before.size > 0 && before.size < now.size) {
    const proof = await log.consistency(before.size, now.size).catch((error) => {
      // A server that has no proof for its own sizes has no such log.
      if (error instanceof PosternError && ['not_found', 'bad_request'].includes(error.code)) return null
      throw error
    })
    if (proof === null) return false
    for (const text of proof.hashes) hashes.push((parseBase64(text) ?? new Uint8Array()) as Hash)
  }
  return verifyConsistencyByPlatform(hashes, before, now)
}

async function opened(note: string, verifiers: NoteVerifier[]): Promise<Checkpoint | null> {
  return openCheckpoint(note, verifiers).catch(() => null)
}
