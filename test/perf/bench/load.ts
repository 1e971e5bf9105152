/**
 * The load, in a process of its own: what it costs to ask must not be counted as what it costs to answer.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import process from 'node:process'
import autocannon from 'autocannon'

/** A request that a number of connections repeat. */
export interface Load {
  endpoint: string
  requests: readonly { method: 'GET' | 'PUT' | 'POST'; path: string; body?: string }[]
  headers: Record<string, string>
  connections: number
  seconds: number
  /** How long it is asked before anything is counted. */
  warmUpSeconds: number
}

/** The results of a load. Times are milliseconds from the last byte of a request to the last byte of its answer. */
export interface LoadReport {
  perSecond: number
  p50: number
  p95: number
  p99: number
  max: number
  /** Answers other than 2xx, broken connections and timeouts: a run with failures does not count. */
  failed: number
}

/** Puts a load on a server, from another process. */
export async function putLoad(load: Load): Promise<LoadReport> {
  const child = spawn('node', [import.meta.filename], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(load))
  let output = ''
  for await (const chunk of child.stdout) output += chunk
  return JSON.parse(output)
}

async function run({ endpoint, requests, headers, connections, seconds, warmUpSeconds }: Load): Promise<LoadReport> {
  let clients = 0
  // Each begins elsewhere: they would all write one and the same secret at a time.
  const setupClient = (client: autocannon.Client) => {
    const at = (clients++ * 7) % requests.length
    client.setRequests([...requests.slice(at), ...requests.slice(0, at)])
  }
  const options = { url: endpoint, headers, connections, requests: [...requests], setupClient }
  if (warmUpSeconds > 0) await autocannon({ ...options, duration: warmUpSeconds })
  // The library's own histogram has whole milliseconds, which is as long as many an answer takes.
  const times: number[] = []
  const { errors, timeouts, non2xx, duration } = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon({ ...options, duration: seconds }, (error, result) => {
      if (error) reject(error)
      else resolve(result)
    })
    running.on('response', (_client, _status, _bytes, ms) => times.push(ms))
  })
  times.sort((a, b) => a - b)
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
  return {
    perSecond: times.length / duration,
    ...{ p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) },
    failed: errors + timeouts + non2xx,
  }
}

if (process.argv[1] === import.meta.filename) {
  let input = ''
  for await (const chunk of process.stdin) input += chunk
  process.stdout.write(JSON.stringify(await run(JSON.parse(input))))
}
