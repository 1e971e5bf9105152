/**
 * The drill of a restore: a backup in the middle of a load, the server killed, and the vault brought back elsewhere.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseBase64 } from '../../../core/bytes.ts'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { parseCheckpoint } from '../../../core/tlog/checkpoint.ts'
import type { Hash } from '../../../core/tlog/merkle.ts'
import { verifyConsistency } from '../../../core/tlog/proof.ts'
import { parseNote } from '../../../core/tlog/signed_note.ts'
import { openSqlite } from '../../../worker/local/sqlite.ts'
import { sqliteFiles } from '../../../worker/local/sqlite_files.ts'
import { canary, leaks } from '../../support/canary.ts'
import { until } from '../../support/until.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const WRITERS = 8

let folder: string
let site: Site
let servers: Server[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-backup-'))
  for (const name of ['backups', 'anchor']) mkdirSync(join(folder, name))
  site = await makeSite()
  servers = []
})

afterEach(async () => {
  for (const server of servers) await server.kill()
  site.remove()
  rmSync(folder, { recursive: true, force: true })
})

const settings = () => ({
  POSTERN_BACKUP__FOLDER: join(folder, 'backups'),
  POSTERN_BACKUP__EVERY_HOURS: '0',
  POSTERN_AUDIT__ANCHOR: join(folder, 'anchor'),
  POSTERN_AUDIT__PUBLISH_SECONDS: '1',
})

async function start(runtime: 'bun' | 'deno' | 'node', data: string, more: Record<string, string> = {}) {
  const there = { ...site, data }
  const server = await startServer(runtime, there, { ...settings(), ...more })
  site.token = there.token
  servers.push(server)
  return { server, client: connect({ endpoint: server.endpoint, vault: site.vault, token: site.token }) }
}

/** Runs a command of an operator; what it prints, or what it is refused with. */
async function command(
  file: string,
  data: string,
  args: string[] = [],
  more: Record<string, string | undefined> = {},
): Promise<string> {
  const env = {
    PATH: process.env.PATH,
    ...settings(),
    ...{ POSTERN_DATA: data, POSTERN_ROOT_KEY: site.rootKey, POSTERN_SECRETS_DIR: import.meta.dirname },
    ...more,
  }
  const run = promisify(execFile)(process.execPath, [`cli/${file}.ts`, ...args], { cwd: ROOT, env })
  return run.then(
    ({ stdout }) => stdout,
    ({ stderr }) => `refused: ${stderr}`,
  )
}

/** Writes until it is told to stop, and notes what was acknowledged. */
function load(client: Client): { acknowledged: Map<string, string>; stop: () => Promise<void> } {
  const acknowledged = new Map<string, string>()
  let alive = true
  const writers = Array.from({ length: WRITERS }, async (_, w) => {
    for (let i = 0; alive; i++) {
      const [name, value] = [`w${w}/${i}`, canary()]
      const written = await client.put(name, new Redacted(value)).catch(() => null)
      if (written === null) return
      acknowledged.set(name, value)
    }
  })
  const stop = async () => {
    alive = false
    await Promise.all(writers)
  }
  return { acknowledged, stop }
}

const anchored = () => {
  const file = join(folder, 'anchor/default.checkpoint')
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[1]) : 0
}

/** A database whose index of the names of secrets lost all of its entries. */
function withoutNames(bytes: Buffer): Buffer {
  const file = join(mkdtempSync(join(folder, 'look-')), 'a.sqlite')
  writeFileSync(file, bytes)
  const sql = openSqlite(file)
  const query = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_secret_1'"
  const [{ rootpage }] = sql.all<{ rootpage: number }>(query) as [{ rootpage: number }]
  sql.close()
  const damaged = Buffer.from(bytes)
  // https://www.sqlite.org/fileformat2.html: the size of a page is at 16; a page's number of cells is at 3.
  const at = (rootpage - 1) * damaged.readUInt16BE(16)
  expect(damaged.readUInt16BE(at + 3)).toBeGreaterThan(0)
  damaged.writeUInt16BE(0, at + 3)
  return damaged
}

const rejection = (call: Promise<unknown>) =>
  call.then(
    () => 'served',
    ({ detail, code }) => detail?.reason ?? code,
  )

