/**
 * Whether the file of a vault is the one that was served last: not emptied, deleted, cut, or replaced by another.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { hex, randomBytes } from '../../core/bytes.ts'
import { PosternError } from '../../core/errors.ts'
import { printable } from '../../core/sanitize.ts'
import { Log } from '../../core/vault/audit/log.ts'
import { isMigrated } from '../../core/vault/migrate.ts'
import type { Sql } from '../../core/vault/sql.ts'
import type { OpenVaultOptions } from '../vault_host/open_vault.ts'
import { newestBackup } from './backup_folder.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'
import { sqliteDataFiles } from './sqlite_files.ts'
import type { KnownVault, VaultList } from './vault_list.ts'

const LOCKED = 'another process has it'
const OUT_OF_REACH = 'the disk or a permission prevents it. Check both, for the files beside it too'

/** The key of a store's id in `meta`. No other store has the same id. */
const STORE = 'store'

/** Whether a vault was opened before, and so has to be there. */
export function isMade(known: KnownVault | null): known is KnownVault & { size: number } {
  return known !== null && known.size !== null
}

/** The id of a store; `null` for a store without one, as those of 0.1. */
export function storeIdOf(sql: Sql): string | null {
  return sql.all<{ value: string }>('SELECT value FROM meta WHERE key = ?', STORE)[0]?.value ?? null
}

/** Gives a store an id. @returns The id. */
export function giveStoreId(sql: Sql): string {
  const id = hex(randomBytes(16))
  sql.all('INSERT INTO meta VALUES (?, ?)', STORE, id)
  return id
}

/** The file of a vault, opened. */
export interface KnownStore {
  sql: Sqlite
  /**
   * Checks the size of a log that its anchors accept.
   *
   * @throws {PosternError} `unavailable` for fewer entries than the list of vaults has.
   */
  admitSize(size: number): Promise<void>
}

/**
 * Opens the file of a vault if it is the one in the list of vaults. A vault that is not in the list is made if it has no
 * files, and taken as it is otherwise.
 *
 * @throws {PosternError} `unavailable`, with advice for the operator.
 */
export async function openKnownVault(
  file: string,
  id: string,
  options: OpenVaultOptions,
  list: VaultList,
): Promise<KnownStore> {
  const known = list.find(id)
  const refuse = async (problem: string) =>
    new PosternError('unavailable', `${file}: ${problem}. ${await adviceOn(id, known, options)}`)
  const isNew = known === null ? !isAnythingThere(file) : !isMade(known)
  if (!isNew && bytesOf(file) === null) throw await refuse('Is missing')
  if (!isNew && bytesOf(file) === 0) throw await refuse('Is empty')
  // Noted before the file is made: an empty file was emptied later, unless it was never opened.
  if (isNew) list.keep(id, { store: null, size: null })
  const sql = await openOr(file, refuse)
  try {
    const other = isNew ? null : otherVaultIn(sql, id)
    if (other !== null) throw otherName(file, id, other)
    const problem = isNew ? null : problemOf(file, sql, known)
    if (problem !== null) throw await refuse(problem)
    const admitSize = async (size: number) => {
      if (isShorter(size, known)) throw await refuse(shorterBy(size, known))
    }
    // With anchors, they decide first whether an earlier state may be served: they know how the operator accepts it.
    if (!isNew && options.anchors.length === 0) await admitSize(new Log(sql).size)
    return { sql, admitSize }
  } catch (error) {
    sql.close()
    throw error
  }
}

async function openOr(file: string, refuse: (problem: string) => Promise<PosternError>): Promise<Sqlite> {
  try {
    return openSqlite(file)
  } catch (error) {
    if (isDamage(error)) throw await refuse('Cannot be opened: it is not a whole database')
    const isLocked = /lock|busy/i.test(String((error as Error).message))
    throw new PosternError('unavailable', `${file} cannot be opened: ${isLocked ? LOCKED : OUT_OF_REACH}`)
  }
}

/** The vault in a store, if its file has the name of another. */
function otherVaultIn(sql: Sqlite, id: string): string | null {
  try {
    const [row] = sql.all<{ value: string }>("SELECT value FROM meta WHERE key = 'vault'")
    return row === undefined || row.value === id ? null : row.value
  } catch {
    return null
  }
}

/** A vault that is served under two names would get two logs, and its anchors would refuse one of them. */
function otherName(file: string, id: string, vault: string): PosternError {
  const shown = JSON.stringify(printable(vault.slice(0, 100)))
  const advice = `A vault cannot be renamed or copied within the folder: move it away, or back to ${shown.slice(1, -1)}.sqlite`
  return new PosternError('unavailable', `${file}: Holds the vault ${shown}, not ${id}. ${advice}`)
}

function problemOf(file: string, sql: Sqlite, known: KnownVault | null): string | null {
  try {
    if (!isMigrated(sql)) return 'Holds no vault: it was emptied, replaced, or copied without its journal'
    if (known !== null && known.store !== null && storeIdOf(sql) !== known.store)
      return 'Is not the store that was served'
    // Read, before anything relies on it.
    void new Log(sql).size
    return null
  } catch (error) {
    if (isDamage(error)) return 'Cannot be read: it is not a whole database'
    throw new PosternError('unavailable', `${file} cannot be read: ${OUT_OF_REACH}`)
  }
}

/** Whether SQLite found a file damaged. A full disk, a missing permission or a lock tells nothing about its content. */
function isDamage(error: unknown): boolean {
  return /not a database|malformed|no such|short read/i.test(String((error as Error).message))
}

function isShorter(size: number, known: KnownVault | null): boolean {
  return size < (known?.size ?? 0)
}

function shorterBy(size: number, known: KnownVault | null): string {
  return `Has ${size} entries of its log, and had ${known?.size}: it is an earlier copy, or its journal was lost`
}

async function adviceOn(id: string, known: KnownVault | null, options: OpenVaultOptions): Promise<string> {
  const { folder } = options.settings.backup
  const backup = folder === undefined ? null : await newestBackup(resolve(folder), { vault: id, ...options })
  const under = known === null ? '' : ` It was served under the root key ${known.root}.`
  const file = backup ?? 'FILE'
  const found = backup === null ? 'To restore a backup' : 'To restore the newest backup'
  const restore = `${found}, stop the server, move what is left of the vault away, and run npm run restore -- ${file}`
  return `${restore}.${under} To give up what it held, move it away, run npm run forget -- ${id}, and start the server`
}

/** Whether the file of a vault exists, or a journal of it. */
function isAnythingThere(file: string): boolean {
  return sqliteDataFiles(file).some((one) => bytesOf(one) !== null)
}

function bytesOf(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.size ?? null
}
