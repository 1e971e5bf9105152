/**
 * A rotation target for PostgreSQL: two users that take turns, so that one of them always works.
 *
 * `ADMIN_URL=postgres://… WEBHOOK_SECRET=whsec_… node docs/examples/postgres_rotation.ts`, behind TLS.
 *
 * The secret's value is `{"username": "app_a", "password": "…"}`. Once, by an administrator:
 *
 * ```sql
 * CREATE ROLE app NOLOGIN;                       -- owns, and is granted, everything
 * CREATE ROLE app_a LOGIN PASSWORD '…' IN ROLE app;
 * CREATE ROLE app_b NOLOGIN IN ROLE app;
 * ALTER ROLE app_a SET role = 'app';             -- what either makes belongs to both
 * ALTER ROLE app_b SET role = 'app';
 * CREATE TABLE postern_fence (secret text PRIMARY KEY, fence bigint NOT NULL);
 * ```
 *
 * @module
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import process from 'node:process'
import postgres from 'postgres'

// Two values of 64 KiB, of which JSON may write each byte as six.
const MAX_BODY_BYTES = 1024 * 1024
const MAX_AGE_SECONDS = 300
const ITERATIONS = 4096

/** What the example is started with. */
export interface Options {
  /** Where an administrator of the two users connects to. */
  adminUrl: string
  webhookSecret: string
  /** The two users. No message can name another. */
  users: readonly [string, string]
}

interface Credential {
  username: string
  password: string
}

interface Message {
  type: string
  data: { secret: string; fence: number; pending?: Value; current?: Value; previous?: Value }
}
interface Value {
  value: string
}

/** An answer in place of an error: 4xx is final, anything else is tried again. */
class Refusal extends Error {
  readonly status: number

  constructor(status: number) {
    super(`Refused with ${status}`)
    this.status = status
  }
}

/** Makes the server. It listens to nothing yet. */
export function rotationServer({ adminUrl, webhookSecret, users }: Options): {
  server: Server
  close(): Promise<void>
} {
  const admin = postgres(adminUrl, { max: 2, onnotice: () => {} })

  /** Reads a value of the secret; it must be of one of the two users. */
  function credentialOf(value: Value | undefined): Credential {
    const { username, password } = JSON.parse(value?.value ?? 'null') ?? {}
    if (!users.includes(username) || typeof password !== 'string') throw new Refusal(422)
    return { username, password }
  }

  /** Changes roles, unless a later step of this secret was here before: the fence only grows. */
  async function fenced(
    { secret, fence }: Message['data'],
    statements: (sql: postgres.TransactionSql) => Promise<void>,
  ) {
    await admin.begin(async (sql) => {
      const taken = await sql`
        INSERT INTO postern_fence VALUES (${secret}, ${fence}) ON CONFLICT (secret)
        DO UPDATE SET fence = excluded.fence WHERE postern_fence.fence <= excluded.fence RETURNING fence`
      if (taken.length === 0) throw new Refusal(409)
      await statements(sql)
    })
  }

  async function allow(sql: postgres.TransactionSql, { username, password }: Credential): Promise<void> {
    await alter(sql, 'ALTER ROLE %I LOGIN PASSWORD %L', username, scramVerifier(password))
  }

  async function forbid(sql: postgres.TransactionSql, { username }: Credential): Promise<void> {
    await alter(sql, 'ALTER ROLE %I NOLOGIN PASSWORD NULL', username)
  }

  const steps: Record<string, (data: Message['data']) => Promise<unknown>> = {
    /** The value is made here: only we know whose turn it is. */
    'rotation.create': async ({ current }) => {
      const { username } = credentialOf(current)
      const next = { username: users[username === users[0] ? 1 : 0], password: randomBytes(24).toString('base64url') }
      return { value: JSON.stringify(next), contentType: 'application/json' }
    },
    'rotation.set': async (data) => {
      const [pending, current] = [credentialOf(data.pending), credentialOf(data.current)]
      // A new password for the user that is in use would end what works.
      if (pending.username === current.username) throw new Refusal(422)
      await fenced(data, (sql) => allow(sql, pending))
    },
    'rotation.test': async ({ pending }) => {
      const { username, password } = credentialOf(pending)
      const url = new URL(adminUrl)
      const { hostname: host, port, pathname } = url
      const options = { host, port: Number(port || 5432), database: pathname.slice(1), username, password }
      const sql = postgres({ ...options, max: 1, connect_timeout: 5, onnotice: () => {} })
      try {
        const [row] = await sql`SELECT session_user AS username`
        if (row?.username !== username) throw new Refusal(422)
      } finally {
        await sql.end({ timeout: 1 })
      }
    },
    /** The grace is over: no new connection as the user before. Open connections may continue. */
    'rotation.finish': async (data) => {
      if (data.previous === undefined) return
      const [previous, current] = [credentialOf(data.previous), credentialOf(data.current)]
      if (previous.username !== current.username) await fenced(data, (sql) => forbid(sql, previous))
    },
    'rotation.undo': async (data) => {
      const current = credentialOf(data.current)
      const pending = data.pending && credentialOf(data.pending)
      await fenced(data, async (sql) => {
        if (pending && pending.username !== current.username) await forbid(sql, pending)
        await allow(sql, current)
      })
    },
  }

  const server = createServer(async (request, response) => {
    try {
      const { type, data } = await verified(request, webhookSecret)
      const answer = await steps[type]?.(data)
      if (answer === undefined) response.writeHead(204).end()
      else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer))
    } catch (error) {
      // Nothing of it is passed on: an error of the database may quote a statement.
      response.writeHead(error instanceof Refusal ? error.status : 503).end()
    }
  })
  return {
    server,
    async close() {
      server.close()
      await admin.end({ timeout: 1 })
    },
  }
}

/** DDL takes no parameters: the server itself quotes them, as an identifier and as a literal. */
async function alter(sql: postgres.TransactionSql, statement: string, ...values: string[]): Promise<void> {
  const [row] = await sql`SELECT format(${statement}::text, VARIADIC ${values}::text[]) AS ddl`
  await sql.unsafe(row?.ddl)
}

/** What PostgreSQL keeps of a password (RFC 5803): sent in its place, so that no log of statements has the password. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256')
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64')
  const serverKey = keyed('Server Key').toString('base64')
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

/** Reads a message and verifies its signature and age, as Standard Webhooks says. */
async function verified(request: IncomingMessage, secret: string): Promise<Message> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Refusal(413)
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks).toString()
  const [id, time, signatures = ''] = ['id', 'timestamp', 'signature'].map((name) => request.headers[`webhook-${name}`])
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${time}.${body}`).digest()
  const genuine = String(signatures)
    .split(' ')
    .map((one) => Buffer.from(one.replace(/^v1,/, ''), 'base64'))
    .some((given) => given.length === expected.length && timingSafeEqual(given, expected))
  if (!genuine || !(Math.abs(Date.now() / 1000 - Number(time)) <= MAX_AGE_SECONDS)) throw new Refusal(401)
  return JSON.parse(body)
}

if (import.meta.main) {
  const { ADMIN_URL = '', WEBHOOK_SECRET = '', USERS = 'app_a,app_b', PORT = '8080' } = process.env
  const [first = '', second = ''] = USERS.split(',')
  const { server } = rotationServer({ adminUrl: ADMIN_URL, webhookSecret: WEBHOOK_SECRET, users: [first, second] })
  server.listen(Number(PORT), '127.0.0.1')
}
