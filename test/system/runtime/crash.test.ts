/** kill -9 during writes: acknowledged writes survive, and the log is whole. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { inFull } from './full.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const WRITERS = 16

describe.each([
  { runtime: 'bun', rounds: inFull(50, 20) },
  { runtime: 'deno', rounds: inFull(50, 5) },
  { runtime: 'node', rounds: inFull(50, 5) },
  { runtime: 'workerd', rounds: inFull(10, 2) },
] as const)('on $runtime', ({ runtime, rounds }) => {
  let site: Site

  beforeAll(async () => {
    site = await makeSite()
  })

  afterAll(() => site?.remove())

  it(`row 42: loses nothing acknowledged in ${rounds} kills under load`, { timeout: 600_000 }, async ({ task }) => {
    const acknowledged = new Map<string, { value: string; version: number }>()
    for (let round = 0; round < rounds; round++) {
      const server = await startServer(runtime, site)
      const before = acknowledged.size
      await writeUntilKilled(server, site, round, acknowledged)
      expect(acknowledged.size).toBeGreaterThan(before)
    }
    const killed = performance.now()
    const server = await startServer(runtime, site)
    const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    const references = [...acknowledged.keys()].map((name) => `postern://default/${name}`)
    let found = 0
    let firstMs = 0
    for (let at = 0; at < references.length; at += 200) {
      for (const item of await client.hydrate(references.slice(at, at + 200))) {
        const name = item.reference.slice('postern://default/'.length)
        const { value, version } = acknowledged.get(name)!
        expect([name, 'secret' in item && item.secret.value.reveal()]).toEqual([name, value])
        expect('secret' in item && item.secret.version).toBe(version)
        found++
      }
      firstMs ||= performance.now() - killed
    }
    const { entries, root, expectedRoot } = await wholeLog(client)
    expect(root).toBe(expectedRoot)
    const written = new Set(
      entries.filter(({ operation }) => operation === 'secret.write').map(({ resource }) => resource),
    )
    expect([...acknowledged.keys()].filter((name) => !written.has(name))).toEqual([])
    task.meta.fault = {
      fault: `kill -9 under load, ${rounds} times`,
      runtime,
      acknowledged: acknowledged.size,
      lost: acknowledged.size - found,
      recovered: `first answer ${(firstMs / 1000).toFixed(1)} s after the start; log of ${entries.length} entries whole`,
    }
    await server.stop()
  })
})

/** Lets writers run against a server, kills it after a while, and notes which writes were acknowledged. */
async function writeUntilKilled(
  server: Server,
  site: Site,
  round: number,
  acknowledged: Map<string, { value: string; version: number }>,
): Promise<void> {
  const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
  let alive = true
  const writer = async (w: number) => {
    for (let i = 0; alive; i++) {
      const name = `crash/r${round}/w${w}/${i}`
      const value = `${round}.${w}.${i}`
      const result = await client.put(name, new Redacted(value)).catch(() => null)
      // On a busy machine the first may not be answered in time: as long as the server lives, another is tried.
      if (result === null) await sleep(5)
      else acknowledged.set(name, { value, version: Number(result.version) })
    }
  }
  const writers = Array.from({ length: WRITERS }, (_, w) => writer(w))
  const before = acknowledged.size
  while (acknowledged.size === before) await sleep(5)
  // Not the same moment in each round: up to 200 ms after the first write.
  await sleep((round * 70) % 200)
  await server.kill()
  alive = false
  await Promise.all(writers)
}
