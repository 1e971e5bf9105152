/**
 * Backups in a folder, on another disk: `<vault>.<time>.<size of its log>.sqlite`, with `….checkpoint` beside each.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { TreeHead } from '../../core/tlog/merkle.ts'
import { Log } from '../../core/vault/audit/log.ts'
import type { BackupStore, KeptBackup, StoreCopy } from '../background/backup_store.ts'
import { isSignedBy, type LogKeys } from '../integrity/sign_checkpoint.ts'
import { renameDurably, writeDurably } from './durable_file.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'
import { sqliteFiles } from './sqlite_files.ts'

const SUFFIX = '.sqlite'
/** A file with this name and a server's id requests backups of all vaults of that server. */
const REQUEST = 'backup-now'
const LOOK_MS = 1000

/** The backups of vaults with this id in a folder, of any log; those with the longest log first. */
export function backupsIn(folder: string, vault: string): KeptBackup[] {
  return readdirSync(folder)
    .flatMap((file) => {
      const [, id, time = '', ms, size] =
        /^([a-z0-9-]{1,32})\.(\d{8}T\d{6})(\d{3})Z\.(\d{1,16})\.sqlite$/.exec(file) ?? []
      const at = Date.parse(time.replace(TIME, `$1-$2-$3T$4:$5:$6.${ms}Z`))
      return id === vault ? [{ file, at, size: Number(size) }] : []
    })
    .sort((a, b) => b.size - a.size || b.at - a.at)
}

/**
 * The backup with the most of a vault's log, among those that a key of the log signed.
 *
 * @returns Its path; `null` when there is none.
 */
export async function newestBackup(folder: string, keys: LogKeys): Promise<string | null> {
  if (!existsSync(folder)) return null
  for (const { file } of backupsIn(folder, keys.vault)) {
    const checkpoint = readCheckpoint(folder, file)
    if (checkpoint !== null && (await isSignedBy(checkpoint, keys))) return join(folder, file)
  }
  return null
}

function readCheckpoint(folder: string, file: string): string | null {
  try {
    return readFileSync(join(folder, checkpointOf(file)), 'utf8')
  } catch {
    return null
  }
}

const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)$/

/** The path of the checkpoint of a backup. */
export function checkpointOf(file: string): string {
  return `${file.slice(0, -SUFFIX.length)}.checkpoint`
}

/** The backups of one vault in a folder. */
export interface BackupFolder extends BackupStore {
  /** Requests a backup now. */
  request(): void
}

/**
 * Keeps backups of a vault in a folder.
 *
 * @param server The id of this server: in a shared folder, others may be making backups of vaults with the same id.
 */
export function openBackupFolder(vault: string, sql: Sqlite, folder: string, server: string): BackupFolder {
  // Counted, not flagged: a request during a backup needs another one.
  const requests = { made: 0, served: 0 }
  return {
    request: () => void requests.made++,
    isRequested: () => requests.made > requests.served,
    async copy() {
      const { made } = requests
      const partial = join(folder, `.${vault}.${server}.partial`)
      const gone = () => discard(partial)
      gone()
      try {
        await sql.copyTo(partial)
        const onKept = () => {
          requests.served = made
        }
        return { ...copyAt(partial, folder, vault, onKept), discard: gone }
      } catch (error) {
        gone()
        throw error
      }
    },
    list: () => backupsIn(folder, vault),
    checkpoint: (file) => readCheckpoint(folder, file),
    remove(file) {
      rmSync(join(folder, file), { force: true })
      rmSync(join(folder, checkpointOf(file)), { force: true })
    },
  }
}

function copyAt(partial: string, folder: string, vault: string, onKept: () => void): Omit<StoreCopy, 'discard'> {
  const head = headOf(partial)
  return {
    head,
    bytes: statSync(partial).size,
    keep(checkpoint, now) {
      const file = freeName(folder, vault, head.size, now)
      writeDurably(join(folder, checkpointOf(file)), checkpoint)
      renameDurably(partial, join(folder, file))
      onKept()
      return file
    },
  }
}

function headOf(database: string): TreeHead {
  const sql = openSqlite(database)
  try {
    return new Log(sql).head()
  } finally {
    sql.close()
  }
}

/** A name that no backup has: another server may have made one in the same millisecond. */
function freeName(folder: string, vault: string, size: number, now: number): string {
  for (let at = now; ; at++) {
    const time = new Date(at).toISOString().replaceAll(/[-:.]/g, '')
    const file = `${vault}.${time}.${size}${SUFFIX}`
    if (!existsSync(join(folder, file)) && !existsSync(join(folder, checkpointOf(file)))) return file
  }
}

/** Removes an unfinished copy, and the files that a killed process may have left beside it. */
function discard(partial: string): void {
  for (const file of sqliteFiles(partial)) rmSync(file, { force: true })
}

/** Requests backups from the server of a data folder. @param server Its id: see `serverOf` in `vault_list.ts`. */
export function requestBackups(folder: string, server: string): { taken: () => boolean; withdraw: () => void } {
  const file = requestFile(folder, server)
  writeDurably(file, '')
  return { taken: () => !existsSync(file), withdraw: () => rmSync(file, { force: true }) }
}

/** Watches for such requests, and takes them. A file reaches into a container and needs no process id, unlike a signal. */
export function watchRequests(folder: string, server: string, onRequest: () => void): { stop(): void } {
  const file = requestFile(folder, server)
  const timer = setInterval(() => {
    if (!existsSync(file)) return
    rmSync(file, { force: true })
    onRequest()
  }, LOOK_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

function requestFile(folder: string, server: string): string {
  return join(folder, `${REQUEST}.${server}`)
}
