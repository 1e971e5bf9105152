/** A primary that dies under load: clients notice nothing, the log records it, and reads return to it after recovery. */
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { sleep } from '../../../core/sleep.ts'
import { type FaultServer, startFaultServer } from '../../support/fault_server.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, type Server, type Site, startServer } from './servers.ts'

const CLIENTS = 16

describe.each(['bun', 'workerd'] as const)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let primary: FaultServer
  let replica: FaultServer
  let admin: Client

  beforeAll(async () => {
    primary = await startFaultServer('hashicorp', 'of the primary')
    replica = await startFaultServer('http', 'of the replica')
    site = await makeSite()
    server = await startServer(runtime, site, {
      ...{ ...primary.environment, ...replica.environment },
      POSTERN_PROVIDERS__RECOVERY_MS: '300',
      POSTERN_PROVIDERS__ATTEMPT_MS: '2000',
      POSTERN_METRICS: 'true',
    })
    admin = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    const members = [{ provider: 'hashicorp' as const }, { provider: 'http' as const }]
    await admin.putChain('prod', { resource: 'prod/**', members })
    await admin.putChain('cached', { resource: 'cached/**', members, cacheSeconds: 300 })
  })

  afterAll(async () => {
    await server?.stop()
    await primary?.stop().catch(() => {})
    await replica?.stop().catch(() => {})
    site?.remove()
  })

  it('fails no request while the primary dies and comes back, and returns to it', async ({ task }) => {
    const seen: { provider: string; at: number; ms: number }[] = []
    const failures: string[] = []
    let going = true
    const client = async () => {
      while (going) {
        const start = performance.now()
        try {
          const { provider, value } = await admin.get('prod/db')
          expect(value.reveal()).toBe(provider === 'hashicorp' ? 'of the primary' : 'of the replica')
          seen.push({ provider, at: start, ms: performance.now() - start })
        } catch (error) {
          failures.push(String(error))
        }
      }
    }
    const clients = Array.from({ length: CLIENTS }, client)
    const served = async (by: string) => {
      const from = seen.length
      while (!seen.slice(from).some(({ provider }) => provider === by)) await sleep(5)
    }
    await served('hashicorp')
    await sleep(500)
    const died = performance.now()
    await primary.stop()
    await served('http')
    await sleep(500)
    // And in another way: it is there again, and answers nothing but errors.
    primary.fault = '503'
    await primary.start()
    await sleep(500)
    const back = performance.now()
    primary.fault = 'none'
    await served('hashicorp')
    const returned = performance.now()
    // All of them, and not only the one that tried.
    while (!seen.slice(-CLIENTS).every(({ provider }) => provider === 'hashicorp')) await sleep(5)
    going = false
    await Promise.all(clients)
    const during = seen.filter(({ at }) => at > died && at < back)
    const p95 = (of: typeof seen) => of.map(({ ms }) => ms).sort((a, b) => a - b)[Math.floor(of.length * 0.95)] ?? 0
    process.stdout.write(
      `\n${runtime}: ${seen.length} reads, ${failures.length} failed; ${during.length} while the primary was dead, ` +
        `p95 ${p95(during).toFixed(1)} ms (before ${p95(seen.filter(({ at }) => at < died)).toFixed(1)} ms); ` +
        `back at the primary after ${(returned - back).toFixed(0)} ms\n`,
    )
    expect(failures).toEqual([])
    expect(during.filter(({ provider }) => provider === 'http').length).toBeGreaterThan(10)
    const { entries } = await wholeLog(admin)
    const released = entries.filter(({ operation }) => operation === 'secret.provided')
    expect(released).toHaveLength(seen.length)
    task.meta.fault = {
      fault: 'a primary store that dies, then answers 503, under reads',
      runtime,
      acknowledged: seen.length,
      lost: failures.length,
      recovered: `by the replica meanwhile; at the primary again ${(returned - back).toFixed(0)} ms after it was back`,
    }
    expect(
      released.some(({ facts }) => facts.provider === 'http' && String(facts.skipped).startsWith('hashicorp:')),
    ).toBe(true)
  })

  it('shows the providers, and measures them', async () => {
    const { items } = await admin.providers()
    expect(items.map(({ id }) => id)).toEqual(['hashicorp', 'http'])
    const metrics = await (await fetch(`${server.endpoint}/metrics`)).text()
    expect(metrics).toContain('# TYPE postern_provider_request_seconds histogram')
    // A process knows the pending work of all its vaults; a caller sees that of one vault, with the right to.
    expect(/^postern_rotation_due 0$/m.test(metrics)).toBe(runtime !== 'workerd')
    const headers = { Authorization: `Bearer ${site.token.reveal()}` }
    const own = await fetch(`${server.endpoint}/v1/vaults/${site.vault}/metrics`, { headers })
    expect(await own.text()).toMatch(/^postern_rotation_due 0$/m)
  })

  // On Workers each request makes its own call. The servers of one process share the code that joins them.
  if (runtime === 'bun') {
    it('makes one provider call for 1,000 requests for one cold name', async () => {
      primary.delayMs = 200
      const before = primary.reads
      const all = await Promise.all(Array.from({ length: 1000 }, () => admin.get('cached/cold')))
      expect(all).toHaveLength(1000)
      expect(primary.reads - before).toBe(1)
      primary.delayMs = 0
    })
  }

  it('serves from its cache after a restart, and when no provider is there', async () => {
    await admin.get('cached/db')
    await server.stop()
    await primary.stop()
    server = await startServer(runtime, site, {
      ...{ ...primary.environment, ...replica.environment },
    })
    admin = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    expect((await admin.get('cached/db')).value.reveal()).toBe('of the primary')
  })

  it('has a write only where it was made, and says so when it was not', async () => {
    const error = await admin.put('prod/db', new Redacted('new')).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'unavailable' })
    expect((await admin.get('prod/db')).provider).toBe('http')
  })
})
