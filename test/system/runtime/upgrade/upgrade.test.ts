/** Stores that earlier schemas left, opened with today's code: nothing of them is lost, and none goes back. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseBase64 } from '../../../../core/bytes.ts'
import { connect, signIn } from '../../../../core/client/client.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { parseCheckpoint } from '../../../../core/tlog/checkpoint.ts'
import type { Hash } from '../../../../core/tlog/merkle.ts'
import { verifyConsistency } from '../../../../core/tlog/proof.ts'
import { parseNote } from '../../../../core/tlog/signed_note.ts'
import { migrate } from '../../../../core/vault/migrate.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'
import { authenticator } from '../../../support/authenticator.ts'
import { wholeLog } from '../../../support/whole_log.ts'
import { type Server, type Site, startServer } from '../servers.ts'
import { ROOT_KEY, type Written } from './make.ts'

/** Of 1 and 3 no commit has today's form; 2 signed its log by a key that was derived in another way. None was released. */
const OLDEST = 4
/** The schema of 0.1. */
const RELEASED = 10
const STORES = join(import.meta.dirname, 'stores')
const schemas = readdirSync(STORES)
  .flatMap((file) => Number(/^schema_(\d+)\.json$/.exec(file)?.[1] ?? []) || [])
  .sort((a, b) => a - b)

let data: string
let server: Server | undefined

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'postern-upgrade-'))
})

afterEach(async () => {
  await server?.kill()
  server = undefined
  rmSync(data, { recursive: true, force: true })
})

/** Puts the store of a schema where a server finds it. */
function lay(schema: number): { written: Written; site: Site; db: DatabaseSync } {
  const written: Written = JSON.parse(readFileSync(join(STORES, `schema_${schema}.json`), 'utf8'))
  const db = new DatabaseSync(join(data, 'default.sqlite'))
  db.exec(`BEGIN; ${readFileSync(join(STORES, `schema_${schema}.sql`), 'utf8')} COMMIT`)
  const site = { vault: 'default', data, rootKey: ROOT_KEY, token: new Redacted(written.token), remove: () => {} }
  return { written, site, db }
}

