/** The example of docs/examples against a real PostgreSQL: a reader's password works at every instant. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { rotationServer } from '../../../docs/examples/postgres_rotation.ts'
import { needs } from '../../support/needs.ts'
import { freePort } from '../../support/ports.ts'
import { until } from '../../support/until.ts'
import { makeSite, type Server, type Site, startServer } from '../runtime/servers.ts'

const USERS = ['app_a', 'app_b'] as const
const bin = binaries()

/** Where Debian keeps its programs, or wherever the path finds them. */
function binaries(): string | null {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : []
  return versions.find((folder) => existsSync(join(folder, 'initdb'))) ?? null
}

/** PostgreSQL refuses to run as root. */
function user(): { uid?: number; gid?: number } {
  if (userInfo().uid !== 0) return {}
  const idOf = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim())
  return { uid: idOf('-u'), gid: idOf('-g') }
}

/** A cluster in a folder of its own, on loopback. */
async function startPostgres(folder: string) {
  const as = user()
  if (as.uid !== undefined) chownSync(folder, as.uid, as.gid!)
  const data = join(folder, 'data')
  const password = join(folder, 'password')
  writeFileSync(password, 'admin\n')
  const init = [
    '-D',
    data,
    '-U',
    'root_of_db',
    '--auth=scram-sha-256',
    `--pwfile=${password}`,
    '--no-sync',
    '-E',
    'UTF8',
  ]
  execFileSync(join(bin!, 'initdb'), init, { ...as, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const port = await freePort()
  const options = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-F']
  const child = spawn(join(bin!, 'postgres'), options, { ...as, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  child.stderr.on('data', (chunk) => (output += chunk))
  while (!output.includes('ready to accept connections')) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${output}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const url = `postgres://root_of_db:admin@127.0.0.1:${port}/postgres`
  return {
    port,
    url,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGINT')
      await ended
    },
  }
}

describe('the PostgreSQL example', needs({ met: bin !== null, remedy: 'install postgresql' }), () => {
  let folder: string
  let database: Awaited<ReturnType<typeof startPostgres>>
  let site: Site
  let server: Server
  let client: Client
  let example: ReturnType<typeof rotationServer>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-postgres-'))
    database = await startPostgres(folder)
    const admin = postgres(database.url, { onnotice: () => {} })
    for (const statement of [
      'CREATE ROLE app NOLOGIN',
      "CREATE ROLE app_a LOGIN PASSWORD 'first' IN ROLE app",
      'CREATE ROLE app_b NOLOGIN IN ROLE app',
      "ALTER ROLE app_a SET role = 'app'",
      "ALTER ROLE app_b SET role = 'app'",
      'CREATE TABLE postern_fence (secret text PRIMARY KEY, fence bigint NOT NULL)',
      'GRANT CREATE, USAGE ON SCHEMA public TO app',
    ])
      await admin.unsafe(statement)
    await admin.end()
    site = await makeSite()
    server = await startServer('bun', site, { POSTERN_SECURITY__ALLOW_LOOPBACK_HOOKS: 'true' })
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    const port = await freePort()
    const { secret } = await client.putHook('db', { url: `http://127.0.0.1:${port}/` })
    example = rotationServer({ adminUrl: database.url, webhookSecret: secret!.reveal(), users: USERS })
    example.server.listen(port, '127.0.0.1')
    const value = JSON.stringify({ username: 'app_a', password: 'first' })
    await client.put('prod/db', new Redacted(value), { contentType: 'application/json' })
    await client.putRotation('prod/db', { target: { kind: 'webhook', hook: 'db' }, graceSeconds: 3600 })
  })

  afterAll(async () => {
    await example?.close()
    await server?.stop()
    site?.remove()
    await database?.stop()
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  async function credential(version?: number): Promise<{ username: string; password: string }> {
    const { value } = await client.get('prod/db', version === undefined ? {} : { version })
    return JSON.parse(value.reveal())
  }

  /** Reconnects, and returns the current user or the refusal. */
  async function login({ username, password }: { username: string; password: string }): Promise<string> {
    const sql = postgres({ host: '127.0.0.1', port: database.port, database: 'postgres', username, password, max: 1 })
    try {
      const [row] = await sql`SELECT session_user || ' as ' || current_user AS who`
      return row?.who
    } catch (error) {
      return String((error as { code?: string }).code)
    } finally {
      await sql.end({ timeout: 1 })
    }
  }

  const reached = (step: string) =>
    until(
      () => client.rotation('prod/db'),
      ({ run, state }) => run?.step === step || state === step,
    )

  it('alternates two users, and a reader can always log in', async () => {
    let reading = true
    const outcomes = new Map<string, number>()
    const reader = (async () => {
      while (reading) {
        const who = await login(await credential())
        outcomes.set(who, (outcomes.get(who) ?? 0) + 1)
      }
    })()
    for (let turn = 0; turn < 3; turn++) {
      await client.rotate('prod/db')
      await reached('finish')
      const { replaces } = (await client.rotation('prod/db')).run!
      // In the grace the one before works too.
      expect(await login(await credential(replaces))).toMatch(/ as app$/)
      await client.steer('prod/db', 'finish')
      await reached('idle')
      expect(await login(await credential(replaces))).toMatch(/^28/)
    }
    reading = false
    await reader
    expect([...outcomes.keys()].sort()).toEqual(['app_a as app', 'app_b as app'])
    expect((await client.versions('prod/db')).items.map(({ version }) => version)).toEqual([4, 3, 2, 1])
  })

  it('takes nothing without a signature, nothing old, and no step below the last fence', async () => {
    const { port } = example.server.address() as AddressInfo
    const post = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body: '{"type":"rotation.undo","data":{}}' })
    expect((await post({})).status).toBe(401)
    const forged = { 'webhook-id': 'a', 'webhook-timestamp': '1', 'webhook-signature': 'v1,AAAA' }
    expect((await post(forged)).status).toBe(401)
    expect(await login(await credential())).toMatch(/ as app$/)
  })
})
