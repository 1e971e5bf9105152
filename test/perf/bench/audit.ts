/**
 * Measures what the log costs as it grows to a million entries, on Bun: `npx bun test/perf/bench/audit.ts`. Adds its part to
 * `docs/reference/benchmarks.json`, and writes the page.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { consistencyProof, inclusionProof } from '../../../core/tlog/proof.ts'
import { encodeEvent } from '../../../core/vault/audit/event.ts'
import { Log } from '../../../core/vault/audit/log.ts'
import { migrate } from '../../../core/vault/migrate.ts'
import { openSqlite, type Sqlite } from '../../../worker/local/sqlite.ts'
import { writePage } from './page.ts'
import { addToReport } from './report.ts'

const MILLION = 1_000_000
/** Entries a transaction, as group commit makes them under load. */
const BATCH = 64
/** Appends over which one point of the curve is the median. */
const WINDOW = 4096
const SIZES = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, MILLION]

/** Compiled code before the first point is taken, on a log that is thrown away. */
const WARM_UP = 60_000

const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
let at = Date.UTC(2026, 0, 1)
let [sql, log] = openLog(':memory:')

function openLog(path: string): [Sqlite, Log] {
  const opened = openSqlite(path)
  migrate(opened, 0)
  return [opened, new Log(opened)]
}

function append(): void {
  const who = {
    request: crypto.randomUUID(),
    principal: 'ann',
    token: '6c250c54-e1ae-4dc3-bad6-311918739ce7',
    session: null,
  }
  const what = { operation: 'secret.read', action: 'read', resource: 'prod/db', rule: 'r1', outcome: 'ok' } as const
  const from = { address: '192.0.2.1', agent: 'curl/8', severity: 'info', facts: { version: 1 } } as const
  at++
  log.append((index, previous) => encodeEvent({ at, ...who, ...what, ...from }, index, previous))
}

/** Appends entries in batches, and returns the microseconds an entry of each batch. */
function fill(to: number): number[] {
  const times: number[] = []
  for (let size = log.size; size < to; size += BATCH) {
    const start = performance.now()
    sql.atomic(() => {
      for (let i = 0; i < BATCH; i++) append()
    })
    times.push(((performance.now() - start) * 1000) / BATCH)
  }
  return times
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function timed(work: () => void, times: number): number {
  const samples = Array.from({ length: times }, () => {
    const start = performance.now()
    work()
    return performance.now() - start
  })
  return median(samples)
}

fill(WARM_UP)
;[sql, log] = openLog(join(folder, 'log.sqlite'))
const curve: { size: number; microseconds: number }[] = []
for (const size of SIZES) {
  fill(size - WINDOW / 2)
  curve.push({ size, microseconds: median(fill(size + WINDOW / 2)) })
}
const before = process.cpuUsage()
const singles = timed(() => sql.atomic(append), 2000)
const { user, system } = process.cpuUsage(before)
const size = log.size
const inclusion = timed(() => inclusionProof(Math.floor(Math.random() * size), size, log.read), 500)
const consistency = timed(() => consistencyProof(1 + Math.floor(Math.random() * (size - 1)), size, log.read), 500)
sql.close()
rmSync(folder, { recursive: true, force: true })

addToReport((report) => {
  report.log = {
    measuredAt: new Date().toISOString(),
    runtime: 'Bun' in globalThis ? `Bun ${process.versions.bun}` : `Node ${process.version}`,
    appends: Object.fromEntries(curve.map(({ size, microseconds }) => [size, microseconds])),
    cpuMs: (user + system) / 2000 / 1000,
    singleMs: singles,
    inclusionMs: inclusion,
    consistencyMs: consistency,
  }
  process.stdout.write(`${JSON.stringify(report.log, null, 2)}\n`)
})
writePage()
