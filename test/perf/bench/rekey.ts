/**
 * How fast sealed versions move to a new term of a vault's key, and that memory stays flat: `bun test/perf/bench/rekey.ts
 * 1000000` (the default), over a real file.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { utf8 } from '../../../core/bytes.ts'
import { seal } from '../../../core/crypto/envelope.ts'
import { Keyring, parseRootKey } from '../../../core/crypto/keyring.ts'
import { parseSettings } from '../../../core/settings/settings.ts'
import { serverPolicy } from '../../../core/vault/access/server_policy.ts'
import { Vault } from '../../../core/vault/vault.ts'
import { rewrapKeys } from '../../../worker/background/rewrap_keys.ts'
import { openSqlite } from '../../../worker/local/sqlite.ts'
import { performer, type VaultServices } from '../../../worker/vault_services.ts'

const VERSIONS = Number(process.argv[2] ?? 1_000_000)
const DISTINCT = 1000

const settings = parseSettings({ environment: { POSTERN_SECURITY__ENCRYPTION_KEY_ROTATION_DAYS: '1' } })
const keyring = await Keyring.open(parseRootKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'))
const folder = mkdtempSync(join(tmpdir(), 'postern-rekey-'))
const sql = openSqlite(join(folder, 'bench.sqlite'))
const vault = new Vault(sql, serverPolicy(settings.security), Date.now() - 2 * 86_400_000)
vault.claim(keyring.rootId)

const kek = await keyring.currentKek('bench', 1)
const binding = (i: number) => ({ vault: 'bench', name: `n${i}`, version: 1n, contentType: 't' })
const envelopes = await Promise.all(
  Array.from({ length: DISTINCT }, (_, i) => seal(kek, utf8('x'.repeat(100)), binding(i))),
)
sql.all("INSERT INTO secret (id, name, latest, tags, created_at, updated_at) VALUES (1, 'n', 0, '{}', 0, 0)")
for (let from = 0; from < VERSIONS; from += 10_000) {
  sql.atomic(() => {
    for (let i = from; i < Math.min(VERSIONS, from + 10_000); i++) {
      const row = [i, kek.kid, envelopes[i % DISTINCT]!, 't', 'utf8', 0, 'bench']
      const columns = 'secret, number, kid, sealed, content_type, encoding, created_at, created_by'
      sql.all(`INSERT INTO version (${columns}) VALUES (1, ?, ?, ?, ?, ?, ?, ?)`, ...row)
    }
  })
}

const perform = performer((...asked) => vault.perform(...asked))
const services: VaultServices = { vault: 'bench', settings, keyring, perform } as VaultServices
const moved = () => sql.all<{ moved: number }>('SELECT moved FROM term ORDER BY number DESC')[0]!.moved
const megabytes = () => Math.round(process.memoryUsage().rss / 1_048_576)
const start = performance.now()
let longest = 0
let nextReport = VERSIONS / 10
process.stdout.write(`${VERSIONS} versions, ${megabytes()} MiB before\n`)
for (let due: number | null = 0; due !== null && due <= Date.now(); ) {
  const before = performance.now()
  due = await rewrapKeys.run(services)
  longest = Math.max(longest, performance.now() - before)
  if (moved() < nextReport) continue
  const seconds = (performance.now() - start) / 1000
  process.stdout.write(`${moved()} moved, ${Math.round(moved() / seconds)}/s, ${megabytes()} MiB\n`)
  nextReport += VERSIONS / 10
}
const left = sql.all<{ left: number }>('SELECT COUNT(*) AS left FROM version WHERE kid = ?', kek.kid)[0]!.left
process.stdout.write(`${left} left under the old term; longest turn ${Math.round(longest)} ms\n`)
sql.close()
rmSync(folder, { recursive: true })