describe.each(['bun', 'deno', 'node'] as const)('on %s', (runtime) => {
  it('restores a backup made under load: the anchor refuses it until a setting accepts it, once', async () => {
    const { server, client } = await start(runtime, site.data)
    const work = load(client)
    await until(
      () => work.acknowledged.size,
      (size) => size > 20,
    )
    const certain = new Map(work.acknowledged)
    // A checkpoint is served for a while: one that is of something.
    const seen = await until(
      async () => parseCheckpoint(parseNote(await client.checkpoint(), 'checkpoint').text),
      ({ size }) => size > 0,
    )
    const printed = await command('backup_now', site.data)
    const during = work.acknowledged.size
    await until(
      () => work.acknowledged.size,
      (size) => size > during + 20,
    )
    const backup = printed.trim()
    const size = Number(backup.split('.').at(-2))
    await until(anchored, (found) => found > size + 1)
    const live = await wholeLog(client)
    await server.kill()
    await work.stop()

    // What a backup is: one file for its owner, of sealed values, and its checkpoint.
    expect(readdirSync(join(folder, 'backups')).sort()).toEqual([
      `${backup.split('/').at(-1)!.slice(0, -7)}.checkpoint`,
      backup.split('/').at(-1),
    ])
    expect(statSync(backup).mode & 0o777).toBe(0o600)
    const bytes = readFileSync(backup)
    expect(leaks(bytes, [site.rootKey, site.token.reveal(), ...certain.values()])).toEqual([])
    const record = live.entries.find(({ operation }) => operation === 'vault.backed_up')
    expect(record).toMatchObject({
      outcome: 'ok',
      facts: { size, file: backup.split('/').at(-1), bytes: bytes.length },
    })

    const restored = join(folder, 'restored')
    const said = await command('restore', restored, [backup, '--yes'])
    const word = /POSTERN_AUDIT__ACCEPT_ROLLBACK=(\S+)/.exec(said)?.[1]
    expect(word).toMatch(new RegExp(`^default/${size}/`))
    expect(await command('restore', restored, [backup, '--yes'])).toContain('exists: move it away first')

    const kept = anchored()
    const refusing = await start(runtime, restored)
    expect(await rejection(refusing.client.get([...certain.keys()][0]!))).toBe('rolled_back')
    expect(refusing.server.output()).toContain(word)
    expect(anchored()).toBe(kept)
    await refusing.server.stop()
    const wrong = await start(runtime, restored, {
      POSTERN_AUDIT__ACCEPT_ROLLBACK: word!.replace('default/', 'other/'),
    })
    expect(await rejection(wrong.client.get([...certain.keys()][0]!))).toBe('rolled_back')
    await wrong.server.stop()

    const again = await start(runtime, restored, { POSTERN_AUDIT__ACCEPT_ROLLBACK: word! })
    for (const [name, value] of certain) expect((await again.client.get(name)).value.reveal()).toBe(value)
    const log = await wholeLog(again.client)
    expect(log.root).toBe(log.expectedRoot)
    expect(log.bodies.slice(0, size)).toEqual(live.bodies.slice(0, size))
    expect(log.entries[size]).toMatchObject({ operation: 'vault.restored', severity: 'alert', facts: { size } })
    expect(log.entries[size]?.facts.replaces).toMatchObject([{ target: 'anchor:folder', size: kept }])
    // The log still extends a checkpoint from before the backup.
    expect(seen.size).toBeLessThanOrEqual(size)
    const now = { size: log.entries.length, root: parseBase64(log.root) as Hash }
    const { hashes } = await again.client.consistency(seen.size, now.size)
    expect(
      verifyConsistency(
        hashes.map((hash) => parseBase64(hash) as Hash),
        seen,
        now,
      ),
    ).toBe(true)
    await until(anchored, (found) => found > size)
    await again.server.stop()

    // The same backup, in the same place, with the same word: the anchor has moved on.
    rmSync(join(restored, 'default.sqlite'))
    expect(await command('restore', restored, [backup, '--yes'])).toContain('ACCEPT_ROLLBACK')
    const replayed = await start(runtime, restored, { POSTERN_AUDIT__ACCEPT_ROLLBACK: word! })
    expect(await rejection(replayed.client.get([...certain.keys()][0]!))).toBe('rolled_back')
  })
})

