/**
 * Writes the store of a small vault as this checkout, or an older one, makes it: `node test/runtime/upgrade/make.ts [CHECKOUT]`.
 *
 * To be run once for each schema, before the next migration is added: the tests open what it wrote with today's code. The
 * root key and the values are canaries of the tests.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'

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
  /** Beginning of a store, in SQL. */
  dump: string
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
  // A token before 0.2, which the server is told of; else a ticket.
  const isTicket = existsSync(join(checkout, 'worker/mint.ts'))
  const command = isTicket ? ['worker/mint.ts', 'default'] : ['worker/keygen.ts', 'token', 'default']
  const made = execFileSync(process.execPath, command, run).trim()
  const server = spawn(process.execPath, ['worker/node.ts'], {
    cwd: checkout,
    env: { ...env, POSTERN_DATA: data, POSTERN_PORT: '0', ...(!isTicket && { POSTERN_BOOTSTRAP_TOKEN: made }) },
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
  server.kill('SIGTERM')
  await once(server, 'exit')
  const db = new DatabaseSync(join(data, 'default.sqlite'))
  const { schema } = db.prepare('SELECT MAX(number) AS schema FROM migration').get() as { schema: number }
  const dump = dumpOf(db)
  db.close()
  rmSync(data, { recursive: true })
  return { schema, token, ...written, dump }
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
  // What came later, where it is there already.
  const hasTerms = (await ask('POST', 'keys')).ok
  if (hasTerms) await must('PUT', 'secrets/prod/later', { value: 'canary-upgrade-five' })
  await ask('POST', 'sessions', {})
  // One that is served for a while may be of less.
  await new Promise((done) => setTimeout(done, 2000))
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
  const { dump, ...written } = await make(resolve(process.argv[2] ?? join(import.meta.dirname, '../../..')))
  const file = join(import.meta.dirname, `stores/schema_${written.schema}`)
  writeFileSync(`${file}.sql`, dump)
  writeFileSync(`${file}.json`, `${JSON.stringify(written, null, 2)}\n`)
  process.stdout.write(`${file}.sql\n`)
}
