/**
 * Whether a read costs more where there is more: of secrets, or of entries in the log.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mintToken } from '../../../core/authentication/token.ts'
import { randomBytes } from '../../../core/bytes.ts'
import { parseSettings } from '../../../core/settings/settings.ts'
import { serverPolicy } from '../../../core/vault/access/server_policy.ts'
import type { Call, Caller } from '../../../core/vault/rpc.ts'
import { Vault } from '../../../core/vault/vault.ts'
import { openSqlite, type Sqlite } from '../../../worker/local/sqlite.ts'
import { bootstrapOf } from '../../support/tickets.ts'

/** Reads a transaction, as group commit makes them under load. */
const BATCH = 64
const SEALED_SIZE = 300

/** A vault in a file, with secrets and a log as long as is wanted. */
export interface GrownVault {
  /** Microseconds a read, of names all over the vault: the median of so many transactions. */
  read(transactions: number): number
  close(): void
}

/** Makes a vault with so many secrets, and so many entries in its log. */
export function growVault({ secrets, entries }: { secrets: number; entries: number }): GrownVault {
  const folder = mkdtempSync(join(tmpdir(), 'postern-growth-'))
  const sql = openSqlite(join(folder, 'vault.sqlite'))
  const rate = '100000000/s'
  const environment = { POSTERN_SECURITY__PRINCIPAL_RATE: rate, POSTERN_SECURITY__SOURCE_RATE: rate }
  const vault = new Vault(sql, serverPolicy(parseSettings({ environment }).security), 0)
  const admin = mintToken('growth', randomBytes(32))
  const about = { requestId: crypto.randomUUID(), address: '192.0.2.1', agent: 'growth', proof: null }
  const caller: Caller = { ...about, credential: { kind: 'token', hash: admin.hash } }
  vault.execute([bootstrapOf(admin.hash, 0), { operation: 'session.whoami', caller, input: {} }], 0)
  addSecrets(sql, secrets)
  const batch = () =>
    Array.from({ length: BATCH }, (): Call => {
      const input = { name: `prod/db-${Math.floor(Math.random() * secrets)}` }
      return { operation: 'secret.read', caller, input }
    })
  // Reads are what makes a log long.
  for (let n = 0; n < entries; n += BATCH) vault.execute(batch(), 1)

  function timed(): number {
    const calls = batch()
    const start = performance.now()
    const answers = vault.execute(calls, 1)
    const elapsed = performance.now() - start
    if (!answers.every(({ ok }) => ok)) throw new Error('A read was refused')
    return (elapsed * 1000) / answers.length
  }

  return {
    read: (transactions) => {
      const times = Array.from({ length: transactions }, timed).sort((a, b) => a - b)
      return times[Math.floor(times.length / 2)]!
    },
    close() {
      sql.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Straight into the tables: a million writes would take a minute. */
function addSecrets(sql: Sqlite, count: number): void {
  sql.atomic(() => {
    sql.all(
      `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
       INSERT INTO secret (name, current, latest, tags, created_at, updated_at)
       SELECT 'prod/db-' || i, 1, 1, '{}', 0, 0 FROM n`,
      count,
    )
    sql.all(
      `INSERT INTO version (secret, number, kid, sealed, content_type, encoding, created_at, created_by)
       SELECT id, 1, 'k', randomblob(?), 'text/plain', 'utf8', 0, 'admin' FROM secret`,
      SEALED_SIZE,
    )
  })
}
