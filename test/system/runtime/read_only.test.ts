/** A disk that takes no writes: at the start, and from some moment on. Nothing is released; existing data stays. */
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import type { FaultRow } from '../../../scripts/fault_table.ts'
import { needs, program } from '../../support/needs.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { mounting, remount, removeDisk, smallDisk } from './disk.ts'
import { makeSite, type Runtime, type Server, type Site, startServer } from './servers.ts'

const CANARY = 'canary-of-a-read-only-disk'
const WRITES = 20

const names = Array.from({ length: WRITES }, (_, i) => `kept/${i}`)
const clientOf = (server: Server, site: Site) =>
  connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })

/** What of the writes is there, and in the log. */
async function rowOf(fault: string, runtime: Runtime, client: Client, recovered: string): Promise<FaultRow> {
  const found = await client.hydrate(names.map((name) => `postern://default/${name}`))
  const { entries, root, expectedRoot } = await wholeLog(client)
  expect(root).toBe(expectedRoot)
  const logged = new Set(
    entries
      .filter(({ operation, outcome }) => operation === 'secret.write' && outcome === 'ok')
      .map(({ resource }) => resource),
  )
  const kept = found.filter((item, i) => {
    return 'secret' in item && item.secret.value.reveal() === CANARY && logged.has(names[i]!)
  })
  return { fault, runtime, acknowledged: WRITES, lost: WRITES - kept.length, recovered }
}

describe.each(['bun', 'deno', 'node'] as const)('on %s', needs(mounting()), (runtime) => {
  let disk: string

  beforeAll(() => {
    disk = smallDisk()!
  })

  afterAll(() => removeDisk(disk))

  it('does not start over a disk that was mounted read-only, and has everything when it can be written again', async ({
    task,
  }) => {
    const site = { ...(await makeSite()), data: disk }
    const first = await startServer(runtime, site)
    for (const name of names) await clientOf(first, site).put(name, new Redacted(CANARY))
    await first.stop()
    expect(remount(disk, 'ro')).toBe(true)
    const refused = await startServer(runtime, site).catch((error: Error) => error.message)
    // One line, and no stack.
    expect(refused).toMatch(/^Server did not start:\n[^\n]+\n$/)
    expect(remount(disk, 'rw')).toBe(true)
    const second = await startServer(runtime, site)
    const recovered = 'with the next start, once it could be written; none before that'
    task.meta.fault = await rowOf('a disk that is read-only at the start', runtime, clientOf(second, site), recovered)
    expect(task.meta.fault.lost).toBe(0)
    await second.stop()
  })
})

// A disk cannot be remounted under a file that is open. A limit of 0 on the size of files fails every write as well. Deno
// is ended by the signal that comes with it, which a disk does not send.
describe.each(['bun', 'node'] as const)('a file limit on %s', needs(program('prlimit', 'util-linux')), (runtime) => {
  let site: Site
  let server: Server

  const limitFiles = (size: string) =>
    expect(spawnSync('prlimit', ['--pid', String(server.pid), `--fsize=${size}:unlimited`]).status).toBe(0)

  beforeAll(async () => {
    site = await makeSite()
    server = await startServer(runtime, site)
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('row 42: releases and acknowledges nothing while no write goes through, and everything after that', async ({
    task,
  }) => {
    const client = clientOf(server, site)
    for (const name of names) await client.put(name, new Redacted(CANARY))
    limitFiles('0')
    const headers = { Authorization: `Bearer ${site.token.reveal()}` }
    for (let i = 0; i < 20; i++) {
      const response = await fetch(`${server.endpoint}/v1/vaults/default/secrets/kept/1`, { headers })
      expect([response.status, (await response.text()).includes(CANARY)]).toEqual([503, false])
      await expect(client.put(`never/${i}`, new Redacted('x'))).rejects.toMatchObject({ code: 'unavailable' })
    }
    limitFiles('unlimited')
    const recovered = 'with the next request, once writes went through; 503 before that'
    task.meta.fault = await rowOf('a disk that takes no more writes', runtime, client, recovered)
    expect(task.meta.fault.lost).toBe(0)
    expect((await client.list({ prefix: 'never/' })).items).toEqual([])
  })
})
