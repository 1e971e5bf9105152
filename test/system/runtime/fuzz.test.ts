/**
 * Whole servers under sequences of mostly valid requests, each built from earlier answers. No answer is an internal failure
 * or leaks a value, the log has the entry that each answer names, and the server is unchanged afterwards: no connection,
 * file or error is left over.
 *
 * `npx node scripts/faults.ts` sends 32,000 requests; `FUZZ_RUNS` (the number for each server) and `FUZZ_SEED` override it.
 *
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { base64, utf8 } from '../../../core/bytes.ts'
import { type Client, connect } from '../../../core/client/client.ts'
import { ERROR_CODES } from '../../../core/errors.ts'
import { Redacted } from '../../../core/redacted.ts'
import { leafHash } from '../../../core/tlog/merkle.ts'
import * as wire from '../../../core/wire/index.ts'
import { openSqlite } from '../../../worker/local/sqlite.ts'
import { Learned } from '../../fuzz/learned.ts'
import { type FuzzedRequest, requests } from '../../fuzz/requests.ts'
import { canary, leaks } from '../../support/canary.ts'
import { startFaultServer } from '../../support/fault_server.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { inFull } from './full.ts'
import { bootstrap, makeSite, RUNTIMES, startServer } from './servers.ts'

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31)
const RUNS = { bun: inFull(20_000, 1000), deno: inFull(4000, 500), node: inFull(4000, 500), workerd: inFull(4000, 300) }
/** How many requests go to one vault, one after another by so many clients at once. */
const LENGTH = 250
const CLIENTS = 5
/** The share of spoiled bodies, in tenths. */
const SPOILED = 1
/** How long one answer may take: longer is a hang. */
const ANSWER_MS = 30_000

interface Seen {
  sent: number
  statuses: Record<number, number>
  operations: Set<string>
  wrong: string[]
}

describe.each(RUNTIMES)('on %s', (runtime) => {
  it('rows 10, 12, 44: fails at no sequence of requests, leaks nothing, and keeps its logs whole', {
    timeout: 590_000,
  }, async ({ task }) => {
    const runs = Number(process.env.FUZZ_RUNS ?? RUNS[runtime])
    const vaults = Array.from({ length: Math.ceil(runs / LENGTH) }, (_, i) => `fuzz-${i}`)
    const site = await makeSite()
    const store = await startFaultServer('http', 'of a store')
    const server = await startServer(runtime, site, {
      ...store.environment,
      POSTERN_PROVIDERS__VAULTS: vaults.join(','),
      POSTERN_PROVIDERS__NAME_PREFIX: '{vault}',
      POSTERN_SECURITY__REFUSAL_RATE: 'none',
      POSTERN_SECURITY__PRINCIPAL_RATE: 'none',
      POSTERN_SECURITY__SOURCE_RATE: 'none',
    })
    const { rootKey } = site
    const tokens = await Promise.all(vaults.map((vault) => bootstrap(server.endpoint, { vault, rootKey })))
    const [secret, stray] = [canary(), canary()]
    const seen: Seen = { sent: 0, statuses: {}, operations: new Set(), wrong: [] }
    const before = filesOf(server.pid)
    let [acknowledged, lost] = [0, 0]
    try {
      process.stdout.write(`\nsequences on ${runtime}: FUZZ_SEED=${SEED}\n`)
      const all = fc.sample(requests(stray, SPOILED), { numRuns: runs, seed: SEED })
      for (const [i, vault] of vaults.entries()) {
        const token = tokens[i]!
        const admin = connect({ endpoint: server.endpoint, vault, token })
        const reader = await prepare(admin, secret)
        const named = await attack(
          { endpoint: server.endpoint, vault, token, reader, secret, stray },
          all.slice(i * LENGTH, (i + 1) * LENGTH),
          seen,
        )
        acknowledged += named.size
        // The administrator may be locked out by then. The file is checked below.
        const log = await wholeLog(admin).catch(() => null)
        if (log === null) continue
        expect(log.root).toBe(log.expectedRoot)
        lost += [...named].filter(([index, id]) => log.entries[index]?.request !== id).length
        expect(leaks(log.bodies.join('\n'), [secret])).toEqual([])
      }
      expect(seen.wrong).toEqual([])
      expect(lost).toBe(0)
      expect((await fetch(`${server.endpoint}/healthz`)).status).toBe(200)
      expect(server.output()).not.toMatch(/request_failed|unhandled|uncaught|panic/i)
      expect(leaks(server.output(), [secret, ...tokens.map((token) => token.reveal())])).toEqual([])
      // A vault has a file, its journal and its index open; far more than that is a leak.
      if (before !== null) expect(filesOf(server.pid)! - before).toBeLessThan(4 * vaults.length + 3 * CLIENTS + 50)
    } finally {
      await server.stop()
      await store.stop()
    }
    for (const vault of vaults) checkFile(join(site.data, `${vault}.sqlite`), secret)
    process.stdout.write(
      `${seen.sent} requests of ${seen.operations.size} operations: ${JSON.stringify(seen.statuses)}\n`,
    )
    // It would hold of requests that all end at the door, too.
    expect(seen.statuses[200]! * 20).toBeGreaterThan(seen.sent)
    expect(seen.operations.size).toBeGreaterThan(50)
    task.meta.fault = {
      fault: `requests at random, in sequences made of what was answered before`,
      runtime,
      acknowledged,
      lost,
      recovered: `not needed: ${seen.sent} requests to ${vaults.length} vaults, ${shareOf(seen, 200, 299)} % done, ${shareOf(seen, 400, 499)} % refused, ${shareOf(seen, 503, 503)} % unavailable, none failed`,
    }
    site.remove()
  })
})

