/**
 * Taking checkpoints to where the log is not: to anchors, which keep the newest, and to witnesses, who cosign it.
 *
 * @module
 */
import type { Anchor } from '../core/audit/anchor.ts'
import { openCheckpoint } from '../core/audit/checkpoint.ts'
import type { TreeHead } from '../core/audit/log.ts'
import { parseVerifierKey } from '../core/audit/note.ts'
import { askWitness, type Verdict, type Witness } from '../core/audit/witness.ts'
import { PosternError } from '../core/errors.ts'
import { signHead, verifierKeys } from './checkpoint.ts'
import type { Desk, Duty } from './upkeep.ts'

/** Keys of terms that a store which was rolled back does not know of yet. */
const LATER_TERMS = 16

/** Signs the head when it moved, has it cosigned, and takes it to the anchors. */
export function publication(afterWriteMs: number): Duty {
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
        const witness = { url, verifier: await parseVerifierKey(key) }
        await attempt(cosign(desk, witness, note, head).then((lines) => (note += lines)))
      }
      if (note !== found.signed?.note) await desk.perform('audit.sign', { ...head, note })
      await Promise.all(desk.anchors.map((anchor) => attempt(keep(desk, anchor, note, head.size))))
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
  if (verdict.kind === 'disagrees' || verdict.kind === 'elsewhere') {
    const size = verdict.kind === 'elsewhere' ? verdict.size : null
    await dissent(desk, target, size)
  }
  throw await failed(desk, target, 'status' in verdict ? `status_${verdict.status}` : verdict.kind)
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
  if (['disagrees', 'elsewhere', 'rolled_back'].includes(known?.failure ?? '')) return
  await desk.perform('audit.dissent', { witness: target, size }).catch(() => {})
}

async function keep(desk: Desk, anchor: Anchor, note: string, size: number): Promise<void> {
  const { target } = anchor
  // Compared before each write: what could not be read at the start must not be overwritten by an older head.
  const verdict = await compare(desk, anchor)
  if (verdict === 'rolled_back') {
    await dissent(desk, target, null)
    desk.quarantine()
  }
  if (verdict !== 'yes') throw await failed(desk, target, verdict)
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

/** Whether a log goes on from what is kept of it elsewhere; `unread` when that cannot be told. */
export type Continuity = 'yes' | 'unread' | 'rolled_back'

/** Whether a log goes on from what all its anchors keep. To be asked before anything is written to it. */
export async function continuityOf(desk: Desk): Promise<Continuity> {
  const verdicts = await Promise.all(desk.anchors.map((anchor) => compare(desk, anchor)))
  return verdicts.find((one) => one === 'rolled_back') ?? verdicts.find((one) => one === 'unread') ?? 'yes'
}

async function compare(desk: Desk, anchor: Anchor): Promise<Continuity> {
  const note = await anchor.read(desk.vault).catch(() => undefined)
  if (note === null) return 'yes'
  const checkpoint = note === undefined ? null : await opened(desk, note)
  if (checkpoint === null) return 'unread'
  return (await goesOn(desk, checkpoint)) ? 'yes' : 'rolled_back'
}

async function goesOn(desk: Desk, { size, root }: TreeHead): Promise<boolean> {
  try {
    await desk.perform('audit.compare', { size, root })
    return true
  } catch (error) {
    if (error instanceof PosternError && error.detail.reason === 'rolled_back') return false
    throw error
  }
}

async function opened(desk: Desk, note: string) {
  const { term } = await desk.perform('audit.head', {})
  const verifiers = (await verifierKeys(desk, term + LATER_TERMS)).map((key) => parseVerifierKey(key))
  return openCheckpoint(note, await Promise.all(verifiers)).catch(() => null)
}
