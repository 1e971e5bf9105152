/**
 * Publishes checkpoints apart from the log: to anchors, which keep the newest, and to witnesses, which cosign it.
 *
 * @module
 */

import { PosternError } from '../../core/errors.ts'
import type { Anchor } from '../../core/tlog/anchor.ts'
import type { TreeHead } from '../../core/tlog/merkle.ts'
import { parseVerifierKey } from '../../core/tlog/signed_note.ts'
import { askWitness, type Witness, type WitnessVerdict } from '../../core/tlog/witness.ts'
import { compareAnchor } from '../integrity/continuity.ts'
import { signHead } from '../integrity/sign_checkpoint.ts'
import { toOperator } from '../outbound.ts'
import { logLine } from '../telemetry/log.ts'
import type { VaultServices } from '../vault_services.ts'
import type { Job } from './scheduler.ts'

/** Signs a head that moved, has witnesses cosign it, and writes it to the anchors. @param afterWriteMs How soon after a write. */
export function publishCheckpoints(afterWriteMs: number): Job {
  // Anchors that agreed since the vault was opened: an older store cannot have replaced this one since.
  const agreed = new Set<string>()
  return {
    name: 'publication',
    afterWriteMs,
    async run(services) {
      const found = await services.perform('audit.head', {})
      let note = await signHead(found, services, (signed) => services.perform('audit.sign', signed))
      const { head } = found
      const failures: unknown[] = []
      const attempt = (work: Promise<unknown>) => work.catch((error) => failures.push(error))
      for (const { url, key } of services.settings.audit.witnesses) {
        const asked = parseVerifierKey(key).then((verifier) => cosign(services, { url, verifier }, note, head))
        await attempt(asked.then((lines) => (note += lines)))
      }
      if (note !== found.signed?.note) await services.perform('audit.sign', { ...head, note })
      await Promise.all(
        services.anchors.map((anchor) => attempt(keep(services, anchor, { note, size: head.size }, agreed))),
      )
      if (failures.length > 0) throw failures[0]
      return null
    },
  }
}

/** @returns The cosignature lines; empty if the witness cosigned this tree before. */
async function cosign(services: VaultServices, witness: Witness, note: string, head: TreeHead): Promise<string> {
  const target = `witness:${witness.verifier.name}`
  const before = (await services.perform('delivery.find', { target }))?.mark ?? 0
  if (before === head.size) return ''
  let verdict = await ask(services, witness, note, { from: before, to: head.size })
  // The witness knows which size it cosigned last: this store's mark may be an older one's.
  if (verdict.kind === 'elsewhere' && verdict.size <= head.size) {
    verdict = await ask(services, witness, note, { from: verdict.size, to: head.size })
  }
  if (verdict.kind === 'cosigned') {
    await services.perform('delivery.report', { target, mark: head.size })
    return verdict.lines
  }
  // Another instance may have been there in between: the witness has seen no more than the log has.
  if (verdict.kind === 'elsewhere' && verdict.size <= head.size) throw await failed(services, target, 'raced')
  if (verdict.kind === 'failed') throw await failed(services, target, `status_${verdict.status}`)
  await dissent(services, target, verdict.kind === 'elsewhere' ? verdict.size : null)
  throw await failed(services, target, verdict.kind)
}

async function ask(
  services: VaultServices,
  witness: Witness,
  note: string,
  sizes: { from: number; to: number },
): Promise<WitnessVerdict> {
  const target = `witness:${witness.verifier.name}`
  try {
    const { hashes } = await services.perform('audit.consistency', sizes)
    return await askWitness(witness, note, { size: sizes.from, proof: hashes }, toOperator(services))
  } catch (error) {
    throw await failed(services, target, error instanceof PosternError ? (error.detail.reason ?? error.code) : 'failed')
  }
}

/** Records an alert, once: not again while the witness keeps failing in the same way. */
async function dissent(services: VaultServices, target: string, size: number | null): Promise<void> {
  const known = await services.perform('delivery.find', { target })
  if (known?.failure === 'disagrees' || known?.failure === 'elsewhere') return
  await services.perform('audit.dissent', { witness: target, size }).catch(() => {})
}

/** Writes a checkpoint to an anchor. @param agreed The targets of anchors that agreed before; this one is added. */
async function keep(
  services: VaultServices,
  anchor: Anchor,
  { note, size }: { note: string; size: number },
  agreed: Set<string>,
): Promise<void> {
  const { target } = anchor
  // Compared before each write: an older head must not overwrite a checkpoint that could not be read at the start.
  const { verdict } = await compareAnchor(services, anchor)
  // An unmounted disk looks like this. The anchor recovers once it is back; the next opening refuses the vault.
  if (verdict === 'gone' && agreed.has(target)) throw await failed(services, target, verdict)
  if (verdict === 'rolled_back' || verdict === 'gone') {
    // Nothing more is written to this log, not even this failure.
    services.quarantine('rolled_back')
    logLine('error', 'rolled_back', { vault: services.vault })
    throw new PosternError('tampered', 'Log is not what its anchor has')
  }
  if (verdict !== 'yes') throw await failed(services, target, verdict)
  agreed.add(target)
  try {
    await anchor.write(services.vault, note)
  } catch {
    throw await failed(services, target, 'unavailable')
  }
  await services.perform('delivery.report', { target, mark: size })
}

async function failed(services: VaultServices, target: string, failure: string): Promise<PosternError> {
  await services.perform('delivery.report', { target, failure })
  return new PosternError('unavailable', `Checkpoint was not taken: ${failure}`)
}

/** The anchors and witnesses of a log, by the names under which the vault keeps how far each has come. */
export function targetsOf({ anchors, settings }: Pick<VaultServices, 'anchors' | 'settings'>): string[] {
  const witnesses = settings.audit.witnesses.map(({ key }) => `witness:${key.split('+')[0]}`)
  return [...anchors.map(({ target }) => target), ...witnesses]
}
