/**
 * Watching a log from outside: the last checkpoint that was verified is kept, and each new one has to go on from it.
 *
 * @module
 */

import { parseBase64 } from '../../core/bytes.ts'
import type { UserClient } from '../../core/client/user.ts'
import { PosternError } from '../../core/errors.ts'
import { type Checkpoint, openCheckpoint, parseCheckpoint } from '../../core/tlog/checkpoint.ts'
import { verifyCosignatures, type WitnessDemand } from '../../core/tlog/cosignature.ts'
import type { Hash } from '../../core/tlog/merkle.ts'
import { verifyConsistencyByPlatform } from '../../core/tlog/proof.ts'
import { type NoteVerifier, parseNote, parseVerifierKey } from '../../core/tlog/signed_note.ts'

/** What is kept of a log: public, all of it. */
export interface RememberedLog {
  /** The verifier keys that its checkpoints are signed by, a line each: of this term and of those before. */
  key: string
  /** The checkpoint that was verified last, as it was signed. */
  note: string
}

/** What is wrong with a log. */
export type LogFlaw =
  | 'signature' // the key that is known did not sign this checkpoint
  | 'shrank' // it has fewer entries than before
  | 'forked' // it is not a continuation of what was seen before
  | 'withheld' // it does not have an entry that the server gave an answer for
  | 'unwitnessed' // fewer witnesses cosigned it than the user demands
  | 'stale' // enough did, too long ago

/** A log that is as it must be. */
export interface VerifiedLog {
  checkpoint: Checkpoint
  remember: RememberedLog
}

export type LogVerdict = VerifiedLog | { flaw: LogFlaw; before: number; now: number | null }

type LogClient = Pick<UserClient, 'checkpoint' | 'consistency' | 'auditKey'>

/**
 * Looks at a log once.
 *
 * @param remembered What was kept; `null` for a log that is seen for the first time.
 * @param pinned The verifier key, when it was given by a way that is not the server. Otherwise the first one is believed.
 * @param recorded The last entry that the server named in an answer, before this is called; -1 for none.
 * @returns The verified checkpoint and what to keep of it, or the flaw. What was kept must not be replaced then.
 * @throws {PosternError} when the server refuses or is down: that says nothing about the log.
 */
export async function checkLog(
  log: LogClient,
  remembered: RememberedLog | null,
  pinned: string | null,
  recorded = -1,
): Promise<LogVerdict> {
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
    if (!(await continues(log, before, checkpoint))) return { flaw: 'forked', before: seen, now: checkpoint.size }
  }
  // An old checkpoint, shown for ever, goes on from itself: what happened since would never be seen.
  if (checkpoint.size <= recorded) return { flaw: 'withheld', before: recorded + 1, now: checkpoint.size }
  return { checkpoint, remember: { key, note } }
}

/**
 * Looks whether the witnesses that the user demands vouch for a log that was verified: enough of them have cosigned a checkpoint which
 * it continues. Without this a server that stops asking its witnesses, or shows two users two logs, looks like an honest one.
 *
 * @returns The verdict, with the flaw in place of the checkpoint. Its `before` is how many have to cosign, and `now` how many did.
 */
export async function checkWitnesses(log: LogClient, verdict: VerifiedLog, demand: WitnessDemand): Promise<LogVerdict> {
  const { checkpoint, remember } = verdict
  const quorum = demand.quorum ?? demand.witnesses.length
  const note = await log.checkpoint({ cosigned: true }).catch((error) => {
    // An older server has no such checkpoint to give either.
    if (error instanceof PosternError && ['not_found', 'bad_request'].includes(error.code)) return null
    throw error
  })
  if (note === null) return { flaw: 'unwitnessed', before: quorum, now: 0 }
  const verifiers = await Promise.all(remember.key.split(/\s+/).map((line) => parseVerifierKey(line)))
  const cosigned = await opened(note, verifiers)
  if (cosigned === null) return { flaw: 'signature', before: checkpoint.size, now: null }
  const found = await verifyCosignatures(note, demand)
  if (found.kind !== 'met') return { flaw: found.kind, before: quorum, now: found.by.length }
  // The log may have grown, and been cosigned, since it was looked at.
  const [older, newer] = cosigned.size > checkpoint.size ? [checkpoint, cosigned] : [cosigned, checkpoint]
  const isOne = cosigned.origin === checkpoint.origin && (await continues(log, older, newer))
  return isOne ? verdict : { flaw: 'forked', before: older.size, now: newer.size }
}

/**
 * Whether what a look found must not be kept any more: another look has kept a later checkpoint since this one began, or
 * the user has had what was kept forgotten. Synchronous, so that it can be asked right before the write.
 *
 * @param began What was kept when the look began.
 * @param kept What is kept now. It was verified before it was kept.
 */
export function isSuperseded({ size }: Checkpoint, began: RememberedLog | null, kept: RememberedLog | null): boolean {
  if (kept?.note === began?.note) return false
  return kept === null || parseCheckpoint(parseNote(kept.note, 'checkpoint').text).size > size
}

async function continues(log: LogClient, before: Checkpoint, now: Checkpoint): Promise<boolean> {
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
