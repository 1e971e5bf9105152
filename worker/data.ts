/**
 * The data folder of a server: the vaults, one SQLite file each.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Sha256 } from '../core/audit/merkle.ts'
import { PosternError } from '../core/errors.ts'
import { parseVaultId } from '../core/secrets/name.ts'
import { folderArchive, watchRequests } from './archive_folder.ts'
import { type Opened, openVault, type Surroundings } from './opening.ts'
import { logLine } from './oplog.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'
import type { Upkeep } from './upkeep.ts'

/** How the files of vaults end. */
export const VAULT_SUFFIX = '.sqlite'
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
export interface Stores {
  /**
   * Opens a vault, once.
   *
   * @returns `null` when it does not exist and `create` is not set.
   * @throws {PosternError} `unavailable`, with the file's path: for the operator, not for a client.
   */
  open(id: string, create: boolean): Promise<Opened | null>
  /** Opens all that exist, for their upkeep. One that cannot be opened is logged. */
  openAll(): Promise<void>
  /** Those that are open. */
  opened(): Iterable<Opened>
  /** Whether the disk can be written now. */
  ready(): boolean
  close(): void
}

/** Opens the vaults of a folder as they are asked for, and keeps them up. */
export function openStores(data: string, surroundings: Surroundings): Stores {
  const files = new Map<string, Promise<OpenedFile>>()
  const opened = new Set<OpenedFile>()
  const { folder } = surroundings.settings.backup
  const backUpAll = () => {
    for (const { backUp } of opened) backUp()
  }
  const requests = folder === undefined ? null : watchRequests(resolve(folder), backUpAll)
  const stores: Stores = {
    async open(id, create) {
      const known = files.get(id)
      if (known !== undefined) return known
      const file = fileOfVault(data, id)
      if (!create && !existsSync(file)) return null
      // In the map before anything is awaited: whoever comes meanwhile waits for the same.
      const opening = openFile(file, id, surroundings)
      files.set(id, opening)
      try {
        opened.add(await opening)
        return await opening
      } catch (error) {
        files.delete(id)
        throw error
      }
    },
    async openAll() {
      for (const id of vaultsIn(data)) {
        try {
          await stores.open(parseVaultId(id), false)
        } catch (error) {
          logLine('error', 'vault_unavailable', { vault: id, message: messageOf(error) })
        }
      }
    },
    opened: () => opened,
    ready() {
      try {
        // One of them: they share a disk, and whoever asks has no token.
        for (const { vault } of [...opened].slice(0, 1)) vault.probe(Date.now())
        return true
      } catch {
        return false
      }
    },
    close() {
      requests?.stop()
      for (const { close } of opened) close()
      opened.clear()
      files.clear()
    },
  }
  return stores
}

/** What an operator is told of a vault that cannot be opened. */
export function messageOf(error: unknown): string {
  return error instanceof PosternError ? error.message : 'Vault cannot be opened'
}

interface OpenedFile extends Opened {
  /** Has it backed up now. */
  backUp(): void
  close(): void
}

async function openFile(file: string, id: string, surroundings: Surroundings): Promise<OpenedFile> {
  const sql = openOrExplain(file)
  let timer: ReturnType<typeof setTimeout> | undefined
  const wake = (upkeep: Upkeep, at: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => void upkeep.run(Date.now()), Math.min(MAX_TIMER_MS, Math.max(0, at - Date.now())))
    // It must not keep a process that has nothing else to do.
    timer.unref()
  }
  try {
    const { backup } = surroundings.settings
    const archive = backup.folder === undefined ? null : folderArchive(id, sql, resolve(backup.folder), backup)
    const opened = await openVault(sql, id, { ...surroundings, ...(archive && { archive }), sha256 }, wake)
    return {
      ...opened,
      backUp() {
        archive?.request()
        opened.upkeep.summon('backup')
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
    throw new PosternError('unavailable', `${messageOf(error)}: ${file}`)
  }
}

function openOrExplain(file: string): Sqlite {
  try {
    return openSqlite(file)
  } catch {
    throw new PosternError('unavailable', `${file} cannot be opened: another process has it, or it is no database`)
  }
}