/** Fills a vault for the requests. @returns The token of a principal with few rights. */
async function prepare(admin: Client, secret: string): Promise<Redacted<string>> {
  await admin.put('prod/db', new Redacted('{"a":{"b":"c"}}'))
  await admin.put('open/a', new Redacted('open'))
  await admin.put('prod/canary', new Redacted(secret))
  await admin.putPrincipal('reader', { kind: 'user' })
  await admin.putRule('rule', { effect: 'permit', principal: 'reader', actions: ['read', 'write'], resource: 'open/*' })
  await admin.putHook('hook', { url: 'https://hooks.example/x' })
  await admin.putChain('chain', { resource: 'far/**', members: [{ provider: 'http' }], cacheSeconds: 60 })
  return (await admin.createToken({ principal: 'reader' })).token
}

interface Target {
  endpoint: string
  vault: string
  token: Redacted<string>
  reader: Redacted<string>
  secret: string
  stray: string
}

/** Sends a sequence. @returns The entries that answers named, with the request of each. */
async function attack(target: Target, sequence: readonly FuzzedRequest[], seen: Seen): Promise<Map<number, string>> {
  const named = new Map<number, string>()
  const learned = new Learned()
  const waiting = sequence.entries()
  const client = async () => {
    for (const [i, request] of waiting) {
      // Four in seven by the administrator, two by a principal with few rights, one with the latest token of an answer.
      const as = i % 7 < 4 ? target.token.reveal() : i % 7 < 6 ? target.reader.reveal() : learned.take('token')
      const answer = await send(target, request, learned, as).catch((error: Error) => error)
      if (answer === null) continue
      seen.sent++
      seen.operations.add(request.operation)
      const problem = answer instanceof Error ? String(answer.cause ?? answer) : wrongWith(answer, target, i % 7 < 4)
      if (problem !== null && seen.wrong.length < 20) seen.wrong.push(`${problem}: ${JSON.stringify(request)}`)
      if (answer instanceof Error) continue
      seen.statuses[answer.status] = (seen.statuses[answer.status] ?? 0) + 1
      const index = answer.headers.get('Audit-Index')
      if (index !== null) named.set(Number(index), answer.headers.get('Request-Id')!)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return named
}

interface Answered {
  status: number
  headers: Headers
  text: string
}

/** Sends what can be sent at all; `null` for what no client could. */
async function send(
  { endpoint, vault }: Target,
  { method, path, headers, body }: FuzzedRequest,
  learned: Learned,
  token: string,
): Promise<Answered | null> {
  const url = endpoint + learned.fill(path).replace('/vaults/default/', `/vaults/${vault}/`)
  let request: Request
  try {
    const sent = new Headers({ Authorization: `Bearer ${token}` })
    for (const [name, value] of headers)
      if (!/^(?:expect|host)$/i.test(name) && /^[\t\x20-\x7e]*$/.test(value)) sent.append(name, value)
    request = new Request(url, {
      method,
      headers: sent,
      ...(body !== null && method !== 'GET' && { body: learned.fill(body) }),
    })
  } catch {
    return null
  }
  const response = await fetch(request, { signal: AbortSignal.timeout(ANSWER_MS) })
  const text = await response.text()
  if (response.ok && response.headers.get('Content-Type')?.startsWith('application/json'))
    learned.note(JSON.parse(text))
  return { status: response.status, headers: response.headers, text }
}

/** The flaw of an answer to any request, or `null`. */
function wrongWith({ status, headers, text }: Answered, { secret, stray }: Target, mayRead: boolean): string | null {
  if (headers.get('Request-Id') === null) return `Answer ${status} is not from Postern`
  if (status >= 500 && status !== 503) return `Answer is ${status}`
  const shown = `${JSON.stringify([...headers])}${text}`
  if (!mayRead && leaks(shown, [secret]).length > 0) return 'Answer has what it must not'
  if (status < 400) return null
  if (leaks(shown, [secret, stray]).length > 0) return 'Refusal says what was sent, or is secret'
  const parsed = wire.Problem.safeParse(JSON.parse(text))
  if (!parsed.success) return `Problem has another shape`
  const { code, status: said } = parsed.data
  return said === status && (ERROR_CODES as readonly string[]).includes(code) ? null : 'Problem says something else'
}

/** Checks in its file that a log is consistent and holds no value, even if no principal may read it any more. */
function checkFile(file: string, secret: string): void {
  if (!existsSync(file)) return
  const sql = openSqlite(file)
  const bodies = sql
    .all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
    .map(({ body }) => Buffer.from(body).toString())
  sql.close()
  bodies.forEach((body, i) => {
    const previous = i === 0 ? null : base64(leafHash(utf8(bodies[i - 1]!)))
    expect(JSON.parse(body)).toMatchObject({ index: i, previous })
  })
  expect(bodies.length).toBeGreaterThan(0)
  expect(leaks(bodies.join('\n'), [secret])).toEqual([])
}

/** The number of open files and connections of a process; `null` if the system does not report it. */
function filesOf(pid: number): number | null {
  return existsSync(`/proc/${pid}/fd`) ? readdirSync(`/proc/${pid}/fd`).length : null
}

function shareOf({ statuses, sent }: Seen, from: number, to: number): number {
  const found = Object.entries(statuses).filter(([status]) => Number(status) >= from && Number(status) <= to)
  return Math.round((found.reduce((sum, [, count]) => sum + count, 0) * 1000) / sent) / 10
}
