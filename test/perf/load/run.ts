/**
 * `npx node test/perf/load/run.ts`: 1,000 clients for a minute on Bun and workerd, shorter on the others; the findings as `docs/reference/load.json` and
 * `docs/reference/load.md`. `npx node test/perf/load/run.ts bun 200 10` takes one runtime, so many clients, and so many seconds, and writes nothing.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { RUNTIMES, type Runtime } from '../../system/runtime/servers.ts'
import { loadPage, type Soak, summaryOf } from './page.ts'
import { soak } from './soak.ts'

const DOCS = join(import.meta.dirname, '../../../docs/reference')
const CLIENTS = 1000
const SECONDS: Record<Runtime, number> = { bun: 60, deno: 15, node: 15, workerd: 60 }

const [only, clients = String(CLIENTS), seconds] = process.argv.slice(2)
const file = join(DOCS, 'load.json')
const found: Soak[] = []
for (const runtime of RUNTIMES) {
  if (only !== undefined && only !== runtime) continue
  const { tally, ...rest } = await soak(runtime, Number(clients), Number(seconds ?? SECONDS[runtime]))
  const summary = summaryOf({ tally, ...rest })
  process.stdout.write(`${JSON.stringify({ ...summary, wrong: tally.wrong.slice(0, 5) })}\n`)
  if (!summary.held) process.exitCode = 1
  found.push(summary)
}
if (seconds === undefined) {
  // A run of one runtime keeps the results of the others.
  const before: Soak[] = only === undefined ? [] : JSON.parse(readFileSync(file, 'utf8'))
  const all = RUNTIMES.flatMap((name) => [...found, ...before].find(({ runtime }) => runtime === name) ?? [])
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`)
  writeFileSync(join(DOCS, 'load.md'), loadPage(all))
}
