/**
 * Backups of a vault's store, made while it is served.
 *
 * A backup is ciphertext and metadata, as the store is: the root key is never in it. Its checkpoint, signed, says which
 * log it holds. Others may keep theirs in the same place, under the same vault id: only those of this log count, and only
 * those are removed, the ones with least of it first. A clock decides nothing but when the next is due.
 *
 * @module
 */

import { HOUR_MS } from '../../core/durations.ts'
import { parseCheckpoint } from '../../core/tlog/checkpoint.ts'
import { parseNote } from '../../core/tlog/signed_note.ts'
import { isSignedBy, signHead } from '../integrity/sign_checkpoint.ts'
import { logLine } from '../telemetry/log.ts'
import type { Archive, KeptBackup } from './backup_store.ts'
import type { Desk, Duty } from './scheduler.ts'

/** Backs the vault up when that is due. */
export const backup: Duty = {
  name: 'backup',
  afterWriteMs: null,
  async run(desk) {
    const { archive } = desk
    if (archive === undefined) return null
    if (dueAt(desk, archive, await ownBackups(desk, archive)) <= Date.now()) {
      const made = await backUp(desk, archive)
      await prune(desk, archive, made)
    }
    return dueAt(desk, archive, await ownBackups(desk, archive))
  },
}

/** When the next is due, in milliseconds since the Unix epoch; `Infinity` when none is. */
function dueAt({ settings }: Desk, archive: Archive, [newest]: KeptBackup[]): number {
  const { everyHours } = settings.backup
  if (archive.isRequested()) return 0
  if (everyHours === 0) return Number.POSITIVE_INFINITY
  // One from the future was made before the clock was set back: how old it is cannot be told.
  if (newest === undefined || newest.at > Date.now()) return 0
  return newest.at + everyHours * HOUR_MS
}

async function backUp(desk: Desk, archive: Archive): Promise<string> {
  const copy = await archive.copy()
  try {
    const { head, bytes } = copy
    // What was copied has to be the beginning of what is served: then a checkpoint of it is true.
    await desk.perform('audit.compare', head)
    const found = await desk.perform('audit.head', {})
    const checkpoint = await signHead({ ...found, head, signed: null }, desk, async () => {})
    const file = copy.keep(checkpoint, Date.now())
    await desk.perform('vault.backed_up', { file, bytes, head })
    return file
  } catch (error) {
    copy.discard()
    throw error
  }
}

/** Removes those with least of this log when there are too many; never the one that was just made. */
async function prune(desk: Desk, archive: Archive, made: string): Promise<void> {
  const own = await ownBackups(desk, archive)
  const excess = own.filter(({ file }) => file !== made).slice(desk.settings.backup.keep - 1)
  for (const { file } of excess) archive.remove(file)
  const others = archive.list().length - (own.length - excess.length)
  if (others > 0) logLine('warn', 'backups_of_another_log', { vault: desk.vault, count: others })
}

/** The backups that are of this vault's log, those with most of it first. */
async function ownBackups(desk: Desk, archive: Archive): Promise<KeptBackup[]> {
  const kept = archive.list()
  const read = kept.flatMap((one) => headOf(archive, one) ?? [])
  const own = new Set(await desk.perform('vault.backups', { backups: read }))
  for (const { file, head, checkpoint } of read) {
    // Every log begins with the same root: of an empty one its key tells whose it is.
    if (head.size === 0 && (await isSignedBy(checkpoint, desk))) own.add(file)
  }
  return kept.filter(({ file }) => own.has(file))
}

/** What the checkpoint beside a backup says; `null` when it says nothing of this file. */
function headOf(archive: Archive, { file, size }: KeptBackup) {
  const checkpoint = archive.checkpoint(file)
  try {
    const head = parseCheckpoint(parseNote(checkpoint ?? '', 'checkpoint').text)
    return head.size === size && checkpoint !== null ? { file, head, checkpoint } : null
  } catch {
    return null
  }
}
