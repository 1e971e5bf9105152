/**
 * Row 42: a full disk. A value is not released without its entry, and service continues once there is room.
 *
 * It needs to mount a small file system in memory, and so Linux and root.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { needs, program } from '../../support/needs.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { mounting, removeDisk, smallDisk } from './disk.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const CANARY = 'canary-of-a-full-disk'

describe.each(['bun', 'deno', 'node'] as const)('on %s', needs(mounting()), (runtime) => {
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
    const filler = join(disk, 'filler')
    // The kernel says when there is no more room.
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
    const written = entries.filter(({ operation, outcome }) => operation === 'secret.write' && outcome === 'ok')
    task.meta.fault = {
      fault: 'a disk that is full, under reads and writes',
      runtime,
      acknowledged: 2,
      lost: 2 - written.length,
      recovered: 'with the next request, once there was room; 503 before that',
    }
  })
})

const COMMANDS = { bun: ['bun'], deno: ['deno', 'run', '--quiet', '-A'], node: ['node'] }

describe.each(['bun', 'deno', 'node'] as const)('a file on %s', needs(program('bash')), (runtime) => {
  it('row 64: keeps the previous file when the system writes only a part of the new one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-part-'))
    const anchors = JSON.stringify(resolve(import.meta.dirname, '../../../worker/local/anchor_folder.ts'))
    const script = join(folder, 'write.ts')
    writeFileSync(
      script,
      `import { folderAnchor } from ${anchors}
       for (const size of [1000, 1500]) await folderAnchor(${JSON.stringify(folder)}).write('acme', 'x'.repeat(size))`,
    )
    // At a limit of 1 KiB the system takes 1024 of 1500 bytes, as a disk does that becomes full; only the next write fails.
    const limited = ['-c', 'trap "" XFSZ; ulimit -f 1; exec "$@"', 'bash', ...COMMANDS[runtime], script]
    const { status } = spawnSync('bash', limited)
    const kept = readFileSync(join(folder, 'acme.checkpoint'), 'utf8')
    rmSync(folder, { recursive: true })
    expect([status === 0, kept.length]).toEqual([false, 1000])
  })
})
