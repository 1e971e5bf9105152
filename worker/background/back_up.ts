/**
 * Backs up a vault's store while it is served.
 *
 * A backup is ciphertext and metadata, as the store is, and never holds the root key. A signed checkpoint beside it tells
 * which log it holds. Other servers may keep backups in the same place, under the same vault id: only backups of this log
 * count, and only they are removed, those with the least of the log first. The clock decides only when the next is due.
 *
 * @module
 */

import { HOUR_MS } from '../../core/durations.ts'
import { parseCheckpoint } from '../../core/tlog/checkpoint.ts'
import { parseNote } from '../../core/tlog/signed_note.ts'
import { isSignedBy, signHead } from '../integrity/sign_checkpoint.ts'
import { logLine } from '../telemetry/log.ts'
import type { VaultServices } from '../vault_services.ts'
import type { BackupStore, KeptBackup } from './backup_store.ts'
import type { Job } from './scheduler.ts'

/** Backs the vault up when a backup is due or requested. */
export const backUp: Job = {
  name: 'backup',
  afterWriteMs: null,
  async run(services) {
    const { backupStore } = services
    if (backupStore === undefined) return null
    if (dueAt(services, backupStore, await ownBackups(services, backupStore)) <= Date.now()) {
      const made = await makeBackup(services, backupStore)
      await prune(services, backupStore, made)
    }
    return dueAt(services, backupStore, await ownBackups(services, backupStore))
  },
}

/** When the next backup is due, in milliseconds since the Unix epoch; `Infinity` for never. */
function dueAt({ settings }: VaultServices, backupStore: BackupStore, [newest]: KeptBackup[]): number {
  const { everyHours } = settings.backup
  if (backupStore.isRequested()) return 0
  if (everyHours === 0) return Number.POSITIVE_INFINITY
  // A backup from the future was made before the clock was set back, so its age is unknown.
  if (newest === undefined || newest.at > Date.now()) return 0
  return newest.at + everyHours * HOUR_MS
}

async function makeBackup(services: VaultServices, backupStore: BackupStore): Promise<string> {
  const copy = await backupStore.copy()
  try {
    const { head, bytes } = copy
    // The copy must be a beginning of the log that is served: only then may its head be signed.
    await services.perform('audit.compare', head)
    const found = await services.perform('audit.head', {})
    const checkpoint = await signHead({ ...found, head, signed: null }, services, async () => {})
    const file = copy.keep(checkpoint, Date.now())
    await services.perform('vault.backed_up', { file, bytes, head })
    return file
  } catch (error) {
    copy.discard()
    throw error
  }
}

/** Removes the backups with the least of this log beyond the number to keep, and never the one that was just made. */
async function prune(services: VaultServices, backupStore: BackupStore, made: string): Promise<void> {
  const own = await ownBackups(services, backupStore)
  const excess = own.filter(({ file }) => file !== made).slice(services.settings.backup.keep - 1)
  for (const { file } of excess) backupStore.remove(file)
  const others = backupStore.list().length - (own.length - excess.length)
  if (others > 0) logLine('warn', 'backups_of_another_log', { vault: services.vault, count: others })
}

/** The backups of this vault's log, those with the most of it first. */
async function ownBackups(services: VaultServices, backupStore: BackupStore): Promise<KeptBackup[]> {
  const kept = backupStore.list()
  const read = kept.flatMap((one) => headOf(backupStore, one) ?? [])
  const own = new Set(await services.perform('vault.backups', { backups: read }))
  for (const { file, head, checkpoint } of read) {
    // Every empty log has the same root, so only its key tells whose it is.
    if (head.size === 0 && (await isSignedBy(checkpoint, services))) own.add(file)
  }
  return kept.filter(({ file }) => own.has(file))
}

/** The head in the checkpoint beside a backup; `null` when there is none for this file. */
function headOf(backupStore: BackupStore, { file, size }: KeptBackup) {
  const checkpoint = backupStore.checkpoint(file)
  try {
    const head = parseCheckpoint(parseNote(checkpoint ?? '', 'checkpoint').text)
    return head.size === size && checkpoint !== null ? { file, head, checkpoint } : null
  } catch {
    return null
  }
}
