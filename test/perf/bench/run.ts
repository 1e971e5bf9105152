/**
 * Measures, and writes `docs/reference/benchmarks.json` and the page that is made of it: `npm run bench`, or a part of it such as
 * `npm run bench -- server:bun micro:node`. What else runs on the machine is measured too.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { RUNTIMES, type Runtime } from '../../system/runtime/servers.ts'
import { growVault } from './growth.ts'
import { writePage } from './page.ts'
import { addToReport, type GrowthReport } from './report.ts'
import { measureServer } from './server.ts'

/** How long each of the loads on a server lasts; `POSTERN_BENCH_SECONDS` makes it shorter, for a look. */
const SECONDS = Number(process.env.POSTERN_BENCH_SECONDS ?? 8)
const SMALL = 10
const SECRETS = [SMALL, 1_000, 100_000, 1_000_000]
const ENTRIES = [SMALL, 1_000, 100_000, 1_000_000]
const TRANSACTIONS = 300
const PACKAGES: Record<Runtime, string> = {
  bun: 'bun',
  deno: 'deno',
  node: `node-${process.platform}-${process.arch}`,
  workerd: 'workerd',
}

const parts: Record<string, () => Promise<void>> = {
  ...Object.fromEntries(RUNTIMES.map((runtime) => [`server:${runtime}`, () => server(runtime)])),
  'micro:bun': () => micro('bun', ['bun']),
  'micro:deno': () => micro('deno', ['deno', 'run', '--quiet', '--allow-all']),
  'micro:node': () => micro('node', ['node']),
  growth,
  worker,
}

async function server(runtime: Runtime): Promise<void> {
  const report = await measureServer(runtime, SECONDS)
  addToReport(({ servers, versions }) => {
    servers[runtime] = report
    versions[runtime] = versionOf(runtime)
  })
}

async function micro(runtime: Runtime, command: string[]): Promise<void> {
  const [program, ...args] = [...command, 'test/perf/bench/micro.ts']
  const times = JSON.parse(execFileSync(program!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }))
  addToReport((report) => {
    report.micro[runtime] = { measuredAt: new Date().toISOString(), times }
    report.versions[runtime] = versionOf(runtime)
  })
}

async function growth(): Promise<void> {
  const secrets = Object.fromEntries(SECRETS.map((count) => [count, readOf({ secrets: count, entries: SMALL })]))
  const entries = Object.fromEntries(ENTRIES.map((count) => [count, readOf({ secrets: SMALL, entries: count })]))
  addToReport((report) => {
    report.growth = { measuredAt: new Date().toISOString(), secrets, entries } satisfies GrowthReport
  })
}

function readOf(size: { secrets: number; entries: number }): number {
  const vault = growVault(size)
  try {
    vault.read(TRANSACTIONS)
    return vault.read(TRANSACTIONS)
  } finally {
    vault.close()
  }
}

async function worker(): Promise<void> {
  const output = execFileSync('wrangler', ['deploy', '--dry-run'], {
    encoding: 'utf8',
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', FORCE_COLOR: '0' },
  })
  const gzipKiB = Number(/gzip: ([0-9.]+) KiB/.exec(output)?.[1])
  if (Number.isNaN(gzipKiB)) throw new Error('wrangler did not tell the size of the Worker')
  addToReport((report) => {
    report.worker = { measuredAt: new Date().toISOString(), gzipKiB }
  })
}

/** The version that was installed. */
function versionOf(runtime: Runtime): string {
  const file = join(import.meta.dirname, '../../../node_modules', PACKAGES[runtime], 'package.json')
  return JSON.parse(readFileSync(file, 'utf8')).version
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((part) => !(part in parts) && part !== 'page')
if (unknown.length > 0)
  throw new Error(`No such part: ${unknown.join(', ')}. There are ${Object.keys(parts).join(', ')}`)
for (const [name, measure] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  process.stdout.write(`${name}\n`)
  await measure()
}
writePage()
