/**
 * Restores a backup of a vault whose file is gone: `npm run restore -- FILE`, while no server runs.
 *
 * It first verifies that the database is whole, that the root key sealed it, and that its checkpoint signs its log. If an
 * anchor has more of the log, it prints the setting that accepts the rollback.
 *
 * @module
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { equal, parseUtf8 } from '../core/bytes.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { parseVaultId } from '../core/names.ts'
import type { Settings } from '../core/settings/settings.ts'
import type { TreeHead } from '../core/tlog/merkle.ts'
import { formatRollback } from '../core/tlog/rollback_acceptance.ts'
import { formatVerifierKey, type NoteVerifier, parseVerifierKey } from '../core/tlog/signed_note.ts'
import { verifyLog } from '../core/tlog/verify_log.ts'
import { serverPolicy } from '../core/vault/access/server_policy.ts'
import { RESTORED } from '../core/vault/audit/backup_tasks.ts'
import { Log } from '../core/vault/audit/log.ts'
import { LogKeyStore } from '../core/vault/audit/log_key_store.ts'
import { RetentionStore } from '../core/vault/audit/retention_store.ts'
import { describeNewer, migrate, vaultIdOf } from '../core/vault/migrate.ts'
import { SchemaMismatch } from '../core/vault/schema_check.ts'
import type { Sql } from '../core/vault/sql.ts'
import { Vault } from '../core/vault/vault.ts'
import { registryOf } from '../worker/compose.ts'
import { divergedAnchors } from '../worker/integrity/accept_rollback.ts'
import { acceptedSchemas, changedSchema, claimedVaultId } from '../worker/integrity/accept_schema.ts'
import { admitRootKeys, givenRootKeys } from '../worker/integrity/root_keys.ts'
import { originOf } from '../worker/integrity/sign_checkpoint.ts'
import { checkpointOf } from '../worker/local/backup_folder.ts'
import { fileOfVault } from '../worker/local/data_folder.ts'
import { renameDurably, syncToDisk } from '../worker/local/durable_file.ts'
import { storeIdOf } from '../worker/local/known_vault.ts'
import { anchorsOf } from '../worker/local/named_files.ts'
import { openKeyring } from '../worker/local/open_keyring.ts'
import { outboundOf } from '../worker/local/outbound.ts'
import { hasRootKeyFile } from '../worker/local/root_key_files.ts'
import { LOCAL_FILES } from '../worker/local/secrets_file.ts'
import { readLocalSettings } from '../worker/local/settings.ts'
import { openSqlite, type Sqlite } from '../worker/local/sqlite.ts'
import { sqliteFiles } from '../worker/local/sqlite_files.ts'
import { hasVaultList, VaultList } from '../worker/local/vault_list.ts'
import { performer, type VaultServices } from '../worker/vault_services.ts'
import { readCheckpointFile } from './checkpoint_file.ts'
import { confirm, runCommand } from './command.ts'

const PAGE = 1000
/** The most terms of a log's key that a backup may have: one a day for eleven years. */
const MAX_TERMS = 4096

/** What a backup is verified with. */
interface Verification {
  settings: Settings
  keyring: Keyring
}

async function run(file: string, yes: boolean): Promise<string> {
  const settings = readLocalSettings()
  const data = resolve(settings.data)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  if (settings.rootKey === undefined && !hasRootKeyFile(data))
    throw new PosternError('bad_request', 'POSTERN_ROOT_KEY: Must be set, or the root key be in the data folder')
  const { keyring } = await openKeyring(settings, data)
  const partial = join(data, '.restoring')
  discard(partial)
  try {
    copyFileSync(file, partial)
    chmodSync(partial, 0o600)
    const { vault, store, size, words } = await examine(
      partial,
      readCheckpointFile(checkpointOf(file), 'The checkpoint beside the backup'),
      {
        settings,
        keyring,
      },
    )
    const target = fileOfVault(data, vault)
    // A journal that was left behind counts: SQLite would apply it to the verified backup.
    const there = sqliteFiles(target).find((one) => existsSync(one))
    if (there !== undefined) throw new PosternError('conflict', `${there} exists: move it away first`)
    await confirm(`Restore this backup of the vault ${vault}, with ${size} entries, to ${data}?`, yes)
    syncToDisk(partial)
    // Before the file exists: the list would refuse a file with less of the log than it has noted.
    await noteRestored(data, keyring, { vault, store, size })
    renameDurably(partial, target)
    const said = `${target}: ${size} entries of the log are whole, and as signed; the root key is the one that sealed it`
    if (words.length === 0) return said
    return `${said}\nAn anchor has another log, or none any more. To continue from this one, start the server once with\nPOSTERN_AUDIT__ACCEPT_ROLLBACK=${words.join(',')}`
  } finally {
    discard(partial)
  }
}

/** Notes the restored store in the list of vaults. A vault that is not in the list is taken as it is. */
async function noteRestored(
  data: string,
  keyring: Keyring,
  { vault, store, size }: { vault: string; store: string | null; size: number },
): Promise<void> {
  if (!hasVaultList(data)) return
  const list = await VaultList.open(data, keyring)
  if (list.find(vault) !== null) list.keep(vault, { store, size })
}

