/**
 * Clients that send or read a byte now and then, or fall silent: they hold only their own connection, and delay no other
 * answer.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as openSocket, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'
import { needs, program } from '../../support/needs.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { inFull } from './full.ts'
import { makeSite, RUNTIMES, type Server, type Site } from './servers.ts'
import { startAlone } from './workerd.ts'

const SLOW = 200
/** What slowhttptest does: slow headers, slow bodies, slow reading. */
const MODES = [
  ['heads that do not end', ['-H']],
  ['bodies that do not end', ['-B', '-s', '8192', '-f', 'application/json']],
  ['answers that are not read', ['-X', '-w', '1', '-y', '8', '-z', '4', '-k', '3']],
] as const
/** The longest time in which a runtime gives up on a connection that says nothing; Deno has no such limit. */
const IDLE_MS = { bun: 40_000, deno: null, node: 20_000, workerd: null }

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let client: Client
  const written: string[] = []

  beforeAll(async () => {
    site = await makeSite()
    server = await startAlone(runtime, site)
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  /** An ordinary client, until it is told to stop. Each of its requests must be answered. */
  async function serveMeanwhile(over: Promise<unknown>): Promise<void> {
    let going = true
    over.finally(() => (going = false)).catch(() => {})
    while (going) {
      const name = `meanwhile/${written.length}`
      await client.put(name, new Redacted(name))
      expect((await client.get(name)).value.reveal()).toBe(name)
      written.push(name)
    }
    await over
  }

  async function lost(): Promise<number> {
    const { entries, root, expectedRoot } = await wholeLog(client)
    expect(root).toBe(expectedRoot)
    const logged = new Set(
      entries.filter(({ operation }) => operation === 'secret.write').map((entry) => entry.resource),
    )
    return written.filter((name) => !logged.has(name)).length
  }

  it('serves others while clients are slow', needs(program('slowhttptest')), async ({ task }) => {
    const before = written.length
    const url = `${server.endpoint}/v1/vaults/default/secrets?limit=200`
    for (const [, mode] of MODES) {
      const seconds = inFull('20', '4')
      const common = ['-c', String(SLOW), '-r', String(SLOW), '-i', '2', '-l', seconds, '-p', '3', '-u', url]
      const attack = spawn('slowhttptest', [...mode, ...common], { stdio: 'ignore' })
      await serveMeanwhile(once(attack, 'exit'))
    }
    expect(written.length - before).toBeGreaterThan(3 * MODES.length)
    const fault = `${SLOW} clients with ${MODES.map(([name]) => name).join(', ')} (slowhttptest)`
    const recovered = 'not needed: others are served meanwhile'
    task.meta.fault = { fault, runtime, acknowledged: written.length - before, lost: await lost(), recovered }
    expect(task.meta.fault.lost).toBe(0)
  })

  it('serves others while clients say half a request, or nothing, and then stay', async ({ task }) => {
    const before = written.length
    const { hostname, port } = new URL(server.endpoint)
    const sockets: Socket[] = []
    let closed = 0
    for (let i = 0; i < SLOW; i++) {
      const socket = openSocket(Number(port), hostname)
      socket.on('error', () => {})
      socket.on('close', () => closed++)
      socket.resume()
      if (i % 2 === 0) socket.write(`GET /v1/vaults/default/secrets HTTP/1.1\r\nHost: ${hostname}\r\nX-Half: `)
      sockets.push(socket)
    }
    const limit = IDLE_MS[runtime]
    const waited = inFull(limit ?? 5000, 2000)
    await serveMeanwhile(sleep(waited))
    const open = SLOW - closed
    // A silent client costs only a socket.
    if (limit !== null && waited === limit)
      expect(sockets.filter((_, i) => i % 2 === 0).every((one) => one.closed)).toBe(true)
    for (const socket of sockets) socket.destroy()
    expect(written.length).toBeGreaterThan(before)
    const recovered = `not needed: others are served meanwhile; after ${waited / 1000} s ${open} were still open`
    const fault = `${SLOW} connections that are half open`
    task.meta.fault = { fault, runtime, acknowledged: written.length - before, lost: await lost(), recovered }
    expect(task.meta.fault.lost).toBe(0)
  })
})
