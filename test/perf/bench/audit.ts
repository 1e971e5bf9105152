/**
 * What the log costs, and that it does not cost more the longer it is: `npm run bench:audit` uses Bun. Writes
 * `docs/reference/audit-benchmark.md` and the curve beside it.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { consistencyProof, inclusionProof } from '../../../core/tlog/proof.ts'
import { encodeEvent } from '../../../core/vault/audit/event.ts'
import { Log } from '../../../core/vault/audit/log.ts'
import { migrate } from '../../../core/vault/migrate.ts'
import { openSqlite, type Sqlite } from '../../../worker/local/sqlite.ts'

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

const [first, last] = [curve[0]!.microseconds, curve.at(-1)!.microseconds]
const runtime = 'Bun' in globalThis ? `Bun ${process.versions.bun}` : `Node ${process.version}`
const rows = [
  [
    'An append in a batch of 64, on disk with `synchronous=FULL`, at 1,000 entries (median)',
    `${first.toFixed(1)} µs`,
    '',
  ],
  ['The same at 1,000,000 entries', `${last.toFixed(1)} µs`, ''],
  ['The millionth against the thousandth', `${(last / first).toFixed(2)} ×`, '1.2 ×'],
  ['CPU an append that has a transaction of its own', `${((user + system) / 2000 / 1000).toFixed(3)} ms`, '0.25 ms'],
  ['An append of its own, until it is durable (median)', `${singles.toFixed(3)} ms`, '1 ms'],
  ['Inclusion proof at 1,000,000 entries (median)', `${inclusion.toFixed(3)} ms`, '5 ms'],
  ['Consistency proof at 1,000,000 entries (median)', `${consistency.toFixed(3)} ms`, '5 ms'],
]
const docs = join(import.meta.dirname, '../../../docs/reference')
writeFileSync(
  join(docs, 'audit-benchmark.md'),
  `# What the log costs

<!-- Written by \`npm run bench:audit\`. -->

${new Date().toISOString().slice(0, 10)}, ${runtime}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}.

| what | measured | at most |
| --- | --- | --- |
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}

![Microseconds an append, from 1,000 to 1,000,000 entries](audit-benchmark.svg)
`,
)
writeFileSync(join(docs, 'audit-benchmark.svg'), svg())
for (const [what, value, limit] of rows) process.stdout.write(`${what}: ${value}${limit && ` (at most ${limit})`}\n`)

/** The curve, with the length of the log in powers of ten. */
function svg(): string {
  const [width, height, left, bottom] = [640, 260, 60, 40]
  const most = 10 * Math.ceil((1.5 * Math.max(...curve.map(({ microseconds }) => microseconds))) / 10)
  const x = (n: number) => left + ((Math.log10(n) - 3) / 3) * (width - left - 20)
  const y = (value: number) => height - bottom - (value / most) * (height - bottom - 20)
  const points = curve.map(({ size, microseconds }) => `${x(size).toFixed(1)},${y(microseconds).toFixed(1)}`)
  const label = (px: number, py: number, text: string, anchor = 'middle') =>
    `<text x="${px}" y="${py}" text-anchor="${anchor}">${text}</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#57606a">
<title>Microseconds an append, from 1,000 to 1,000,000 entries</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${[0, most / 2, most].map((value) => `<path d="M${left} ${y(value)}H${width - 20}" stroke="#d0d7de"/>${label(left - 8, y(value) + 4, `${value} µs`, 'end')}`).join('\n')}
${[1e3, 1e4, 1e5, 1e6].map((n) => label(x(n), height - bottom + 18, n.toLocaleString('en'))).join('\n')}
${label((left + width) / 2, height - 6, 'entries in the log')}
<polyline points="${points.join(' ')}" fill="none" stroke="#0969da" stroke-width="2"/>
${points.map((point) => `<circle cx="${point.split(',')[0]}" cy="${point.split(',')[1]}" r="3" fill="#0969da"/>`).join('\n')}
</svg>
`
}
