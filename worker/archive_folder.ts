/**
 * Backups in a folder, on another disk: `<vault>.<time>.<size of its log>.sqlite`, with `….checkpoint` beside each.
 *
 * @module
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Log } from '../core/audit/log.ts'
import type { Settings } from '../core/settings.ts'
import { durably } from './anchor_folder.ts'
import type { Archive, Copy } from './archive.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'

const HOUR_MS = 60 * 60_000
const SUFFIX = '.sqlite'
/** A file of this name asks the server for backups of all its vaults now. */
const REQUEST = 'backup-now'
const LOOK_MS = 1000

/** A backup in the folder. */
export interface KeptBackup {
  file: string
  /** When it was made, in milliseconds since the Unix epoch. */
  at: number
}

/** The backups of a vault in a folder, newest first. */
export function backupsIn(folder: string, vault: string): KeptBackup[] {
  return readdirSync(folder)
    .flatMap((file) => {
      const [, id, time = '', ms] = /^([a-z0-9-]{1,32})\.(\d{8}T\d{6})(\d{3})Z\.\d{1,16}\.sqlite$/.exec(file) ?? []
      return id === vault ? [{ file, at: Date.parse(time.replace(TIME, `$1-$2-$3T$4:$5:$6.${ms}Z`)) }] : []
    })
    .sort((a, b) => b.at - a.at)
}

const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)$/

/** Where the checkpoint of a backup is. */
export function checkpointOf(file: string): string {
  return `${file.slice(0, -SUFFIX.length)}.checkpoint`
}

/** An archive of one vault, and how it is asked for a backup now. */
export interface FolderArchive extends Archive {
  request(): void
}

/** Keeps backups of a vault in a folder. */
export function folderArchive(vault: string, sql: Sqlite, folder: string, settings: Settings['backup']): FolderArchive {
  const { everyHours, keep } = settings
  // Counted, not flagged: what is asked for while one is made wants another.
  const requests = { made: 0, served: 0 }
  return {
    request: () => void requests.made++,
    dueAt() {
      if (requests.made > requests.served) return 0
      if (everyHours === 0) return Number.POSITIVE_INFINITY
      return (backupsIn(folder, vault)[0]?.at ?? 0) + everyHours * HOUR_MS
    },
    async copy() {
      const { made } = requests
      const partial = join(folder, `.${vault}.partial`)
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
    prune() {
      for (const { file } of backupsIn(folder, vault).slice(keep)) {
        rmSync(join(folder, file), { force: true })
        rmSync(join(folder, checkpointOf(file)), { force: true })
      }
    },
  }
}

function copyAt(partial: string, folder: string, vault: string, onKept: () => void): Omit<Copy, 'discard'> {
  const copy = openSqlite(partial)
  const head = new Log(copy).head()
  copy.close()
  return {
    head,
    bytes: statSync(partial).size,
    keep(checkpoint, now) {
      const time = new Date(now).toISOString().replaceAll(/[-:.]/g, '')
      const file = `${vault}.${time}.${head.size}${SUFFIX}`
      durably(join(folder, checkpointOf(file)), 'w', checkpoint)
      renameSync(partial, join(folder, file))
      durably(folder, 'r')
      onKept()
      return file
    },
  }
}

/** With what a process that was killed over it may have left beside it. */
function discard(partial: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(partial + end, { force: true })
}

/** Asks whatever server has this folder for backups now. */
export function requestBackups(folder: string): { taken: () => boolean; withdraw: () => void } {
  const file = join(folder, REQUEST)
  durably(file, 'w', '')
  return { taken: () => !existsSync(file), withdraw: () => rmSync(file, { force: true }) }
}

/** Looks for such requests, and takes them. A file rather than a signal: it reaches into a container, and names no process. */
export function watchRequests(folder: string, onRequest: () => void): { stop(): void } {
  const file = join(folder, REQUEST)
  const timer = setInterval(() => {
    if (!existsSync(file)) return
    rmSync(file, { force: true })
    onRequest()
  }, LOOK_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
