/**
 * The data folder of a server: the vaults, one SQLite file each.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PosternError } from '../../core/errors.ts'
import { parseVaultId } from '../../core/names.ts'
import type { Sha256 } from '../../core/tlog/merkle.ts'
import { Log } from '../../core/vault/audit/log.ts'
import type { Scheduler } from '../background/scheduler.ts'
import { logLine } from '../telemetry/log.ts'
import { type OpenVault, type OpenVaultOptions, openVault } from '../vault_host/open_vault.ts'
import { openBackupFolder, watchRequests } from './backup_folder.ts'
import { giveStoreId, isMade, openKnown, storeIdOf } from './known_vault.ts'
import { placeOf } from './open_files.ts'
import type { VaultList } from './vault_list.ts'

/** How the files of vaults end. */
export const VAULT_SUFFIX = '.sqlite'
const MOVED =
  'Was deleted, moved, unmounted or replaced while it was served. No write is acknowledged: put it back, or stop the server and restore a backup'
/** How often it is noted how far the logs have come. */
const NOTE_MS = 10_000
/** A timer counts how long the machine ran; the clock may be set meanwhile, or the machine sleep. */
const MAX_TIMER_MS = 10_000

const sha256: Sha256 = (data) => new Uint8Array(createHash('sha256').update(data).digest())

/** The file of a vault in a data folder. */
export function fileOfVault(data: string, id: string): string {
  return join(data, `${id}${VAULT_SUFFIX}`)
}

/** The ids of the vaults in a data folder, as far as its files are named like vaults. */
export function vaultsIn(data: string): string[] {
  const files = readdirSync(data).filter((name) => name.endsWith(VAULT_SUFFIX))
  return files.map((name) => name.slice(0, -VAULT_SUFFIX.length))
}

/** The vaults in a data folder. */
export interface DataFolder {
  /**
   * Opens a vault, once.
   *
   * @returns `null` when it does not exist and `create` is not set.
   * @throws {PosternError} `unavailable`, with the file's path: for the operator, not for a client.
   */
  open(id: string, create: boolean): Promise<OpenVault | null>
  /** Opens all that exist, for their jobs. One that cannot be opened is logged. */
  openAll(): Promise<void>
  /** Those that are open. */
  opened(): Iterable<OpenVault>
  /** Whether the disk can be written now. */
  ready(): boolean
  close(): void
}

/**
 * Opens the vaults of a folder as they are asked for, and keeps them up.
 *
 * @param list The vaults that are known of the folder: what is missing of them is not made anew.
 */
export function openStores(data: string, options: OpenVaultOptions, list: VaultList): DataFolder {
  const files = new Map<string, Promise<OpenedFile>>()
  const opened = new Map<string, OpenedFile>()
  const folder = placeOf(data)
  const backUpAll = () => {
    for (const { backUp } of opened.values()) backUp()
  }
  const noteSizes = () => {
    const intact = [...opened].filter(([, file]) => file.isIntact())
    // What cannot be noted now is noted the next time; the list only ever has less than there is.
    if (folder.isIntact()) attempt(() => list.grow(new Map(intact.map(([id, file]) => [id, file.size()]))))
  }
  const notes = setInterval(noteSizes, NOTE_MS)
  notes.unref()
  const { folder: backups } = options.settings.backup
  const requests = backups === undefined ? null : watchRequests(resolve(backups), list.server, backUpAll)
  const stores: DataFolder = {
    async open(id, create) {
      const known = files.get(id)
      if (known !== undefined) return known
      if (!folder.isIntact()) throw new PosternError('unavailable', `${data}: ${MOVED}`)
      const file = fileOfVault(data, id)
      if (!create && !existsSync(file) && !isMade(list.find(id))) return null
      // In the map before anything is awaited: whoever comes meanwhile waits for the same.
      const opening = openFile(file, id, options, list)
      files.set(id, opening)
      try {
        opened.set(id, await opening)
        return await opening
      } catch (error) {
        files.delete(id)
        throw error
      }
    },
    async openAll() {
      const listed = list.ids.filter((id) => isMade(list.find(id)))
      for (const id of new Set([...vaultsIn(data), ...listed])) {
        try {
          await stores.open(parseVaultId(id), false)
        } catch (error) {
          logLine('error', 'vault_unavailable', { vault: id, message: messageOf(error) })
        }
      }
    },
    opened: () => opened.values(),
    ready() {
      try {
        const all = [...opened.values()]
        // One of them writes: they share a disk, and whoever asks has no token.
        for (const { vault } of all.slice(0, 1)) vault.probe(Date.now())
        return all.every((file) => file.isIntact())
      } catch {
        return false
      }
    },
    close() {
      requests?.stop()
      clearInterval(notes)
      noteSizes()
      for (const { close } of opened.values()) close()
      opened.clear()
      files.clear()
    },
  }
  return stores
}

function attempt(write: () => void): void {
  try {
    write()
  } catch {}
}

/** What an operator is told of a vault that cannot be opened. */
export function messageOf(error: unknown): string {
  return error instanceof PosternError ? error.message : 'Vault cannot be opened'
}

interface OpenedFile extends OpenVault {
  /** Has it backed up now. */
  backUp(): void
  /** The number of entries of its log. */
  size(): number
  /** Whether its files are where they were opened. The first time that they are not is logged. */
  isIntact(): boolean
  close(): void
}

async function openFile(file: string, id: string, options: OpenVaultOptions, list: VaultList): Promise<OpenedFile> {
  const { sql, admitSize } = await openKnown(file, id, options, list)
  const log = new Log(sql)
  let timer: ReturnType<typeof setTimeout> | undefined
  const wake = (scheduler: Scheduler, at: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => void scheduler.run(Date.now()), Math.min(MAX_TIMER_MS, Math.max(0, at - Date.now())))
    // It must not keep a process that has nothing else to do.
    timer.unref()
  }
  const onVanished = onceIn(id)
  try {
    const { backup } = options.settings
    const backupStore =
      backup.folder === undefined ? null : openBackupFolder(id, sql, resolve(backup.folder), list.server)
    const about = {
      ...options,
      ...(backupStore && { backupStore }),
      sha256,
      admitSize,
      onVanished: () => onVanished(file),
    }
    const opened = await openVault(sql, id, about, wake)
    if (opened.vault.perform('audit.head', {}, Date.now()).ok) {
      list.keep(id, { store: storeIdOf(sql) ?? giveStoreId(sql), size: log.size })
    }
    return {
      ...opened,
      backUp() {
        backupStore?.request()
        opened.scheduler.runNow('backup')
      },
      size: () => log.size,
      isIntact() {
        const intact = sql.isIntact()
        if (!intact) onVanished(file)
        return intact
      },
      close() {
        clearTimeout(timer)
        sql.close()
      },
    }
  } catch (error) {
    clearTimeout(timer)
    // A lock on the file that nobody holds any more would be worse than the reason for it.
    sql.close()
    const message = messageOf(error)
    throw new PosternError('unavailable', message.startsWith(file) ? message : `${message}: ${file}`)
  }
}

/** One line of the operational log, however many requests meet it. */
function onceIn(vault: string): (file: string) => void {
  let told = false
  return (file) => {
    if (!told) logLine('error', 'vault_file_gone', { vault, file, message: MOVED })
    told = true
  }
}
