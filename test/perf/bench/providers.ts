/**
 * What the gateway adds to a read from a provider, over sockets and with a disk: `npx bun test/perf/bench/providers.ts` uses Bun.
 *
 * The provider is a server that answers at once; and, below `.ci/moto`, an emulator of AWS too.
 *
 * @module
 */
import process from 'node:process'
import { connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { startFaultServer } from '../../support/fault_server.ts'
import { makeSite, startServer } from '../../system/runtime/servers.ts'

const ROUNDS = 300
const WARM_UP = 50

const emulator = process.env.POSTERN_LIVE_AWS_ENDPOINT
const fast = await startFaultServer('hashicorp', 'value')
const site = await makeSite()
const server = await startServer('bun', site, {
  ...fast.environment,
  ...(emulator && {
    POSTERN_PROVIDERS__AWS_REGION: 'us-east-1',
    POSTERN_PROVIDERS__AWS_ENDPOINT: emulator,
    POSTERN_PROVIDERS__AWS_ACCESS_KEY_ID: process.env.POSTERN_LIVE_AWS_ACCESS_KEY_ID ?? '',
    POSTERN_PROVIDERS__AWS_SECRET_ACCESS_KEY: process.env.POSTERN_LIVE_AWS_SECRET_ACCESS_KEY ?? '',
  }),
})
const admin = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
const members = [{ provider: 'hashicorp' as const }]
await admin.putChain('live', { resource: 'live/**', members })
await admin.putChain('cached', { resource: 'cached/**', members, cacheSeconds: 3600 })
await admin.put('sealed', new Redacted('value'))
const direct = fast.environment.POSTERN_PROVIDERS__HASHICORP_VAULT_URL

/** Things that are done in turn, so that what else the machine does meets all of them alike; times in milliseconds. */
const works: { title: string; work: () => Promise<unknown>; times: number[] }[] = []
const measured = (title: string, work: () => Promise<unknown>) => {
  works.push({ title, work, times: [] })
}

measured('the provider itself, over loopback', async () => (await fetch(`${direct}/v1/secret/data/n`)).text())
measured('a sealed read', () => admin.get('sealed'))
measured('a read through the provider', () => admin.get('live/db'))
measured('a cached read', () => admin.get('cached/db'))
if (emulator) {
  const aws = [{ provider: 'aws' as const }]
  await admin.putChain('aws', { resource: 'aws/**', members: aws })
  await admin.putChain('aws-cached', { resource: 'aws-cached/**', members: aws, cacheSeconds: 3600 })
  for (const name of ['aws/db', 'aws-cached/db']) await admin.put(name, new Redacted('value'))
  measured('a read through an emulator of AWS', () => admin.get('aws/db'))
  measured('a cached read', () => admin.get('aws-cached/db'))
}

for (let i = 0; i < ROUNDS + WARM_UP; i++) {
  for (const { work, times } of works) {
    const start = performance.now()
    await work()
    if (i >= WARM_UP) times.push(performance.now() - start)
  }
}
await server.stop()
await fast.stop()
site.remove()

const [own, , through, , emulated, kept] = works.map(({ title, times }) => {
  times.sort((a, b) => a - b)
  const at = (part: number) => times[Math.floor(ROUNDS * part)]!
  process.stdout.write(
    `${title.padEnd(36)} p10 ${at(0.1).toFixed(2)}   p50 ${at(0.5).toFixed(2)}   p95 ${at(0.95).toFixed(2)} ms\n`,
  )
  return at(0.5)
})
process.stdout.write(`the gateway adds ${(through! - own!).toFixed(2)} ms to a read\n`)
if (emulated && kept)
  process.stdout.write(`a cached read is ${(emulated / kept).toFixed(1)} times faster than the emulator\n`)
