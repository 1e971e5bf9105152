/**
 * Writes the store of a small vault as this checkout, or an older one, makes it: `node test/system/runtime/upgrade/make.ts [CHECKOUT]`.
 *
 * To be run once for each schema, before the next migration is added: the tests open what it wrote with today's code. The
 * root key and the values are canaries of the tests.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { connect, signIn } from '../../../../core/client/client.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { sleep } from '../../../../core/sleep.ts'
import { authenticator } from '../../../support/authenticator.ts'

/** For tests only: it has sealed nothing else. */
export const ROOT_KEY = 'dXBncmFkZS10ZXN0LXJvb3Qta2V5LW5vdC1mb3ItdXM'

/** What a store was written with, and what has to be read from it. */
export interface Written {
  schema: number
  token: string
  /** The token of a principal that may read below `open/`. */
  reader: string
  /** Name, then each version's value, the oldest first. */
  secrets: Record<string, string[]>
  deleted: string
  checkpoint: string
  verifierKey: string | null
  /** Of 0.1 and later. */
  release?: Release | null
  /** Beginning of a store, in SQL. */
  dump: string
}

/** What 0.1 has beside secrets. */
export interface Release {
  /** The token of `ann`, who has a second factor. */
  user: string
  totp: string
  recoveryCodes: string[]
  /** What the anchor had in the end. */
  anchored: string
}

const SECRETS = {
  'prod/db': ['canary-upgrade-one', 'canary-upgrade-two'],
  'open/motd': ['canary-upgrade-three: é, "quotes" and \'apostrophes\''],
  'prod/gone': ['canary-upgrade-four'],
}