describe('a restore', () => {
  it('refuses another root key, a changed file, a checkpoint of another log, and existing data', async () => {
    const { server, client } = await start('node', site.data)
    await client.put('a', new Redacted('x'))
    const backup = (await command('backup_now', site.data)).trim()
    await client.put('b', new Redacted('y'))
    const later = (await command('backup_now', site.data)).trim()
    await server.stop()
    const sidecar = backup.replace(/sqlite$/, 'checkpoint')
    const to = () => mkdtempSync(join(folder, 'to-'))
    const own = site
    site = { ...site, rootKey: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8' }
    expect(await command('restore', to(), [backup, '--yes'])).toContain('Root key is not the one')
    site = own
    const note = readFileSync(sidecar, 'utf8')
    copyFileSync(later.replace(/sqlite$/, 'checkpoint'), sidecar)
    expect(await command('restore', to(), [backup, '--yes'])).toMatch(/^refused: .*truncated/)
    writeFileSync(sidecar, note)
    const bytes = readFileSync(backup)
    const at = bytes.indexOf('"operation":"secret.write"')
    expect(at).toBeGreaterThan(0)
    const changed = Buffer.from(bytes)
    changed.write('"operation":"secret.reads"', at)
    writeFileSync(backup, changed)
    expect(await command('restore', to(), [backup, '--yes'])).toMatch(/^refused: .*(?:edited|forked)/)
    writeFileSync(backup, Buffer.concat([bytes.subarray(0, 8192), Buffer.alloc(bytes.length - 8192)]))
    expect(await command('restore', to(), [backup, '--yes'])).toContain('not a whole database')
    // Damage that no log reveals: secrets exist, and are not found by name.
    writeFileSync(backup, withoutNames(bytes))
    expect(await command('restore', to(), [backup, '--yes'])).toContain('not a whole database')
    writeFileSync(backup, bytes)
    // Rows that would be changed by themselves, in a file whose log is whole.
    const sql = openSqlite(backup)
    sql.all('CREATE TRIGGER stray AFTER INSERT ON session BEGIN SELECT 1; END')
    sql.close()
    for (const companion of sqliteFiles(backup).slice(1)) rmSync(companion, { force: true })
    const strange = to()
    expect(await command('restore', strange, [backup, '--yes'])).toMatch(
      /^refused: Schema of the backup .*trigger "stray" on "session" added/,
    )
    expect(readdirSync(strange)).toEqual([])
    writeFileSync(backup, bytes)
    const clean = to()
    expect(await command('restore', clean, [backup, '--yes'])).toMatch(/^\/.*entries of the log are whole/)
    expect(readdirSync(clean)).toEqual(['default.sqlite'])
  })

  it('leaves nothing behind when it refuses: more than was signed, no root key; and what it brings is for its owner', async () => {
    const { server, client } = await start('node', site.data)
    await client.put('a', new Redacted('x'))
    const earlier = (await command('backup_now', site.data)).trim()
    await client.put('b', new Redacted('y'))
    const backup = (await command('backup_now', site.data)).trim()
    await server.stop()
    const checkpoint = (file: string) => file.replace(/sqlite$/, 'checkpoint')
    const [data, note] = [mkdtempSync(join(folder, 'to-')), readFileSync(checkpoint(backup), 'utf8')]
    // A log longer than its checkpoint: entries were added to the file.
    copyFileSync(checkpoint(earlier), checkpoint(backup))
    expect(await command('restore', data, [backup, '--yes'])).toMatch(/^refused: /)
    expect(readdirSync(data)).toEqual([])
    writeFileSync(checkpoint(backup), note)
    expect(await command('restore', data, [backup, '--yes'], { POSTERN_ROOT_KEY: undefined })).toContain(
      'POSTERN_ROOT_KEY',
    )
    expect(readdirSync(data)).toEqual([])
    chmodSync(backup, 0o644)
    expect(await command('restore', data, [backup, '--yes'])).toMatch(/^\/.*entries of the log are whole/)
    expect(statSync(join(data, 'default.sqlite')).mode & 0o777).toBe(0o600)
  })

  it('is told by the log, once, also where there is no anchor to tell that it was', async () => {
    const { server, client } = await start('node', site.data)
    await client.put('a', new Redacted('x'))
    const backup = (await command('backup_now', site.data)).trim()
    await server.stop()
    const data = mkdtempSync(join(folder, 'to-'))
    expect(await command('restore', data, [backup, '--yes'])).toContain('entries of the log are whole')
    const { POSTERN_AUDIT__ANCHOR: _, ...unanchored } = settings()
    for (let i = 0; i < 2; i++) {
      const again = await startServer('node', { ...site, data }, unanchored)
      servers.push(again)
      const { entries } = await wholeLog(connect({ ...site, endpoint: again.endpoint }))
      const size = Number(backup.split('.').at(-2))
      const said = entries.filter(({ operation }) => operation === 'vault.restored')
      expect(said).toMatchObject([{ index: size, severity: 'alert', facts: { size, replaces: [] } }])
      await again.stop()
    }
  })

  it('refuses a place where the journal of another database was left: SQLite would take it for its own', async () => {
    const { server, client } = await start('node', site.data)
    await client.put('a', new Redacted('x'))
    const backup = (await command('backup_now', site.data)).trim()
    await client.put('b', new Redacted('y'))
    await server.kill()
    const journal = join(site.data, 'default.sqlite-wal')
    expect(statSync(journal).size).toBeGreaterThan(0)
    rmSync(join(site.data, 'default.sqlite'))
    expect(await command('restore', site.data, [backup, '--yes'])).toMatch(/^refused: .*default\.sqlite-wal exists/)
    rmSync(journal)
    expect(await command('restore', site.data, [backup, '--yes'])).toContain('entries of the log are whole')
  })

  it('keeps as many backups as it is told, the newest, and says when no server takes the request', async () => {
    const { server } = await start('node', site.data, { POSTERN_BACKUP__KEEP: '2' })
    const made: string[] = []
    for (let i = 0; i < 4; i++) made.push((await command('backup_now', site.data)).trim())
    const files = () => readdirSync(join(folder, 'backups')).map((name) => join(folder, 'backups', name))
    await until(files, (found) => found.length === 4)
    expect(
      files()
        .filter((name) => name.endsWith('.sqlite'))
        .sort(),
    ).toEqual(made.slice(2))
    await server.stop()
    expect(await command('backup_now', site.data)).toContain('No server took the request')
    expect(files().length).toBe(4)
  })
})
