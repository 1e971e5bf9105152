/**
 * Taking checkpoints to where the log is not: to anchors, which keep the newest, and to witnesses, who cosign it.
 *
 * @module
 */

import { PosternError } from '../../core/errors.ts'
import type { Anchor } from '../../core/tlog/anchor.ts'
import { openCheckpoint } from '../../core/tlog/checkpoint.ts'
import type { TreeHead } from '../../core/tlog/merkle.ts'
import { treeHash } from '../../core/tlog/merkle.ts'
import { formatVerifierKey, parseVerifierKey } from '../../core/tlog/signed_note.ts'
import { askWitness, type Verdict, type Witness } from '../../core/tlog/witness.ts'
import { signerOf, signHead, verifierKeys } from '../integrity/sign_checkpoint.ts'
import { logLine } from '../telemetry/log.ts'
import type { Desk, Duty } from './scheduler.ts'

/** How many terms ahead of a store an anchor may be, and how many keys are derived at a time to find that out. */
const LATER_TERMS = 1024
const TERMS_AT_A_TIME = 16

/** Signs the head when it moved, has it cosigned, and takes it to the anchors. */
export function publication(afterWriteMs: number): Duty {
  // Anchors that agreed since the vault was opened: for those, no older store can have taken the place of this one.
  const agreed = new Set<string>()
  return {
    name: 'publication',
    afterWriteMs,
    async run(desk) {
      const found = await desk.perform('audit.head', {})
      let note = await signHead(found, desk, (signed) => desk.perform('audit.sign', signed))
      const { head } = found
      const failures: unknown[] = []
      const attempt = (work: Promise<unknown>) => work.catch((error) => failures.push(error))
      for (const { url, key } of desk.settings.audit.witnesses) {
        const asked = parseVerifierKey(key).then((verifier) => cosign(desk, { url, verifier }, note, head))
        await attempt(asked.then((lines) => (note += lines)))
      }
      if (note !== found.signed?.note) await desk.perform('audit.sign', { ...head, note })
      await Promise.all(desk.anchors.map((anchor) => attempt(keep(desk, anchor, { note, size: head.size }, agreed))))
      if (failures.length > 0) throw failures[0]
      return null
    },
  }
}

/** @returns The cosignature lines; empty when the witness has signed this very tree already. */
async function cosign(desk: Desk, witness: Witness, note: string, head: TreeHead): Promise<string> {
  const target = `witness:${witness.verifier.name}`
  const before = (await desk.perform('delivery.find', { target }))?.mark ?? 0
  if (before === head.size) return ''
  let verdict = await ask(desk, witness, note, { from: before, to: head.size })
  // What it signed last is for the witness to say: ours may be an older store's.
  if (verdict.kind === 'elsewhere' && verdict.size <= head.size) {
    verdict = await ask(desk, witness, note, { from: verdict.size, to: head.size })
  }
  if (verdict.kind === 'cosigned') {
    await desk.perform('delivery.report', { target, mark: head.size })
    return verdict.lines
  }
  // Another of us may have been there in between: it has seen no more than there is.
  if (verdict.kind === 'elsewhere' && verdict.size <= head.size) throw await failed(desk, target, 'raced')
  if (verdict.kind === 'failed') throw await failed(desk, target, `status_${verdict.status}`)
  await dissent(desk, target, verdict.kind === 'elsewhere' ? verdict.size : null)
  throw await failed(desk, target, verdict.kind)
}

async function ask(desk: Desk, witness: Witness, note: string, sizes: { from: number; to: number }): Promise<Verdict> {
  const target = `witness:${witness.verifier.name}`
  try {
    const { hashes } = await desk.perform('audit.consistency', sizes)
    return await askWitness(witness, note, { size: sizes.from, proof: hashes })
  } catch (error) {
    throw await failed(desk, target, error instanceof PosternError ? (error.detail.reason ?? error.code) : 'failed')
  }
}

/** It is an alert, once: as long as the witness is failing it was told. */
async function dissent(desk: Desk, target: string, size: number | null): Promise<void> {
  const known = await desk.perform('delivery.find', { target })
  if (known?.failure === 'disagrees' || known?.failure === 'elsewhere') return
  await desk.perform('audit.dissent', { witness: target, size }).catch(() => {})
}

