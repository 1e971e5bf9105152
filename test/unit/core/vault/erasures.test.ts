/** Erased sealed values are gone from all files: the store and its journal. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { serverPolicy } from '../../../../core/vault/access/server_policy.ts'
import type { Call } from '../../../../core/vault/rpc.ts'
import type { Sql } from '../../../../core/vault/sql.ts'
import { Vault } from '../../../../core/vault/vault.ts'
import { PutPolicy } from '../../../../core/wire/index.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'
import { bytesOf, openVault, tokenHashOf, UNLIMITED, writeOf } from '../../../support/core.ts'

type Bench = ReturnType<typeof openVault>

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

let marks = 0
/** Ciphertext to be found: longer than a page keeps of anything by chance. */
const sealed = () => bytesOf(`ciphertext ${++marks} `.repeat(8))

/** Each way of erasing: what it makes, and what erases it. */
const WAYS: Record<string, (bench: Bench, gone: Uint8Array<ArrayBuffer>) => () => void> = {
  'a destroyed version': ({ granted }, gone) => {
    granted('admin', 'secret.write', writeOf('a', { sealed: gone }))
    return () => granted('admin', 'secret.destroy', { name: 'a' })
  },
  'one of several versions': ({ granted }, gone) => {
    granted('admin', 'secret.write', writeOf('a', { sealed: gone }))
    granted('admin', 'secret.write', writeOf('a'))
    return () => granted('admin', 'secret.destroy', { name: 'a', version: 1 })
  },
  'a pruned version': (bench, gone) => {
    const { granted } = bench
    granted('admin', 'secret.write', writeOf('a', { sealed: gone }))
    for (let i = 0; i < 3; i++) granted('admin', 'secret.write', writeOf('a'))
    granted('admin', 'policy.put', PutPolicy.parse({ keepVersions: 2 }))
    return () => bench.vault.perform('versions.prune', { name: 'a' }, bench.now + 86_400_000)
  },
  'a second factor that was reset': ({ granted }, gone) => {
    granted('admin', 'totp.enrol', { id: 't', kid: 'k', sealed: gone })
    return () => granted('admin', 'factors.reset', { id: 'admin' })
  },
  'a second factor that another took the place of': ({ granted }, gone) => {
    granted('admin', 'totp.enrol', { id: 't', kid: 'k', sealed: gone })
    return () => granted('admin', 'totp.enrol', { id: 'u', kid: 'k', sealed: sealed() })
  },
  'a hook': ({ granted }, gone) => {
    granted('admin', 'hook.put', { id: 'h', url: 'https://h.example', kid: 'root.1', sealed: gone, newSecret: false })
    return () => granted('admin', 'hook.delete', { id: 'h' })
  },
  'the secret of a hook': ({ granted }, gone) => {
    const hook = { id: 'h', url: 'https://h.example', kid: 'root.1' }
    granted('admin', 'hook.put', { ...hook, sealed: gone, newSecret: false })
    return () => granted('admin', 'hook.put', { ...hook, sealed: sealed(), newSecret: true })
  },
  'the cache, when a chain changes': ({ granted, sql }, gone) => {
    cache(sql, gone)
    return () => granted('admin', 'chain.put', chainOf('c'))
  },
  'the cache of a name that is written': ({ granted, sql }, gone) => {
    granted('admin', 'chain.put', chainOf('c'))
    cache(sql, gone)
    return () => granted('admin', 'secret.prepare', { name: 'p/x' })
  },
}

function chainOf(id: string) {
  const members = [{ provider: 'aws' as const }]
  const rest = { cacheSeconds: 9, maxStaleSeconds: 0, replicate: false }
  return { id, resource: 'p/*', members, onNotFound: 'stop' as const, onDenied: 'stop' as const, ...rest }
}

function cache(sql: Sql, value: Uint8Array<ArrayBuffer>): void {
  sql.all(
    `INSERT INTO cached (name, asked, revision, provider, version, kid, sealed, content_type, encoding, fetched_at, keep_until)
     VALUES ('p/x', '', 'r', 'aws', '1', 'k', ?, 't', 'utf8', 0, 9999999999999)`,
    value,
  )
}

/** The bench of the core, over a vault in a file. */
function openFile() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-erasures-'))
  folders.push(folder)
  const path = join(folder, 'vault.sqlite')
  const sql = openSqlite(path)
  const bench = openVault()
  const vault = new Vault(sql, serverPolicy(UNLIMITED), bench.now)
  sql.atomic(() => {
    for (const table of ['principal', 'token', 'rule'])
      for (const row of bench.database.all<Record<string, never>>(`SELECT * FROM ${table}`))
        sql.all(`INSERT INTO ${table} VALUES (${Object.keys(row).map(() => '?')})`, ...Object.values(row))
  })
  const ask = (call: Call) => vault.execute([call], bench.now)[0]!
  const granted = (who: string, operation: never, input: never) => {
    const name = (input as { name: string }).name
    const [row] = sql.all<{ latest: number }>('SELECT latest FROM secret WHERE name = ?', name ?? '')
    const version = operation === 'secret.write' ? { version: (row?.latest ?? 0) + 1 } : {}
    const credential = { kind: 'token', hash: tokenHashOf(who) } as const
    const caller = { credential, proof: null, requestId: 'r', address: null, agent: null }
    const answer = ask({ operation, caller, input: { ...(input as object), ...version } })
    if (!answer.ok) throw new Error(`${operation}: ${answer.reason}`)
    return answer.value
  }
  const opened = { ...bench, sql, vault, granted } as never as Bench
  const holds = (bytes: Uint8Array) =>
    [path, `${path}-wal`].filter((file) => existsSync(file) && readFileSync(file).includes(Buffer.from(bytes)))
  return { bench: opened, holds, close: () => sql.close() }
}

describe('a sealed value that is erased', () => {
  it.each(Object.keys(WAYS))('is in neither the store nor its journal: %s', (way) => {
    const { bench, holds, close } = openFile()
    const gone = sealed()
    const erase = WAYS[way]!(bench, gone)
    // It would hold of one that never was there, too.
    expect(holds(gone)).not.toEqual([])
    erase()
    expect(holds(gone)).toEqual([])
    close()
  })
})