/** Verifies a copy of a backup, and marks it as restored, which its log will record. */
async function examine(partial: string, checkpoint: string, { settings, keyring }: Verification) {
  const sql = openOrRefuse(partial, settings)
  try {
    const vault = parseVaultId(vaultIdOf(sql, undefined))
    const accepted = { acceptedSchemas: acceptedSchemas(settings, vault) }
    const inside = new Vault(sql, serverPolicy(settings.security), Date.now(), accepted)
    const perform = performer((...asked) => inside.perform(...asked))
    await admitRootKeys(await perform('root.look', {}), givenRootKeys(keyring), (root) => perform('root.use', { root }))
    const outbound = outboundOf(settings)
    const { fetch } = outbound
    const registry = registryOf({ settings, ...outbound }, LOCAL_FILES)
    const unused = { quarantine: () => {}, notifyWrite: () => {} }
    const services: VaultServices = {
      vault,
      settings,
      keyring,
      registry,
      anchors: anchorsOf({ settings, fetch }),
      fetch,
      perform,
      ...unused,
    }
    const head = await verify(sql, checkpoint, services)
    sql.all('INSERT OR REPLACE INTO meta VALUES (?, ?)', RESTORED, String(Date.now()))
    const elsewhere = await divergedAnchors(services)
    const words = elsewhere.map(({ head: anchored }) => formatRollback({ vault, head, anchored }))
    return { vault, store: storeIdOf(sql), size: head.size, words }
  } finally {
    sql.close()
  }
}

async function verify(sql: Sqlite, checkpoint: string, services: VaultServices): Promise<TreeHead> {
  const log = new Log(sql)
  const { min } = new RetentionStore(sql)
  const about = {
    checkpoint,
    verifiers: await verifiersOf(new LogKeyStore(sql), services),
    start: { index: min, frontier: log.frontier(min) },
  }
  const result = await verifyLog(linesOf(log, min), about)
  if ('flaw' in result) throw new PosternError('tampered', `${result.flaw.kind}: ${result.flaw.message}`)
  if (!log.isSound()) throw new PosternError('tampered', 'Backup has a log whose end was cut, or lengthened')
  const head = log.head()
  if (head.size === result.checkpoint.size && equal(head.root, result.checkpoint.root)) return head
  throw new PosternError('tampered', 'Backup does not hold the log of its checkpoint')
}

/** The verifier keys, derived from the given root keys and not read from the backup. */
async function verifiersOf(logKeys: LogKeyStore, { keyring, ...services }: VaultServices): Promise<NoteVerifier[]> {
  const known = logKeys.list().map(({ term }) => term)
  const newest = known[0] ?? 1
  // A term that is far ahead would have keys derived until memory is gone.
  const isGapless = known.every((term, i) => term === newest - i) && known.length >= newest - 1
  if (!isGapless || newest > MAX_TERMS)
    throw new PosternError('tampered', 'Backup has terms of the key of its log that do not follow each other')
  const terms = Array.from({ length: newest }, (_, i) => i + 1)
  const keys = keyring.all.flatMap((ring) =>
    terms.map((term) => ring.noteSigner(services.vault, originOf(services), term)),
  )
  return Promise.all((await Promise.all(keys)).map((key) => parseVerifierKey(formatVerifierKey(key))))
}

async function* linesOf(log: Log, from: number): AsyncGenerator<string> {
  for (let next = from; ; ) {
    const page = log.entries(next, PAGE)
    for (const { body } of page) yield parseUtf8(body) ?? ''
    if (page.length === 0) return
    next = page.at(-1)!.index + 1
  }
}

function openOrRefuse(partial: string, settings: Settings): Sqlite {
  let sql: Sqlite | undefined
  try {
    sql = openSqlite(partial)
    const [row] = sql.all<Record<string, string>>('PRAGMA integrity_check')
    if (row !== undefined && Object.values(row)[0] === 'ok') {
      upgrade(sql, settings)
      return sql
    }
    sql.close()
  } catch (error) {
    sql?.close()
    if (error instanceof PosternError) throw error
    if (error instanceof RangeError) throw new PosternError('unavailable', `Backup ${describeNewer(error)}`)
  }
  throw new PosternError('tampered', 'Backup is not a whole database')
}

/** @throws {PosternError} `tampered` when the schema is not Postern's own, and the settings do not accept exactly that. */
function upgrade(sql: Sql, settings: Settings): void {
  const vault = claimedVaultId(sql)
  try {
    migrate(sql, Date.now(), acceptedSchemas(settings, vault))
  } catch (error) {
    if (!(error instanceof SchemaMismatch)) throw error
    const { differences, count, acceptSchema } = changedSchema(vault, error.differences)
    const named = [...differences, ...(count > differences.length ? [`${count - differences.length} more`] : [])]
    throw new PosternError(
      'tampered',
      `Schema of the backup is not the one that Postern makes: ${named.join(', ')}. To accept exactly this, set\nPOSTERN_AUDIT__ACCEPT_SCHEMA=${acceptSchema}`,
    )
  }
}

function discard(partial: string): void {
  for (const file of sqliteFiles(partial)) rmSync(file, { force: true })
}

await runCommand({
  help: `
npm run restore -- FILE [--yes]

Verifies a backup, FILE, and restores it to the data folder, where the file of its vault must be gone. The checkpoint must
be beside the backup. Run it while no server runs.

  --yes   skips the question, for use without a terminal`,
  options: { yes: { type: 'boolean' } },
  arguments: ['FILE'],
  run: ({ yes }, [file]) => run(file!, yes === true),
  failure: 'Backup cannot be restored',
})
