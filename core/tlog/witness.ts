/**
 * Witnesses (C2SP tlog-witness, tlog-cosignature): other parties that also sign a checkpoint after they see proof that
 * it extends the last one they signed. A log that shows two people two histories would need two witnesses.
 *
 * @module
 */
import { base64, parseUtf8 } from '../bytes.ts'
import { type SendOptions, send } from '../http/send.ts'
import type { Hash } from './merkle.ts'
import { type NoteVerifier, openNote, parseNote } from './signed_note.ts'

/** A witness and its key. */
export interface Witness {
  /** The prefix of its submission URL: `add-checkpoint` is below. */
  url: string
  /** The key that its cosignatures are verified with. */
  verifier: NoteVerifier
}

/** The response of a witness. */
export type WitnessVerdict =
  | { kind: 'cosigned'; lines: string }
  /** It last signed a tree of a size other than the one given. */
  | { kind: 'elsewhere'; size: number }
  /** It rejects the proof that the tree extends the one it signed: the log was forked or replaced. */
  | { kind: 'disagrees' }
  | { kind: 'failed'; status: number }

/**
 * Asks a witness to cosign a checkpoint.
 *
 * @param note The signed checkpoint.
 * @param old The size of the tree that it signed last, and the consistency proof from there.
 * @throws {PosternError} `unavailable` when it does not answer.
 */
export async function askWitness(
  { url, verifier }: Witness,
  note: string,
  old: { size: number; proof: readonly Hash[] },
  options: SendOptions,
): Promise<WitnessVerdict> {
  const body = `${[`old ${old.size}`, ...old.proof.map(base64)].join('\n')}\n\n${note}`
  const endpoint = `${url.replace(/(?<!\/)\/+$/, '')}/add-checkpoint`
  const answer = await send(endpoint, { method: 'POST', body }, { ...options, maxBytes: 64 * 1024 })
  const text = parseUtf8(answer.body) ?? ''
  if (answer.status === 200) return cosigned(note, text, verifier)
  if (answer.status === 409) {
    const size = /^(0|[1-9][0-9]{0,15})\n$/.exec(text)?.[1]
    return size === undefined ? { kind: 'failed', status: 409 } : { kind: 'elsewhere', size: Number(size) }
  }
  return answer.status === 422 ? { kind: 'disagrees' } : { kind: 'failed', status: answer.status }
}

/**
 * Returns the signature line of this witness if it verifies. The response is hostile input, and may have lines of other
 * keys.
 */
async function cosigned(note: string, answer: string, verifier: NoteVerifier): Promise<WitnessVerdict> {
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1)
  for (const line of answer.split('\n').filter((one) => one.startsWith(`— ${verifier.name} `))) {
    const opened = await opens(`${text}\n${line}\n`, verifier)
    if (opened) return { kind: 'cosigned', lines: `${line}\n` }
  }
  return { kind: 'failed', status: 200 }
}

async function opens(note: string, verifier: NoteVerifier): Promise<boolean> {
  try {
    return (await openNote(parseNote(note), [verifier])) !== null
  } catch {
    return false
  }
}
