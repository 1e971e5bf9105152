/**
 * Continues a vault from an earlier state, only if the operator's setting names both states, and never unrecorded.
 *
 * @module
 */

import { equal } from '../../core/bytes.ts'
import { PosternError } from '../../core/errors.ts'
import type { Anchor } from '../../core/tlog/anchor.ts'
import type { TreeHead } from '../../core/tlog/merkle.ts'
import { formatRollback, parseRollback, type RollbackAcceptance } from '../../core/tlog/rollback_acceptance.ts'
import { logLine } from '../telemetry/log.ts'
import type { VaultServices } from '../vault_services.ts'
import { compareAnchors, containsHead } from './continuity.ts'
import { signHead } from './sign_checkpoint.ts'

/**
 * Whether the operator accepts that the log does not continue from its anchors. If so, the log first records it, as an
 * alert, and the anchors are moved to the log. The setting names what they had, so it has no effect from then on.
 *
 * @throws {PosternError} `unavailable` when an anchor cannot be moved: the vault stays closed until it can.
 */
export async function acceptRollback(services: VaultServices): Promise<boolean> {
  const { vault } = services
  const { head } = await services.perform('audit.head', {})
  const ahead = await divergedAnchors(services)
  const accepted = await Promise.all(ahead.map((one) => acceptedOf(services, one.head)))
  const from = accepted[0]?.head
  if (from === undefined || accepted.includes(null)) {
    const words = ahead.map((one) => formatRollback({ vault, head, anchored: one.head }))
    logLine('error', 'rolled_back', { vault, acceptRollback: words })
    return false
  }
  const anchored = ahead.map(({ anchor: { target }, head }) => ({ target, head }))
  await services.perform('vault.restored', { head: from, anchored })
  await moveAnchors(services, ahead)
  logLine('warn', 'rollback_accepted', { vault, size: from.size })
  return true
}

/** The anchors that this log does not continue from, and their heads: size 0 for one whose checkpoint is missing. */
export async function divergedAnchors(services: VaultServices): Promise<{ anchor: Anchor; head: TreeHead }[]> {
  const compared = await compareAnchors(services)
  return compared.flatMap(({ anchor, verdict, head }) =>
    (verdict === 'rolled_back' || verdict === 'gone') && head !== undefined ? [{ anchor, head }] : [],
  )
}

/** The accepted rollback for exactly the head of an anchor, to a head that this log contains. */
async function acceptedOf(services: VaultServices, anchored: TreeHead): Promise<RollbackAcceptance | null> {
  for (const word of services.settings.audit.acceptRollback) {
    const rollback = parseRollback(word)
    const same = rollback.anchored.size === anchored.size && equal(rollback.anchored.root, anchored.root)
    if (rollback.vault === services.vault && same && (await containsHead(services, rollback.head))) return rollback
  }
  return null
}

async function moveAnchors(services: VaultServices, ahead: { anchor: Anchor }[]): Promise<void> {
  const found = await services.perform('audit.head', {})
  const note = await signHead(found, services, (signed) => services.perform('audit.sign', signed))
  try {
    await Promise.all(ahead.map(({ anchor }) => anchor.write(services.vault, note)))
  } catch {
    throw new PosternError('unavailable', 'Anchor of the log cannot be moved to where it was rolled back to')
  }
}

/** Records in the log that its vault was restored from a backup, even if the anchors have no more than the backup. */
export async function recordRestore(services: VaultServices): Promise<void> {
  if (!(await services.perform('vault.restoration', {}))) return
  const { head } = await services.perform('audit.head', {})
  await services.perform('vault.restored', { head, anchored: [] })
}
