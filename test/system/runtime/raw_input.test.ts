/**
 * Bytes that no client library would send, over sockets of our own: what the parsers of the runtimes make of them, and
 * what is left for us.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { type RawAnswer, rawRequests, sendRaw } from '../../fuzz/raw.ts'
import { canary, leaks } from '../../support/canary.ts'
import { needs, program } from '../../support/needs.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'
import { startWorkerd } from './workerd.ts'

const secret = canary()
const stray = canary().replace(/[^\x21-\x7e]/g, '')
/** Longer than a body may take; and longer than an answer does, on a machine that has much else to do. */
const UNFINISHED_MS = 1500
const FINISHED_MS = 20_000

/** What workerd neither answers nor closes, by itself and behind `wrangler dev`; the other three close. */
const LEFT_OPEN = 'smuggling: a chunk that is longer than it says'
/**
 * What workerd takes for two requests, by itself and behind `wrangler dev`, whose proxy is another workerd. It goes by the chunks where a
 * length says something else (RFC 9112 section 6.3), takes a line feed for the end of a line, and keeps the connection,
 * which section 6.1 says to close. So nothing is hidden from workerd, but it would be from a proxy that goes by the length: see
 * SECURITY.md. Written down one by one, so that a newer workerd that does more, or less, is noticed.
 */
const TWO_TO_WORKERD = [
  'smuggling: a length and chunks',
  'smuggling: chunks and a length',
  'smuggling: chunks twice',
  'smuggling: chunks behind a tab',
  'smuggling: chunks that end in bare line feeds',
]
/** workerd as it is, too: what Workers run in, without the proxy of the development server. */
const SERVERS = [...RUNTIMES, 'workerd itself'] as const
type Served = (typeof SERVERS)[number]

const isWorkerd = (runtime: Served) => runtime.startsWith('workerd')

describe.each(SERVERS)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let client: Client

  beforeAll(async () => {
    site = await makeSite()
    const times = {
      POSTERN_BODY_TIMEOUT_MS: '500',
      POSTERN_REQUEST_TIMEOUT_MS: '1000',
      POSTERN_PROVIDERS__DEADLINE_MS: '500',
    }
    server = runtime === 'workerd itself' ? await startWorkerd(site, times) : await startServer(runtime, site, times)
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    await client.put('a', new Redacted('a'))
    await client.put('secret', new Redacted(secret))
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('rows 9, 11, 12, 45, 54: does nothing that is hidden in a request, and fails at none', async () => {
    const { host } = new URL(server.endpoint)
    const requests = rawRequests(host, site.token.reveal(), stray)
    const wrong: string[] = []
    const hidden = new Set<string>()
    const note = (name: string, what: string) => wrong.push(`${name}: ${what}`)
    const one = async ({ name, bytes, unfinished }: (typeof requests)[number]) => {
      const answer = await sendRaw(server.endpoint, bytes, unfinished ? UNFINISHED_MS : FINISHED_MS)
      for (const what of wrongWith(answer, runtime)) note(name, what)
      const hangs = !answer.closed && answer.statuses.length === 0
      if (hangs && !unfinished && !(isWorkerd(runtime) && name === LEFT_OPEN)) note(name, 'no answer, and not closed')
    }
    for (let at = 0; at < requests.length; at += 16) await Promise.all(requests.slice(at, at + 16).map(one))
    const { items } = await client.list({ prefix: 'hidden-', limit: 200 })
    for (const { name } of items) hidden.add(name)
    const done = requests.filter(({ hidden: inner }) => inner !== undefined && hidden.has(inner))
    expect(done.map(({ name }) => name)).toEqual(isWorkerd(runtime) ? TWO_TO_WORKERD : [])
    expect(wrong).toEqual([])
    expect((await client.get('a')).value.reveal()).toBe('a')
    const { root, expectedRoot, bodies } = await wholeLog(client)
    expect(root).toBe(expectedRoot)
    // The header is in the log, and neither ends a line nor moves a cursor.
    expect(bodies.filter((body) => /[\p{Cc}\p{Zl}\p{Zp}]|\\u00/u.test(body))).toEqual([])
    expect(leaks(server.output().replaceAll(/^.*\[wrangler:info\].*$/gm, ''), [secret, site.token.reveal()])).toEqual(
      [],
    )
  })

  it('keeps a connection after a body that takes more than one reading', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const body = JSON.stringify({ references: Array(200).fill('postern://default/a') })
    const headers = { Authorization: `Bearer ${site.token.reveal()}`, 'Content-Type': 'application/json' }
    const post = async () => {
      const posted = request(`${server.endpoint}/v1/vaults/default/hydrate`, { method: 'POST', headers, agent }).end(
        body,
      )
      const [answer] = (await once(posted, 'response')) as [IncomingMessage]
      expect((await json(answer)) as object).toMatchObject({ items: { length: 200 } })
      return [answer.statusCode, posted.reusedSocket]
    }
    try {
      expect([await post(), await post(), await post()]).toEqual([
        [200, false],
        [200, true],
        [200, true],
      ])
    } finally {
      agent.destroy()
    }
  })

  it('row 12: fails at none of 300 requests with bits flipped at random', needs(program('zzuf')), async () => {
    const { host } = new URL(server.endpoint)
    const body = '{"value":"x","tags":{"team":"core"}}'
    const sound = `PUT /v1/vaults/default/secrets/zzuf HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${site.token.reveal()}\r\nContent-Type: application/json\r\nIf-None-Match: *\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    const wrong: string[] = []
    const statuses = new Set<number>()
    const one = async (seed: number) => {
      const { stdout } = spawnSync('zzuf', ['-s', String(seed), '-r', String(0.001 + (seed % 10) * 0.001)], {
        input: sound,
      })
      const answer = await sendRaw(server.endpoint, stdout, UNFINISHED_MS)
      for (const what of wrongWith(answer, runtime)) wrong.push(`seed ${seed}: ${what}`)
      for (const status of answer.statuses) statuses.add(status)
    }
    for (let seed = 0; seed < 300; seed += 50) await Promise.all(Array.from({ length: 50 }, (_, i) => one(seed + i)))
    expect(wrong).toEqual([])
    expect(statuses.has(400)).toBe(true)
    expect((await client.get('a')).value.reveal()).toBe('a')
  })
})

/** The flaw of an answer to any input, or `null`. */
function wrongWith({ statuses, text }: RawAnswer, runtime: Served): string[] {
  // The two statuses of a parser for unsupported requests are not failures of Postern. Those of workerd's parser, which answers 500 to
  // what it cannot read, are not either: they have no id.
  const failures = statuses.filter((status) => status >= 500 && ![501, 503, 505].includes(status))
  if (isWorkerd(runtime) && !/^Request-Id: /im.test(text)) failures.length = 0
  const ours =
    text.includes('application/problem+json') &&
    !/"code":"(?:bad_request|unauthenticated|denied|not_found|conflict|throttled|unavailable)"/.test(text)
  return [
    ...failures.map((status) => `answer is ${status}`),
    ...(ours ? ['a problem without a known code'] : []),
    ...(leaks(text, [secret, stray]).length > 0 ? ['what it must not say'] : []),
    ...(/^X-Evil/im.test(text) ? ['a header of the client'] : []),
  ]
}
