/**
 * Requirements for witnesses: how many cosignatures of which witnesses a checkpoint must have, and how old they may be.
 * Without them, a server that no longer uses its witnesses looks like one that does.
 *
 * @module
 */
import { isWitnessKey, type NoteVerifier, openNote, parseNote, parseVerifierKey } from './signed_note.ts'

/** How far the clock of a witness may be ahead. */
const SKEW_MS = 5 * 60_000

/** The witnesses that a verifier requires. */
export interface WitnessDemand {
  /** The witnesses that count: see {@link parseWitnessKeys}. */
  witnesses: readonly NoteVerifier[]
  /** How many of them must cosign; all by default. */
  quorum?: number
  /** The maximum age of a cosignature, in milliseconds; unlimited by default. */
  freshMs?: number
  /** Milliseconds since the Unix epoch. */
  now: number
}

/** A witness and the time of its cosignature, in milliseconds since the Unix epoch. */
export interface Cosigner {
  name: string
  at: number
}

/** Whether a checkpoint meets the requirements. */
export type Cosigned =
  | { kind: 'met'; by: Cosigner[] }
  /** Fewer witnesses than the quorum cosigned it, or the cosignature of one is wrong. */
  | { kind: 'unwitnessed'; by: Cosigner[]; quorum: number }
  /** Enough cosigned it, but too long ago. */
  | { kind: 'stale'; by: Cosigner[]; quorum: number }

/**
 * Parses the keys of witnesses.
 *
 * @throws {PosternError} `bad_request` if one is not the verifier key of a witness.
 */
export async function parseWitnessKeys(keys: readonly string[], field = 'witness'): Promise<NoteVerifier[]> {
  // A key whose signatures have no time is the key of a log.
  const unfit = keys.find((key) => !isWitnessKey(key))
  return Promise.all((unfit === undefined ? keys : ['']).map((key) => parseVerifierKey(key, field)))
}

/**
 * Counts the cosignatures of a checkpoint (C2SP tlog-cosignature). The signature of the log itself is not checked.
 *
 * @param note Hostile input.
 * @throws {PosternError} `bad_request` if it is not a note.
 */
export async function verifyCosignatures(note: string, demand: WitnessDemand): Promise<Cosigned> {
  const { witnesses, quorum = witnesses.length, freshMs = Number.POSITIVE_INFINITY, now } = demand
  const opened = await openNote(parseNote(note, 'checkpoint'), witnesses)
  const by = (opened?.cosigned ?? []).map(({ name, seconds }) => ({ name, at: seconds * 1000 }))
  if (by.length < quorum) return { kind: 'unwitnessed', by, quorum }
  const fresh = by.filter(
    ({ at }) => at >= now - freshMs && (freshMs === Number.POSITIVE_INFINITY || at <= now + SKEW_MS),
  )
  return fresh.length < quorum ? { kind: 'stale', by, quorum } : { kind: 'met', by }
}
