/** A data folder that vanishes under a running server, and backups of two servers in one folder: on each runtime. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

let root: string
let site: Site
let server: Server | undefined

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'postern-vanished-'))
  site = { ...(await makeSite()), data: join(root, 'data') }
  mkdirSync(site.data)
})
afterEach(async () => {
  await server?.kill()
  server = undefined
  rmSync(root, { recursive: true, force: true })
})

describe.each(['bun', 'deno', 'node'] as const)('on %s', (runtime) => {
  it('row 64: acknowledges nothing in a folder that was moved away, reports it once, and continues when it is back', async () => {
    server = await startServer(runtime, site)
    const { endpoint, output } = server
    const client = connect({ endpoint, vault: site.vault, token: site.token })
    const ready = async () => (await fetch(`${endpoint}/readyz`)).status
    await client.put('a', new Redacted('canary-before'))
    expect(await ready()).toBe(200)
    renameSync(site.data, join(root, 'moved'))
    // A read records an entry, which is a commit too.
    for (const ask of [() => client.put('b', new Redacted('x')), () => client.get('a'), () => client.list()]) {
      await expect(ask()).rejects.toMatchObject({ code: 'unavailable', detail: { reason: 'storage' } })
    }
    // The answer before is good for a second.
    await expect.poll(ready, { timeout: 30_000 }).toBe(503)
    expect(existsSync(site.data)).toBe(false)
    expect(output().split('vault_file_gone')).toHaveLength(2)
    renameSync(join(root, 'moved'), site.data)
    expect((await client.get('a')).value.reveal()).toBe('canary-before')
    await expect.poll(ready, { timeout: 30_000 }).toBe(200)
  })
})