describe('a store of an earlier schema', () => {
  it('is there for each that there was', () => {
    const sql = openSqlite(':memory:')
    migrate(sql, 0)
    const [row] = sql.all<{ newest: number }>('SELECT MAX(number) AS newest FROM migration')
    const earlier = Array.from({ length: row!.newest - OLDEST }, (_, i) => OLDEST + i)
    // The newest may have one: it is made before the next migration is added.
    expect(schemas.filter((schema) => schema < row!.newest)).toEqual(earlier)
  })

  it.each(schemas)('number %s opens: secrets, rules, tokens and the log are unchanged, and work', async (schema) => {
    const { written, site, db } = lay(schema)
    const before = db.prepare('SELECT COUNT(*) AS count, MAX(number) AS schema FROM entry, migration').get()!
    expect(before.schema).toBe(schema)
    db.close()
    server = await startServer('node', site)
    const client = connect({ endpoint: server.endpoint, vault: 'default', token: site.token })
    for (const [name, values] of Object.entries(written.secrets)) {
      for (const [i, value] of values.entries()) {
        expect((await client.get(name, { version: i + 1 })).value.reveal()).toBe(value)
      }
    }
    await expect(client.get('prod/gone')).rejects.toMatchObject({ code: 'not_found' })
    await client.restore('prod/gone')
    expect((await client.get('prod/gone')).value.reveal()).toBe(written.deleted)
    const reader = connect({ endpoint: server.endpoint, vault: 'default', token: new Redacted(written.reader) })
    expect((await reader.get('open/motd')).value.reveal()).toBe(written.secrets['open/motd']![0])
    await expect(reader.get('prod/db')).rejects.toMatchObject({ code: 'denied' })
    await client.put('prod/db', new Redacted('canary-upgrade-after'), { expect: 2 })

    expect((await client.auditKey()).split('\n')).toContain(written.verifierKey)
    const seen = parseCheckpoint(parseNote(written.checkpoint, 'checkpoint').text)
    const log = await wholeLog(client)
    expect(log.root).toBe(log.expectedRoot)
    const { hashes } = await client.consistency(seen.size, log.entries.length)
    const now = { size: log.entries.length, root: parseBase64(log.root) as Hash }
    expect(
      verifyConsistency(
        hashes.map((hash) => parseBase64(hash) as Hash),
        seen,
        now,
      ),
    ).toBe(true)
  })

  it('row 64: keeps the factors, approvals, chains, hooks, rotations and policy of 0.1, and joins the list of vaults', async () => {
    const { written, site, db } = lay(RELEASED)
    db.close()
    const { user, totp, recoveryCodes, anchored } = written.release!
    mkdirSync(join(data, 'anchor'))
    writeFileSync(join(data, 'anchor/default.checkpoint'), anchored)
    server = await startServer('node', site, {
      POSTERN_AUDIT__ANCHOR: join(data, 'anchor'),
      POSTERN_PROVIDERS__FILE_PATH: join(data, 'dev.json'),
    })
    const at = { endpoint: server.endpoint, vault: 'default' }
    const admin = connect({ ...at, token: site.token })
    expect((await admin.chains()).items).toMatchObject([{ id: 'file', resource: 'file/**' }])
    expect(await admin.policy()).toMatchObject({ notify: 'h', secretComplexity: { minLength: 12 } })
    expect((await admin.rotations()).items).toMatchObject([{ name: 'prod/turns' }])
    expect((await admin.get('prod/turns')).value.reveal()).toBe('canary-upgrade-seven')
    await expect(admin.get('prod/two')).rejects.toMatchObject({ code: 'approval_required' })
    const code = await authenticator(new Redacted(totp))()
    const session = (await signIn({ ...at, token: new Redacted(user), code })).client
    expect((await session.get('open/motd')).value.reveal()).toBe(written.secrets['open/motd']![0])
    const [recoveryCode] = recoveryCodes
    await signIn({ ...at, token: new Redacted(user), recoveryCode: recoveryCode! })
    await expect(signIn({ ...at, token: new Redacted(user), recoveryCode: recoveryCode! })).rejects.toThrow()
    await server.stop()
    server = undefined
    expect(readFileSync(join(data, 'vaults.json'), 'utf8')).toContain('"default"')
    // From now on its file is missed.
    rmSync(join(data, 'default.sqlite'))
    const refusal = await startServer('node', site).catch((error: Error) => error.message)
    expect(refusal).toContain('default.sqlite: Is missing')
    expect(existsSync(join(data, 'default.sqlite'))).toBe(false)
  })

  it('row 64: restores from a backup of 0.1: the unchanged file, and the checkpoint of its log', async () => {
    const { written, site, db } = lay(RELEASED)
    db.close()
    const size = Number(written.release!.anchored.split('\n')[1])
    const backup = join(data, `default.20261130T000000000Z.${size}.sqlite`)
    renameSync(join(data, 'default.sqlite'), backup)
    writeFileSync(backup.replace(/sqlite$/, 'checkpoint'), written.release!.anchored)
    const env = { PATH: process.env.PATH, POSTERN_DATA: join(data, 'to'), POSTERN_ROOT_KEY: ROOT_KEY }
    const command = ['cli/restore.ts', backup, '--yes']
    const cwd = join(import.meta.dirname, '../../../..')
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd, env, encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain(`${size} entries of the log are whole, and as signed`)
    server = await startServer('node', { ...site, data: join(data, 'to') })
    const client = connect({ endpoint: server.endpoint, vault: 'default', token: site.token })
    expect((await client.get('prod/db')).value.reveal()).toBe('canary-upgrade-two')
  })

  it('refuses a newer schema with a message, and leaves it unchanged', async () => {
    const { site, db } = lay(schemas.at(-1)!)
    db.exec('INSERT INTO migration VALUES (1000, 0)')
    const rows = () => db.prepare('SELECT number FROM migration').all()
    const before = rows()
    const refusal = await startServer('node', site).catch((error: Error) => error.message)
    expect(refusal).toMatch(/Vault was written by a newer Postern: its schema is 1000, .* Start that version/)
    expect(rows()).toEqual(before)
    db.close()
  })
})
