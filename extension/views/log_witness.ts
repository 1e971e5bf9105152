/**
 * Verifies a log from outside the server. The last verified checkpoint is remembered, and each new one must continue it.
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

/** The remembered state of a log. All of it is public. */
export interface RememberedLog {
  /** The verifier keys for its checkpoints, one on each line: that of the current term and those of earlier terms. */
  key: string
  /** The last verified checkpoint, as a signed note. */
  note: string
}

/** The flaw of a log. */
export type LogFlaw =
  | 'signature' // the checkpoint is not signed with the known key
  | 'shrank' // it has fewer entries than before
  | 'forked' // it does not continue the remembered checkpoint
  | 'withheld' // it lacks an entry that the server named in a response
  | 'unwitnessed' // fewer witnesses cosigned it than the user requires
  | 'stale' // enough witnesses cosigned it, but too long ago

/** A log without a flaw, and its state to remember. */
export interface VerifiedLog {
  checkpoint: Checkpoint
  remember: RememberedLog
}

/**
 * The result of a check. A flaw comes with two counts of entries or cosignatures. `before` is the expected count, and `now`
 * the actual one, or `null` if it is unknown.
 */
export type LogVerdict = VerifiedLog | { flaw: LogFlaw; before: number; now: number | null }

type LogClient = Pick<UserClient, 'checkpoint' | 'consistency' | 'auditKey'>

/**
 * Checks a log once.
 *
 * @param remembered The remembered state, or `null` for a log that has not been checked before.
 * @param pinned The verifier key, if the user got it from a source other than the server. Otherwise the first key that the
 *   server sends is trusted.
 * @param recorded The last entry that the server named in a response before this call, or -1.
 * @returns The verified checkpoint and the state to remember, or the flaw. After a flaw the remembered state must stay.
 * @throws {PosternError} if the server refuses or is down. This does not mean that the log has a flaw.
 */
export async function checkLog(
  log: LogClient,
  remembered: RememberedLog | null,
  pinned: string | null,
  recorded = -1,
): Promise<LogVerdict> {
  const key = pinned ?? remembered?.key ?? (await log.auditKey())
  // The server alone cannot introduce the key of a later term. The user has to pin the key or trust the log again.
  const verifiers = await Promise.all(key.split(/\s+/).map((line) => parseVerifierKey(line)))
  const before = remembered === null ? null : await opened(remembered.note, verifiers)
  const note = await log.checkpoint()
  const checkpoint = await opened(note, verifiers)
  const seen = before?.size ?? 0
  // A checkpoint that was remembered under a key other than the pinned one proves nothing.
  if (checkpoint === null || (remembered !== null && before === null))
    return { flaw: 'signature', before: seen, now: null }
  if (before !== null) {
    if (before.origin !== checkpoint.origin) return { flaw: 'forked', before: seen, now: checkpoint.size }
    if (checkpoint.size < before.size) return { flaw: 'shrank', before: seen, now: checkpoint.size }
    if (!(await continues(log, before, checkpoint))) return { flaw: 'forked', before: seen, now: checkpoint.size }
  }
  // An old checkpoint continues itself, so a server that always serves it could hide every later entry.
  if (checkpoint.size <= recorded) return { flaw: 'withheld', before: recorded + 1, now: checkpoint.size }
  return { checkpoint, remember: { key, note } }
}

/**
 * Checks that enough of the witnesses that the user requires have cosigned a checkpoint that a verified log continues. Without
 * this check, a server that stops sending checkpoints to its witnesses, or shows two users two logs, looks honest.
 *
 * @returns The verdict, or a flaw. For too few or stale cosignatures, `before` is the required number and `now` the actual one.
 */
export async function checkWitnesses(log: LogClient, verdict: VerifiedLog, demand: WitnessDemand): Promise<LogVerdict> {
  const { checkpoint, remember } = verdict
  const quorum = demand.quorum ?? demand.witnesses.length
  const note = await log.checkpoint({ cosigned: true }).catch((error) => {
    // A server of an older version has no cosigned checkpoint either.
    if (error instanceof PosternError && ['not_found', 'bad_request'].includes(error.code)) return null
    throw error
  })
  if (note === null) return { flaw: 'unwitnessed', before: quorum, now: 0 }
  const verifiers = await Promise.all(remember.key.split(/\s+/).map((line) => parseVerifierKey(line)))
  const cosigned = await opened(note, verifiers)
  if (cosigned === null) return { flaw: 'signature', before: checkpoint.size, now: null }
  const found = await verifyCosignatures(note, demand)
  if (found.kind !== 'met') return { flaw: found.kind, before: quorum, now: found.by.length }
  // The log may have grown and been cosigned since its checkpoint was verified.
  const [older, newer] = cosigned.size > checkpoint.size ? [checkpoint, cosigned] : [cosigned, checkpoint]
  const isOne = cosigned.origin === checkpoint.origin && (await continues(log, older, newer))
  return isOne ? verdict : { flaw: 'forked', before: older.size, now: newer.size }
}

/**
 * Whether the result of a check is outdated and must not be stored. Since the check began, another check has stored a later
 * checkpoint, or the user has removed the stored state. Synchronous, so that no other check runs between this call and the write.
 *
 * @param began The stored state when the check began.
 * @param kept The stored state now. It was verified before it was stored.
 */
export function isSuperseded({ size }: Checkpoint, began: RememberedLog | null, kept: RememberedLog | null): boolean {
  if (kept?.note === began?.note) return false
  return kept === null || parseCheckpoint(parseNote(kept.note, 'checkpoint').text).size > size
}

async function continues(log: LogClient, before: Checkpoint, now: Checkpoint): Promise<boolean> {
  const hashes: Hash[] = []
  if (before.size > 0 && before.size < now.size) {
    const proof = await log.consistency(before.size, now.size).catch((error) => {
      // A server without a consistency proof for its own sizes does not have this log.
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
