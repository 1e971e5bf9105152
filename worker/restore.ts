/**
 * Puts a backup in the place of a vault that is not there: `npm run restore -- FILE`, while no server runs.
 *
 * It verifies the backup first: that SQLite finds it whole, that the root key is the one that sealed it, and that its log is
 * the one that its checkpoint signs. Then it says by which word the server is to be told where an anchor has more.
 *
 * @module
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { securityPolicy } from '../core/access/security_policy.ts'
import { RESTORED } from '../core/audit/backup.ts'
import { Log } from '../core/audit/log.ts'
import { parseVerifierKey } from '../core/audit/note.ts'
import { formatRollback } from '../core/audit/rollback.ts'
import { verifyLog } from '../core/audit/verify.ts'
import { equal, parseUtf8 } from '../core/bytes.ts'
import { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { migrate } from '../core/schema.ts'
import { parseVaultId } from '../core/secrets/name.ts'
import type { Settings } from '../core/settings.ts'
import type { Sql } from '../core/sql.ts'
import { Vault } from '../core/vault.ts'
import { durably } from './anchor_folder.ts'
import { checkpointOf } from './archive_folder.ts'
import { verifierKeys } from './checkpoint.ts'
import { upstreamsOf } from './config.ts'
import { existingRootKey, fileOfVault } from './data.ts'
import { anchorsOf, readLocalSettings } from './local.ts'
import { anchoredElsewhere } from './rollback.ts'
import { secretsFile } from './secrets_file.ts'
import { openSqlite } from './sqlite.ts'
import { performer } from './upkeep.ts'

const PAGE = 1000

/** What a backup is verified with. */
interface About {
  settings: Settings
  keyring: Keyring
}

async function run(file: string): Promise<string> {
  const settings = readLocalSettings()
  const data = resolve(settings.data)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const keyring = await Keyring.open(settings.rootKey ?? existingRootKey(data))
  const partial = join(data, '.restoring')
  discard(partial)
  try {
    copyFileSync(file, partial)
    chmodSync(partial, 0o600)
    const { vault, size, words } = await examine(partial, readFileSync(checkpointOf(file), 'utf8'), {
      settings,
      keyring,
    })
    const target = fileOfVault(data, vault)
    if (existsSync(target)) throw new PosternError('conflict', `${target} is there: move it away first`)
    durably(partial, 'r')
    renameSync(partial, target)
    durably(data, 'r')
    const said = `${target}: ${size} entries of the log are whole, and as signed; the root key is the one that sealed it`
    if (words.length === 0) return said
    return `${said}\nAn anchor has another log. To go on from this one, start the server once with\nPOSTERN_AUDIT__ACCEPT_ROLLBACK=${words.join(',')}`
  } finally {
    discard(partial)
  }
}

/** Verifies a copy of a backup, and marks it as restored: its log will say so. */
async function examine(partial: string, checkpoint: string, { settings, keyring }: About) {
  const sql = openOrRefuse(partial)
  try {
    const vault = parseVaultId(factOf(sql, 'vault'))
    if (factOf(sql, 'root') !== keyring.rootId)
      throw new PosternError('bad_request', 'Root key is not the one that sealed this')
    const size = await verify(sql, checkpoint, { settings, keyring, vault })
    sql.all('INSERT OR REPLACE INTO meta VALUES (?, ?)', RESTORED, String(Date.now()))
    return { vault, size, words: await wordsFor(sql, vault, { settings, keyring }) }
  } finally {
    sql.close()
  }
}

async function verify(sql: Sql, checkpoint: string, keys: About & { vault: string }): Promise<number> {
  const log = new Log(sql)
  const verifiers = await Promise.all(
    (await verifierKeys(keys, { keys: log.keys() })).map((key) => parseVerifierKey(key)),
  )
  const { min } = log.retention()
  const start = { index: min, frontier: log.frontier(min) }
  const result = await verifyLog(linesOf(log, min), { checkpoint, verifiers, start })
  if ('flaw' in result) throw new PosternError('tampered', `${result.flaw.kind}: ${result.flaw.message}`)
  const { size, root } = log.head()
  if (size !== result.checkpoint.size || !equal(root, result.checkpoint.root))
    throw new PosternError('tampered', 'Backup does not hold the log of its checkpoint')
  return size
}

async function* linesOf(log: Log, from: number): AsyncGenerator<string> {
  for (let next = from; ; ) {
    const page = log.entries(next, PAGE)
    for (const { body } of page) yield parseUtf8(body) ?? ''
    if (page.length === 0) return
    next = page.at(-1)!.index + 1
  }
}

/** The words for whatever anchors have that this log does not go on from. */
async function wordsFor(sql: Sql, vault: string, { settings, keyring }: About): Promise<string[]> {
  const inside = new Vault(sql, securityPolicy(settings.security), Date.now())
  const perform = performer((...asked) => inside.perform(...asked))
  const upstreams = upstreamsOf(settings, secretsFile)
  const desk = { vault, settings, keyring, upstreams, anchors: anchorsOf(settings), perform, quarantine: () => {} }
  const { head } = await perform('audit.head', {})
  return (await anchoredElsewhere(desk)).map(({ head: anchored }) => formatRollback({ vault, head, anchored }))
}

function openOrRefuse(partial: string) {
  try {
    const sql = openSqlite(partial)
    const [row] = sql.all<Record<string, string>>('PRAGMA integrity_check')
    if (row !== undefined && Object.values(row)[0] === 'ok') {
      migrate(sql, Date.now())
      return sql
    }
    sql.close()
  } catch (error) {
    if (error instanceof RangeError) throw new PosternError('unavailable', 'Backup was written by a newer Postern')
  }
  throw new PosternError('tampered', 'Backup is not a whole database')
}

function factOf(sql: Sql, key: string): string {
  return sql.all<{ value: string }>('SELECT value FROM meta WHERE key = ?', key)[0]?.value ?? ''
}

function discard(partial: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(partial + end, { force: true })
}

try {
  const { positionals } = parseArgs({ allowPositionals: true })
  if (positionals.length !== 1) throw new PosternError('bad_request', 'Give one backup: npm run restore -- FILE')
  process.stdout.write(`${await run(positionals[0]!)}\n`)
} catch (error) {
  // An error of the platform is told by its kind: it may quote a setting.
  const kind = (error as { code?: string }).code ?? 'unknown'
  process.stderr.write(`${error instanceof PosternError ? error.message : `Backup cannot be restored: ${kind}`}\n`)
  process.exitCode = 1
}