async function make(checkout: string): Promise<Written> {
  const data = mkdtempSync(join(tmpdir(), 'postern-upgrade-'))
  const env = { PATH: process.env.PATH, POSTERN_ROOT_KEY: ROOT_KEY, POSTERN_SECRETS_DIR: import.meta.dirname }
  const run = { cwd: checkout, env, encoding: 'utf8' } as const
  // Before 0.2 a configured token, since then a ticket.
  // Before 0.2 the commands were in worker/.
  const room = existsSync(join(checkout, 'cli')) ? 'cli' : 'worker'
  const isTicket = existsSync(join(checkout, room, 'mint.ts'))
  const command = isTicket ? [`${room}/mint.ts`, 'default'] : [`${room}/keygen.ts`, 'token', 'default']
  const made = execFileSync(process.execPath, command, run).trim()
  mkdirSync(join(data, 'anchor'))
  const settings = {
    ...{ POSTERN_DATA: data, POSTERN_PORT: '0', POSTERN_PROVIDERS__FILE_PATH: join(data, 'dev.json') },
    ...{ POSTERN_AUDIT__ANCHOR: join(data, 'anchor'), POSTERN_AUDIT__PUBLISH_SECONDS: '1' },
  }
  const server = spawn(process.execPath, ['worker/node.ts'], {
    cwd: checkout,
    env: { ...env, ...settings, ...(!isTicket && { POSTERN_BOOTSTRAP_TOKEN: made }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  const endpoint = await new Promise<string>((found, failed) => {
    server.once('exit', () => failed(new Error(`Server did not start: ${said}`)))
    server.stdout.on('data', (chunk) => {
      said += chunk
      const [, url] = /listens on (\S+)/.exec(said) ?? []
      if (url !== undefined) found(url)
    })
  })
  const vault = `${endpoint}/v1/vaults/default/`
  const token = isTicket ? await exchange(vault, made) : made
  const written = await fill(vault, token)
  const release = schemaOf(checkout) < RELEASED ? null : await fillRelease(endpoint, token, join(data, 'anchor'))
  server.kill('SIGTERM')
  await once(server, 'exit')
  const db = new DatabaseSync(join(data, 'default.sqlite'))
  const { schema } = db.prepare('SELECT MAX(number) AS schema FROM migration').get() as { schema: number }
  const dump = dumpOf(db)
  db.close()
  rmSync(data, { recursive: true })
  return { schema, token, ...written, release, dump }
}

/** The schema of version 0.1, which is the first that was released. */
const RELEASED = 10

function schemaOf(checkout: string): number {
  const [migrate, sqlite] = existsSync(join(checkout, 'core/vault/migrate.ts'))
    ? ['core/vault/migrate.ts', 'worker/local/sqlite.ts']
    : ['core/schema.ts', 'worker/sqlite.ts']
  const code = `import { migrate } from './${migrate}'; import { openSqlite } from './${sqlite}'`
  const count =
    "const sql = openSqlite(':memory:'); migrate(sql, 0); console.log(sql.all('SELECT MAX(number) AS n FROM migration')[0].n)"
  const args = ['--input-type=module-typescript', '-e', `${code}; ${count}`]
  return Number(execFileSync(process.execPath, args, { cwd: checkout, encoding: 'utf8' }))
}

/** Uses what 0.1 has beside secrets: factors, approvals, chains, hooks, rotations, policies, and an anchor. */
async function fillRelease(endpoint: string, token: string, anchor: string): Promise<Release> {
  const at = { endpoint, vault: 'default' }
  const admin = connect({ ...at, token: new Redacted(token) })
  await admin.putPrincipal('ann', { kind: 'user' })
  await admin.putRule('ann', { effect: 'permit', principal: 'ann', actions: ['read'], resource: 'open/**' })
  const user = (await admin.createToken({ principal: 'ann' })).token
  const session = (await signIn({ ...at, token: user })).client
  const { uri } = await session.enrolTotp()
  const { recoveryCodes } = await session.confirmTotp(await authenticator(uri)())
  await admin.putPrincipal('ben', { kind: 'user' })
  const unless = { approvals: { required: 1, from: ['ben'] } }
  await admin.putRule('two', { effect: 'forbid', principal: '*', actions: ['read'], resource: 'prod/two', unless })
  await admin.put('prod/two', new Redacted('canary-upgrade-six'))
  await admin.putChain('file', { resource: 'file/**', members: [{ provider: 'file' }] })
  const target = { kind: 'webhook', hook: 'h' } as const
  await admin.putHook('h', { url: 'https://hook.example/' })
  await admin.put('prod/turns', new Redacted('canary-upgrade-seven'))
  await admin.putRotation('prod/turns', { rotateEvery: 'P90D', target, generate: { kind: 'uuid' } })
  await admin.putPolicy({ notify: 'h', secretComplexity: { resources: ['strong/**'], minLength: 12 } })
  const file = join(anchor, 'default.checkpoint')
  // Its rounds are a second apart: after some, all writes are anchored.
  await sleep(6000)
  return {
    user: user.reveal(),
    totp: uri.reveal(),
    recoveryCodes: recoveryCodes.reveal(),
    anchored: readFileSync(file, 'utf8'),
  }
}

async function exchange(vault: string, ticket: string): Promise<string> {
  const answer = await fetch(`${vault}tokens`, { method: 'POST', headers: { Authorization: `Bearer ${ticket}` } })
  return ((await answer.json()) as { token: string }).token
}

/** Uses what every version has. */
async function fill(vault: string, token: string) {
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const answer = await fetch(vault + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    return { ok: answer.ok, text: await answer.text() }
  }
  const must = async (method: string, path: string, body?: object) => {
    const { ok, text } = await ask(method, path, body)
    if (!ok) throw new Error(`${method} ${path}: ${text}`)
    return text
  }
  for (const [name, values] of Object.entries(SECRETS)) {
    for (const value of values) await must('PUT', `secrets/${name}`, { value, tags: { team: 'tests' } })
  }
  await must('DELETE', 'secrets/prod/gone')
  await must('PUT', 'principals/web', { kind: 'service' })
  const rule = { effect: 'permit', principal: 'web', actions: ['read'], resource: 'open/**' }
  await must('PUT', 'rules/web', rule)
  const reader = JSON.parse(await must('POST', 'tokens', { principal: 'web' })).token
  // Later features, if the version has them.
  const hasTerms = (await ask('POST', 'keys')).ok
  if (hasTerms) await must('PUT', 'secrets/prod/later', { value: 'canary-upgrade-five' })
  await ask('POST', 'sessions', {})
  // One that is served for a while may be of less.
  await sleep(2000)
  const checkpoint = await must('GET', 'audit/checkpoint')
  const key = await ask('GET', 'audit/key')
  const { 'prod/gone': gone, ...kept } = SECRETS
  const secrets: Record<string, string[]> = { ...kept, ...(hasTerms && { 'prod/later': ['canary-upgrade-five'] }) }
  return { reader, secrets, deleted: gone[0]!, checkpoint, verifierKey: key.ok ? key.text.trim() : null }
}

/** All of a database as SQL, rows in the order of their keys. */
function dumpOf(db: DatabaseSync): string {
  const rows = <Row>(query: string) => db.prepare(query).all() as Row[]
  const schema = rows<{ type: string; name: string; sql: string }>(
    "SELECT type, name, sql FROM sqlite_schema WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
  )
  const inserts = schema
    .filter(({ type }) => type === 'table')
    .flatMap(({ name }) => {
      const columns = rows<{ name: string }>(`SELECT name FROM pragma_table_info('${name}')`)
      const values = columns.map((column) => `quote("${column.name}")`).join(" || ',' || ")
      return rows<{ row: string }>(`SELECT ${values} AS row FROM "${name}"`).map(
        ({ row }) => `INSERT INTO "${name}" VALUES (${row});`,
      )
    })
  return `${[...schema.map(({ sql }) => `${sql};`), ...inserts].join('\n')}\n`
}

if (process.argv[1] === import.meta.filename) {
  const { dump, ...written } = await make(resolve(process.argv[2] ?? join(import.meta.dirname, '../../../..')))
  const file = join(import.meta.dirname, `stores/schema_${written.schema}`)
  writeFileSync(`${file}.sql`, dump)
  writeFileSync(`${file}.json`, `${JSON.stringify(written, null, 2)}\n`)
  process.stdout.write(`${file}.sql\n`)
}
