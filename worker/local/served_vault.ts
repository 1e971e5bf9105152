/**
 * One vault of a data folder, opened in this process: its file, its timer, and its backups.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { PosternError } from '../../core/errors.ts'
import type { Sha256 } from '../../core/tlog/merkle.ts'
import { Log } from '../../core/vault/audit/log.ts'
import type { Scheduler } from '../background/scheduler.ts'
import { logLine } from '../telemetry/log.ts'
import { type OpenVault, type OpenVaultOptions, openVault } from '../vault_host/open_vault.ts'
import { openBackupFolder } from './backup_folder.ts'
import { giveStoreId, openKnownVault, storeIdOf } from './known_vault.ts'
import type { VaultList } from './vault_list.ts'

/** The problem of a file or folder that vanished, and what to do. */
export const VANISHED =
  'Was deleted, moved, unmounted or replaced while it was served. All its requests are refused: put it back, or stop the server and restore a backup'
/** The longest timer. It counts the time that the machine runs, while the clock may be set, and the machine sleep. */
const MAX_TIMER_MS = 10_000

const sha256: Sha256 = (data) => new Uint8Array(createHash('sha256').update(data).digest())

/** An open vault and its file. */
export interface ServedVault extends OpenVault {
  /** Backs it up now. */
  backUp(): void
  /** The number of entries of its log. */
  size(): number
  /** Whether its files are where they were opened. The first time that they are not is logged. */
  isIntact(): boolean
  close(): void
}

/** Why a vault cannot be opened, for the operator. */
export function messageOf(error: unknown): string {
  return error instanceof PosternError ? error.message : 'Vault cannot be opened'
}

/**
 * Opens the file of a vault, and runs its jobs by a timer.
 *
 * @throws {PosternError} `unavailable`, with the path of the file: for the operator, not for a client.
 */
export async function openServedVault(
  file: string,
  id: string,
  options: OpenVaultOptions,
  list: VaultList,
): Promise<ServedVault> {
  const { sql, admitSize } = await openKnownVault(file, id, options, list)
  const timer = new WakeTimer()
  const onVanished = logOnce(id, file)
  try {
    const { folder } = options.settings.backup
    const backupStore = folder === undefined ? null : openBackupFolder(id, sql, resolve(folder), list.server)
    const withFile = { ...options, ...(backupStore && { backupStore }), sha256, admitSize, onVanished }
    const opened = await openVault(sql, id, withFile, (scheduler, at) => timer.set(scheduler, at))
    const log = new Log(sql)
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
        if (!intact) onVanished()
        return intact
      },
      close() {
        timer.clear()
        sql.close()
      },
    }
  } catch (error) {
    timer.clear()
    // Otherwise the file would stay locked without a user.
    sql.close()
    const message = messageOf(error)
    throw new PosternError('unavailable', message.startsWith(file) ? message : `${message}: ${file}`)
  }
}

/** Runs the jobs of one vault at a time. It does not keep a process alive that has nothing else to do. */
class WakeTimer {
  #timer: ReturnType<typeof setTimeout> | undefined

  set(scheduler: Scheduler, at: number): void {
    this.clear()
    const waitMs = Math.min(MAX_TIMER_MS, Math.max(0, at - Date.now()))
    this.#timer = setTimeout(() => void scheduler.run(Date.now()), waitMs)
    this.#timer.unref()
  }

  clear(): void {
    clearTimeout(this.#timer)
  }
}

/** Logs that the file of a vault vanished, once, however many requests find that. */
function logOnce(vault: string, file: string): () => void {
  let isLogged = false
  return () => {
    if (!isLogged) logLine('error', 'vault_file_gone', { vault, file, message: VANISHED })
    isLogged = true
  }
}
