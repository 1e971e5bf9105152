/**
 * Row 42: a disk that is full. What cannot be recorded is not released, and service goes on once there is room.
 *
 * It needs to mount a small file system in memory, and so Linux and root.
 *
 * @module
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../core/client.ts'
import { Redacted } from '../../core/redacted.ts'
import { wholeLog } from '../whole_log.ts'
import { canMount, removeDisk, smallDisk } from './disk.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const CANARY = 'canary-of-a-full-disk'

describe.skipIf(!canMount()).each(['bun', 'deno', 'node'] as const)('on %s (needs to mount a tmpfs)', (runtime) => {
  let disk: string
  let site: Site
  let server: Server
  let client: Client

  beforeAll(async () => {
    disk = smallDisk()!
    site = { ...(await makeSite()), data: disk }
    server = await startServer(runtime, site)
    client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    await client.put('a', new Redacted(CANARY))
  })

  afterAll(async () => {
    await server?.stop()
    if (disk !== undefined) removeDisk(disk)
  })

  it('row 42: answers 503 without a value while nothing can be recorded, and everything after that', async ({
    task,
  }) => {
    const headers = { Authorization: `Bearer ${site.token.reveal()}` }
    const ask = async (path: string) => {
      const response = await fetch(server.endpoint + path, { headers })
      return { status: response.status, text: await response.text() }
    }
    const read = () => ask('/v1/vaults/default/secrets/a')
    // Writes fill it as far as they can.
    const acknowledged: string[] = ['a']
    const filling = new Redacted(CANARY.padEnd(4096, '.'))
    for (let i = 0; i < 5000; i++) {
      const failure = await client.put(`filling/${i}`, filling).then(
        () => null,
        ({ code }) => code,
      )
      if (failure === null) acknowledged.push(`filling/${i}`)
      else {
        expect(failure).toBe('unavailable')
        break
      }
    }
    expect(acknowledged.length).toBeLessThan(5000)
    const filler = join(disk, 'filler')
    // The kernel says when there is no more room, also for less than a write takes.
    expect(() => writeFileSync(filler, Buffer.alloc(8 * 1024 * 1024))).toThrow('ENOSPC')
    // The journal may have some room of its own left.
    let refused = await read()
    for (let i = 0; i < 2000 && refused.status === 200; i++) refused = await read()
    expect(refused.status).toBe(503)
    for (let i = 0; i < 20; i++) {
      const { status, text } = await read()
      expect([status, text.includes(CANARY)]).toEqual([503, false])
    }
    await expect(client.put('b', new Redacted('x'))).rejects.toMatchObject({ code: 'unavailable' })
    expect((await ask('/readyz')).status).toBe(503)
    rmSync(filler)
    expect((await client.get('a')).value.reveal()).toBe(CANARY)
    await client.put('b', new Redacted('x'))
    const { entries, root, expectedRoot } = await wholeLog(client)
    expect(root).toBe(expectedRoot)
    expect(entries.map(({ index }) => index)).toEqual(entries.map((_, i) => i))
    acknowledged.push('b')
    const written = new Set(
      entries
        .filter(({ operation, outcome }) => operation === 'secret.write' && outcome === 'ok')
        .map(({ resource }) => resource),
    )
    const there = new Set<string>()
    for (let at = 0; at < acknowledged.length; at += 200) {
      const items = await client.hydrate(acknowledged.slice(at, at + 200).map((name) => `postern://default/${name}`))
      for (const item of items)
        if ('secret' in item && item.secret) there.add(item.reference.slice('postern://default/'.length))
    }
    const lost = acknowledged.filter((name) => !written.has(name) || !there.has(name)).length
    expect(lost).toBe(0)
    // A write that was refused is not there: nor is it in the log as one that was done.
    expect(written.size).toBe(acknowledged.length)
    task.meta.fault = {
      fault: 'a disk that writes fill, and that is full under reads and writes',
      runtime,
      acknowledged: acknowledged.length,
      lost,
      recovered: 'with the next request, once there was room; 503 before that',
    }
  })
})
