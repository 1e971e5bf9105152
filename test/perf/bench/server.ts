/**
 * A whole server of one runtime under load: real HTTP, a database file, `synchronous=FULL`.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { connect } from '../../../core/client/client.ts'
import { Redacted } from '../../../core/redacted.ts'
import { makeSite, type Runtime, type Server, type Site } from '../../system/runtime/servers.ts'
import { buildAlone, startAlone } from '../../system/runtime/workerd.ts'
import { type Load, type LoadReport, putLoad } from './load.ts'
import type { ServerReport } from './report.ts'

export const CONNECTIONS = [1, 16, 64, 256]
const NAMES = Array.from({ length: 200 }, (_, i) => `prod/db-${i}`)
/** Nothing is measured of a server that refuses. */
const UNLIMITED = Object.fromEntries(
  ['PRINCIPAL', 'SOURCE', 'VAULT'].map((kind) => [`POSTERN_SECURITY__${kind}_RATE`, '100000000/s']),
)

/** Measures a server. @param seconds How long each load lasts; the first is preceded by twice as long, uncounted. */
export async function measureServer(runtime: Runtime, seconds: number): Promise<ServerReport> {
  const site = await makeSite()
  buildAlone(runtime, site)
  const [busy = 0] = loadavg()
  const start = performance.now()
  const server = await startAlone(runtime, site, UNLIMITED)
  const startMs = performance.now() - start
  try {
    return { measuredAt: new Date().toISOString(), busy, startMs, ...(await measured(site, server, seconds)) }
  } finally {
    await server.stop()
    site.remove()
  }
}

async function measured(site: Site, server: Server, seconds: number) {
  const client = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
  await client.put('prod/first', new Redacted('value'))
  const startMiB = residentMiB(server.pid)
  for (const name of NAMES) await client.put(name, new Redacted(`value of ${name}, 32 bytes long`))
  const base = `/v1/vaults/${site.vault}`
  const headers = { Authorization: `Bearer ${site.token.reveal()}`, 'Content-Type': 'application/json' }
  const put = async (connections: number, requests: Load['requests'], warmUpSeconds = seconds / 4) => {
    const load = { endpoint: server.endpoint, requests, headers, connections, seconds, warmUpSeconds }
    return complete(await putLoad(load), connections)
  }
  const read = NAMES.map((name) => ({ method: 'GET', path: `${base}/secrets/${name}` }) as const)
  const write = NAMES.map(
    (name) => ({ method: 'PUT', path: `${base}/secrets/${name}`, body: '{"value":"v"}' }) as const,
  )
  const references = NAMES.map((name) => `postern://${site.vault}/${name}`)
  // Just-in-time compilers keep working long after the first requests.
  await put(64, read, 2 * seconds)
  const reads: Record<string, LoadReport> = {}
  for (const connections of CONNECTIONS) reads[connections] = await put(connections, read)
  const loadedMiB = residentMiB(server.pid)
  const writes = await put(16, write)
  const hydrate = await put(4, [{ method: 'POST', path: `${base}/hydrate`, body: JSON.stringify({ references }) }])
  const signIn = await put(16, [{ method: 'POST', path: `${base}/sessions`, body: '{}' }])
  return { startMiB, loadedMiB, reads, writes, hydrate, signIn }
}

/** A run with a refusal or a broken connection in it measured something else. */
function complete(report: LoadReport, connections: number): LoadReport {
  if (report.failed > 0) throw new Error(`${report.failed} requests failed at ${connections} connections`)
  return report
}

/** Resident memory of a server. */
function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}
