/**
 * A server's exposition with a sample of every metric.
 *
 * @module
 */

import { Redacted } from '../../core/redacted.ts'
import type { VaultStats } from '../../core/vault/stats.ts'
import { createApp } from '../../worker/app.ts'
import { openApp } from '../unit/worker/provider_access/provider_access_fixture.ts'
import { memoryProvider } from './memory_provider.ts'

/** Stats of a vault in which everything has pending work. */
const BUSY: VaultStats = {
  rotations: { due: 1, running: 1, failed: 1, frozen: 1 },
  ...{ nextRotationAt: 1, approvals: 1, rewrap: 1, locks: 1, staleCheckpointAt: 1 },
  lags: [{ provider: 'aws', names: 1, since: 1 }],
  deliveries: [{ kind: 'sink', lag: 1, failingSince: 1 }],
}

/** Serves some requests, and returns the exposition. */
export async function everyMetric(): Promise<string> {
  const aws = memoryProvider('aws')
  aws.set('aws/x', 'there')
  const environment = { POSTERN_METRICS: 'true', POSTERN_TRACES__URL: 'http://127.0.0.1:9/v1/traces' }
  const { services, token } = await openApp({ aws }, { environment })
  const processFacts = { residentBytes: () => 1, startedAt: 1 }
  const host = { ...services.host, stats: () => BUSY }
  const app = createApp({ ...services, host }, { processFacts })
  const send = (method: string, path: string, body: object | null = null) => {
    const headers = { Authorization: `Bearer ${token.reveal()}`, 'Content-Type': 'application/json' }
    const init = { method, headers, body: body && JSON.stringify(body) }
    return app.fetch(new Request(`http://127.0.0.1${path}`, init), { address: '127.0.0.1' })
  }
  const vault = '/v1/vaults/default'
  await send('PUT', `${vault}/chains/c`, { resource: 'aws/*', members: [{ provider: 'aws' }], cacheSeconds: 9 })
  await send('PUT', `${vault}/secrets/a`, { value: new Redacted('x').reveal() })
  for (const name of ['a', 'aws/x', 'aws/none', 'none']) await send('GET', `${vault}/secrets/${name}`)
  return (await send('GET', '/metrics')).text()
}
