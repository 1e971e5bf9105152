/**
 * Requests in one packet on one connection (RFC 9112 section 9.3.2). Bun closes the connection when a second one arrives
 * before the first is answered, so the first must not be done either: its client cannot learn that it was.
 *
 * @module
 */
import { once } from 'node:events'
import { connect as openSocket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'
import { ROUTES, VAULT_BASE } from '../../../worker/http/route_table.ts'
import { CONTRACT } from '../../../worker/openapi/contract.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const ACCESSOR = '00000000-0000-4000-8000-000000000000'

/** Every request of a vault that needs no body, with its path filled in. */
const BODILESS = ROUTES.filter(({ id, path }) => {
  const { body } = CONTRACT[id]
  return path.startsWith(`${VAULT_BASE}/`) && (body === undefined || body.optional === true)
}).map(({ id, method, path }, i) => {
  const last =
    id === 'readTile' ? '0/000.p/1' : path.includes('{index}') ? '0' : path.includes('{name}') ? `secret-${i}` : ''
  const ids = path.includes('/approvals/') || path.includes('/break-glass/') || path.includes('{accessor}')
  const filled = path.replace('{vault}', 'default').replace(/\{[a-z]+\}/, last || (ids ? ACCESSOR : 'x'))
  const query = { endSessions: '?principal=x', proveConsistency: '?from=1&to=2' }[id as string] ?? ''
  return { id, name: `secret-${i}`, line: `${method} ${filled}${query} HTTP/1.1` }
})

describe.each(['bun', 'node', 'deno'] as const)('two requests in one packet on %s', (runtime) => {
  let site: Site
  let server: Server
  let client: Client

  beforeAll(async () => {
    site = await makeSite()
    server = await startServer(runtime, site)
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  const headOf = (line: string, agent: string) =>
    `${line}\r\nHost: ${new URL(server.endpoint).host}\r\nUser-Agent: ${agent}\r\nAuthorization: Bearer ${site.token.reveal()}\r\n`
  const read = (agent = 'second') => `${headOf('GET /v1/vaults/default/secrets/kept HTTP/1.1', agent)}\r\n`
  const put = (name: string) =>
    `${headOf(`PUT /v1/vaults/default/secrets/${name} HTTP/1.1`, name)}Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"value":"x"}`
  /** The agents of recorded requests: each request of this test has its own. */
  const agents = async () => new Set((await wholeLog(client)).entries.map(({ agent }) => agent))

  /** Sends two requests in one packet. @returns The statuses of their answers, until both came or the server closed. */
  async function together(first: string, second: string): Promise<string[]> {
    const socket = openSocket(Number(new URL(server.endpoint).port), '127.0.0.1')
    let text = ''
    const statuses = () => [...text.matchAll(/HTTP\/1\.1 ([0-9]{3})/g)].map(([, status]) => status!)
    socket.on('data', (chunk) => {
      text += chunk
      if (statuses().length === 2) socket.end()
    })
    socket.write(first + second)
    await once(socket, 'close')
    return statuses()
  }

  it('covers every operation without a body', () => {
    expect(BODILESS.length).toBeGreaterThan(50)
    expect(BODILESS.filter(({ line }) => /[{}]/.test(line))).toEqual([])
  })

  it(
    runtime === 'bun' ? 'close the connection, and leave the first undone and unrecorded' : 'are both answered',
    async () => {
      await client.put('kept', new Redacted('kept'))
      const wrong: string[] = []
      for (const { id, name, line } of BODILESS) {
        if (line.includes(name)) await client.put(name, new Redacted('x'))
        const statuses = await together(`${headOf(line, id)}\r\n`, read())
        const isRight = runtime === 'bun' ? statuses.length === 0 : statuses[1] === '200'
        if (!isRight) wrong.push(`${id}: answered ${statuses}`)
      }
      expect(wrong).toEqual([])
      const recorded = await agents()
      const done = BODILESS.filter(({ id }) => recorded.has(id)).map(({ id }) => id)
      if (runtime === 'bun') expect([done, recorded.has('second')]).toEqual([[], false])
      else expect([done.length > 20, recorded.has('second')]).toEqual([true, true])
    },
  )

  it(runtime === 'bun' ? 'write nothing' : 'are both written', async () => {
    const statuses = await together(put('first'), put('second'))
    const names = (await client.list()).items.map(({ name }) => name).filter((name) => /first|second/.test(name))
    const both = [
      ['201', '201'],
      ['first', 'second'],
    ]
    expect([statuses, names]).toEqual(runtime === 'bun' ? [[], []] : both)
  })

  it('answers a request that follows an answer on the same connection', async () => {
    const socket = openSocket(Number(new URL(server.endpoint).port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    for (const count of [1, 2, 3]) {
      socket.write(read())
      while (text.split('HTTP/1.1 200').length <= count) await sleep(5)
    }
    socket.destroy()
    expect(text.split('HTTP/1.1 200')).toHaveLength(4)
  })
})
