/**
 * Whether a log continues from the checkpoints that its anchors keep: an older copy of a store does not.
 *
 * @module
 */
import { PosternError } from '../../core/errors.ts'
import type { Anchor } from '../../core/tlog/anchor.ts'
import { openCheckpoint } from '../../core/tlog/checkpoint.ts'
import { type TreeHead, treeHash } from '../../core/tlog/merkle.ts'
import { formatVerifierKey, parseVerifierKey } from '../../core/tlog/signed_note.ts'
import type { VaultServices } from '../vault_services.ts'
import { signerOf, verifierKeys } from './sign_checkpoint.ts'

/** How many terms an anchor may be ahead of a store, and how many keys are derived at a time to find out. */
const LATER_TERMS = 1024
const TERMS_AT_A_TIME = 16

/**
 * How a log compares with an anchor: `yes` if it continues from the anchor's checkpoint or there never was one, `unread`
 * if the anchor cannot be read now, `unknown` if no key of this log signed its checkpoint, `gone` if its checkpoint is
 * missing, `rolled_back` if the log does not contain the checkpoint's tree.
 */
export type Continuity = 'yes' | 'unread' | 'unknown' | 'gone' | 'rolled_back'

/** The head of an empty log, for an anchor whose checkpoint is missing. */
const EMPTY_HEAD: TreeHead = { size: 0, root: treeHash(0, () => []) }

/** An anchor compared with a log, and the head that the anchor keeps, where it can be read. */
export interface ComparedAnchor {
  anchor: Anchor
  verdict: Continuity
  head?: TreeHead
}

/**
 * Whether a log continues from the checkpoints of all its anchors, and the heads that they keep. To be called before
 * anything is written to the log. A missing checkpoint counts as `rolled_back`, since it proves nothing.
 */
export async function continuityOf(
  services: VaultServices,
): Promise<{ continuity: Exclude<Continuity, 'gone'>; heads: readonly TreeHead[] }> {
  const compared = await compareAnchors(services)
  const heads = compared.flatMap(({ head }) => (head === undefined ? [] : [head]))
  const verdicts = compared.map(({ verdict }) => verdict)
  if (verdicts.includes('rolled_back') || verdicts.includes('gone')) return { continuity: 'rolled_back', heads }
  return { continuity: (['unknown', 'unread'] as const).find((one) => verdicts.includes(one)) ?? 'yes', heads }
}

/** Compares a log with each of its anchors. */
export function compareAnchors(services: VaultServices): Promise<ComparedAnchor[]> {
  return Promise.all(services.anchors.map((anchor) => compareAnchor(services, anchor)))
}

/** Compares a log with one anchor. */
export async function compareAnchor(services: VaultServices, anchor: Anchor): Promise<ComparedAnchor> {
  const note = await anchor.read(services.vault).catch(() => undefined)
  if (note === undefined) return { anchor, verdict: 'unread' }
  if (note === null) {
    const mark = (await services.perform('delivery.find', { target: anchor.target }))?.mark ?? 0
    return mark > 0 ? { anchor, verdict: 'gone', head: EMPTY_HEAD } : { anchor, verdict: 'yes' }
  }
  const head = await openAnchored(services, note)
  if (head === null) return { anchor, verdict: 'unknown' }
  return { anchor, verdict: (await containsHead(services, head)) ? 'yes' : 'rolled_back', head }
}

/** Whether a log has the tree of this head as its beginning. */
export async function containsHead(services: VaultServices, { size, root }: TreeHead): Promise<boolean> {
  try {
    await services.perform('audit.compare', { size, root })
    return true
  } catch (error) {
    if (error instanceof PosternError && error.detail.reason === 'rolled_back') return false
    throw error
  }
}

/** The head in a checkpoint; `null` when no key of this log signed it. */
async function openAnchored(services: VaultServices, note: string): Promise<TreeHead | null> {
  const head = await services.perform('audit.head', {})
  const known = await openWith(note, await verifierKeys(services, head))
  if (known !== null) return known
  // A store that was rolled back does not have the later terms, nor a root key that replaced its own since.
  for (let later = 1; later <= LATER_TERMS; later += TERMS_AT_A_TIME) {
    const signers = services.keyring.all.flatMap(({ rootId }) =>
      Array.from({ length: TERMS_AT_A_TIME }, (_, i) => signerOf(services, head.term + later + i, rootId)),
    )
    const found = await openWith(note, (await Promise.all(signers)).map(formatVerifierKey))
    if (found !== null) return found
  }
  return null
}

async function openWith(note: string, keys: readonly string[]): Promise<TreeHead | null> {
  const verifiers = await Promise.all(keys.map((key) => parseVerifierKey(key)))
  return openCheckpoint(note, verifiers).catch(() => null)
}