/** @param agreed The targets of anchors that agreed before; this one is added. */
async function keep(
  desk: Desk,
  anchor: Anchor,
  { note, size }: { note: string; size: number },
  agreed: Set<string>,
): Promise<void> {
  const { target } = anchor
  // Compared before each write: what could not be read at the start must not be overwritten by an older head.
  const { verdict } = await compare(desk, anchor)
  // A disk that is not mounted any more looks like this. It heals when it is back; at the next opening it is refused.
  if (verdict === 'gone' && agreed.has(target)) throw await failed(desk, target, verdict)
  if (verdict === 'rolled_back' || verdict === 'gone') {
    // Nothing more is written to this log, that neither.
    desk.quarantine('rolled_back')
    logLine('error', 'rolled_back', { vault: desk.vault })
    throw new PosternError('tampered', 'Log is not what its anchor has')
  }
  if (verdict !== 'yes') throw await failed(desk, target, verdict)
  agreed.add(target)
  try {
    await anchor.write(desk.vault, note)
  } catch {
    throw await failed(desk, target, 'unavailable')
  }
  await desk.perform('delivery.report', { target, mark: size })
}

async function failed(desk: Desk, target: string, failure: string): Promise<PosternError> {
  await desk.perform('delivery.report', { target, failure })
  return new PosternError('unavailable', `Checkpoint was not taken: ${failure}`)
}

/**
 * Whether a log goes on from what is kept of it elsewhere: `unread` when that cannot be told now, `unknown` when what
 * is kept is no checkpoint that a key of this log signed, `gone` when nothing is kept where something was before.
 */
export type Continuity = 'yes' | 'unread' | 'unknown' | 'gone' | 'rolled_back'

/** What an anchor has that has nothing: the head of an empty log. */
const NOTHING: TreeHead = { size: 0, root: treeHash(0, () => []) }

/** What an anchor says of a log, and the head that it keeps of it when that can be read. */
interface Compared {
  anchor: Anchor
  verdict: Continuity
  head?: TreeHead
}

/**
 * Whether a log goes on from what all its anchors keep, and the heads that they keep. To be asked before anything is written
 * to it. An anchor that is gone counts as `rolled_back`: without it, nobody can tell.
 */
export async function continuityOf(
  desk: Desk,
): Promise<{ continuity: Exclude<Continuity, 'gone'>; heads: readonly TreeHead[] }> {
  const compared = await compareAll(desk)
  const heads = compared.flatMap(({ head }) => (head === undefined ? [] : [head]))
  const verdicts = compared.map(({ verdict }) => verdict)
  if (verdicts.includes('rolled_back') || verdicts.includes('gone')) return { continuity: 'rolled_back', heads }
  return { continuity: (['unknown', 'unread'] as const).find((one) => verdicts.includes(one)) ?? 'yes', heads }
}

/** What each anchor says of a log. */
export function compareAll(desk: Desk): Promise<Compared[]> {
  return Promise.all(desk.anchors.map((anchor) => compare(desk, anchor)))
}

async function compare(desk: Desk, anchor: Anchor): Promise<Compared> {
  const note = await anchor.read(desk.vault).catch(() => undefined)
  if (note === undefined) return { anchor, verdict: 'unread' }
  if (note === null) {
    const mark = (await desk.perform('delivery.find', { target: anchor.target }))?.mark ?? 0
    return mark > 0 ? { anchor, verdict: 'gone', head: NOTHING } : { anchor, verdict: 'yes' }
  }
  const head = await opened(desk, note)
  if (head === null) return { anchor, verdict: 'unknown' }
  return { anchor, verdict: (await goesOn(desk, head)) ? 'yes' : 'rolled_back', head }
}

export async function goesOn(desk: Desk, { size, root }: TreeHead): Promise<boolean> {
  try {
    await desk.perform('audit.compare', { size, root })
    return true
  } catch (error) {
    if (error instanceof PosternError && error.detail.reason === 'rolled_back') return false
    throw error
  }
}

async function opened(desk: Desk, note: string) {
  const head = await desk.perform('audit.head', {})
  const known = await openedBy(note, await verifierKeys(desk, head))
  if (known !== null) return known
  // A store that was rolled back does not know the later terms; and of whichever root key: it may have been replaced since.
  for (let later = 1; later <= LATER_TERMS; later += TERMS_AT_A_TIME) {
    const signers = desk.keyring.all.flatMap(({ rootId }) =>
      Array.from({ length: TERMS_AT_A_TIME }, (_, i) => signerOf(desk, head.term + later + i, rootId)),
    )
    const found = await openedBy(note, (await Promise.all(signers)).map(formatVerifierKey))
    if (found !== null) return found
  }
  return null
}

async function openedBy(note: string, keys: readonly string[]) {
  const verifiers = await Promise.all(keys.map((key) => parseVerifierKey(key)))
  return openCheckpoint(note, verifiers).catch(() => null)
}

/** What a log's checkpoints are taken to, by the names under which it is noted how far each has come. */
export function targetsOf({ anchors, settings }: Pick<Desk, 'anchors' | 'settings'>): string[] {
  const witnesses = settings.audit.witnesses.map(({ key }) => `witness:${key.split('+')[0]}`)
  return [...anchors.map(({ target }) => target), ...witnesses]
}
