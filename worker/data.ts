/**
 * The data folder of a server: the vaults, one SQLite file each, and the root key if it was made here.
 *
 * @module
 */
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { type SecurityPolicy, securityPolicy } from '../core/access/security_policy.ts'
import { type Bytes, base64url, randomBytes } from '../core/bytes.ts'
import { parseRootKey, ROOT_KEY_SIZE } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { Redacted } from '../core/redacted.ts'
import { parseVaultId } from '../core/secrets/name.ts'
import { Vault } from '../core/vault.ts'
import { dutiesOf } from './duties.ts'
import type { LocalVault } from './host.ts'
import { logLine } from './oplog.ts'
import { whereabouts } from './problem.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'
import { type Desk, performer, Upkeep } from './upkeep.ts'

const ROOT_KEY_FILE = 'root.key'
const SUFFIX = '.sqlite'

/** The root key in the data folder: read, or made when there is nothing yet that needs another. */
export function fileRootKey(data: string): { rootKey: Redacted<Bytes>; origin: string } {
  const file = join(data, ROOT_KEY_FILE)
  if (existsSync(file)) {
    // As ssh does with a private key: one that others can read is not a secret.
    if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
      throw new PosternError('bad_request', `Root key file ${file} must be readable by its owner only (chmod 600)`)
    }
    return { rootKey: parseRootKey(readFileSync(file, 'utf8').trim(), file), origin: file }
  }
  if (readdirSync(data).some((name) => name.endsWith(SUFFIX))) {
    throw new PosternError(
      'bad_request',
      `Root key is missing: ${data} holds vaults that another key sealed. Give POSTERN_ROOT_KEY, or put ${ROOT_KEY_FILE} back`,
    )
  }
  const rootKey = randomBytes(ROOT_KEY_SIZE)
  writeDurably(file, `${base64url(rootKey)}\n`)
  return { rootKey: new Redacted(rootKey), origin: `${file}, made now. Back it up: what it seals, nothing else opens` }
}

function writeDurably(file: string, text: string): void {
  const handle = makeNew(file)
  writeSync(handle, text)
  fsyncSync(handle)
  closeSync(handle)
  const folder = openSync(join(file, '..'), 'r')
  fsyncSync(folder)
  closeSync(folder)
}

function makeNew(file: string): number {
  try {
    return openSync(file, 'wx', 0o600)
  } catch {
    throw new PosternError(
      'unavailable',
      `${file} cannot be made: another process did, or the folder cannot be written`,
    )
  }
}

/** The vaults in a data folder. */
export interface Stores {
  /**
   * Opens a vault, once.
   *
   * @returns `null` when it does not exist and `create` is not set.
   * @throws {PosternError} `unavailable`, with the file's path: for the operator, not for a client.
   */
  open(id: string, create: boolean): LocalVault | null
  /** Opens all that exist, for their upkeep. One that cannot be opened is logged. */
  openAll(): void
  /** Whether every vault that is open can be written now. */
  ready(): boolean
  close(): void
}

/** Opens the vaults of a folder as they are asked for, and keeps them up. */
export function openStores(data: string, { settings, keyring }: Pick<Desk, 'settings' | 'keyring'>): Stores {
  const policy = securityPolicy(settings.security)
  const opened = new Map<string, LocalVault & { sql: Sqlite; close(): void }>()
  const stores: Stores = {
    open(id, create) {
      const known = opened.get(id)
      if (known) return known
      const file = join(data, `${id}${SUFFIX}`)
      if (!create && !existsSync(file)) return null
      const sql = openOrExplain(file)
      const vault = openVault(sql, policy, file)
      if (!vault.claim(keyring.rootId)) {
        sql.close()
        throw new PosternError('unavailable', `Root key is not the one that sealed ${file}`)
      }
      const desk = { vault: id, settings, keyring, perform: performer((...asked) => vault.perform(...asked)) }
      const entry = { vault, sql, ...keepUp(desk) }
      opened.set(id, entry)
      return entry
    },
    openAll() {
      for (const name of readdirSync(data).filter((name) => name.endsWith(SUFFIX))) {
        const id = name.slice(0, -SUFFIX.length)
        try {
          stores.open(parseVaultId(id), false)
        } catch (error) {
          const message = error instanceof PosternError ? error.message : 'Vault cannot be opened'
          logLine('error', 'vault_unavailable', { vault: id, message })
        }
      }
    },
    ready() {
      try {
        for (const { vault } of opened.values()) vault.probe(Date.now())
        return true
      } catch {
        return false
      }
    },
    close() {
      for (const { sql, close } of opened.values()) {
        close()
        sql.close()
      }
      opened.clear()
    },
  }
  return stores
}

/** The longest that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Runs a vault's upkeep by a timer, until it is closed. */
function keepUp(desk: Desk): { upkeep: Upkeep; close(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined
  const upkeep = new Upkeep(desk, dutiesOf(), (at) => {
    clearTimeout(timer)
    timer = setTimeout(() => void upkeep.run(Date.now()), Math.min(MAX_TIMER_MS, Math.max(0, at - Date.now())))
    // It must not keep a process that has nothing else to do.
    timer.unref()
  })
  void upkeep.run(Date.now())
  return { upkeep, close: () => clearTimeout(timer) }
}

function openVault(sql: Sqlite, policy: SecurityPolicy, file: string): Vault {
  try {
    return new Vault(sql, policy, Date.now(), (error) => logLine('error', 'vault_failed', whereabouts(error)))
  } catch (error) {
    // A lock on the file that nobody holds any more would be worse than the reason for it.
    sql.close()
    const newer = error instanceof RangeError
    throw new PosternError('unavailable', newer ? `${file} was written by a newer Postern` : `${file} cannot be opened`)
  }
}

function openOrExplain(file: string): Sqlite {
  try {
    return openSqlite(file)
  } catch {
    throw new PosternError('unavailable', `${file} cannot be opened: another process has it, or it is no database`)
  }
}
