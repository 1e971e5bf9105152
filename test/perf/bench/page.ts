/**
 * From `docs/reference/benchmarks.json` to `docs/reference/benchmarks.md` and its charts.
 *
 * @module
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RUNTIMES, type Runtime } from '../../system/runtime/servers.ts'
import { barChart, logCurve } from './chart.ts'
import type { LoadReport } from './load.ts'
import { type Report, readReport, type ServerReport } from './report.ts'
import { CONNECTIONS } from './server.ts'

const DOCS = join(import.meta.dirname, '../../../docs/reference')
const NAMES: Record<Runtime, string> = { bun: 'Bun', deno: 'Deno', node: 'Node', workerd: 'workerd' }

/** Writes the page and the charts of what was measured last. */
export function writePage(): void {
  const report = readReport()
  const servers = RUNTIMES.flatMap((runtime): [Runtime, ServerReport][] => {
    const server = report.servers[runtime]
    return server === undefined ? [] : [[runtime, server]]
  })
  if (servers.length > 0) writeCharts(servers)
  if (report.log) writeFileSync(join(DOCS, 'benchmarks-log.svg'), logCurve(report.log.appends))
  const sections = [budgets(report), ofServers(servers), ofMicro(report), ofGrowth(report), ofLog(report)]
  writeFileSync(join(DOCS, 'benchmarks.md'), [heading(report), ...sections, METHOD].filter(Boolean).join('\n'))
}

const METHOD = `## Method

The server is a process of its own over a database file with \`synchronous=FULL\`, started as an operator starts it. Bun's is the build that the image has (\`npm run build\`), with its engine settings. The load comes from autocannon in another process, over loopback, on the same machine: they share its processors, so each figure is less than the server alone could do. A read is authenticated, rate-limited, decided, recorded in the log, made durable, decrypted and only then answered; 200 secrets are read in turn. workerd runs alone, unlike under \`wrangler dev\`, with its Durable Objects on disk. The figures include all other load on the machine, so an absolute time is never a test. \`test/unit/core/growth.test.ts\` tests that the cost of a read does not grow with the number of secrets.
`

function heading({ machine, versions }: Report): string {
  const where = machine ? `${machine.processors}, ${machine.memoryGiB} GiB, ${machine.system}` : ''
  const which = RUNTIMES.flatMap((runtime) => (versions[runtime] ? [`${NAMES[runtime]} ${versions[runtime]}`] : []))
  return `# Benchmarks

<!-- Written by \`npm run bench\` from benchmarks.json. -->

${where}. ${which.join(', ')}.
`
}

/** The five budgets, each with what was measured on Bun, the default runtime. */
function budgets({ servers, micro }: Report): string {
  const { bun: server } = servers
  const { times } = micro.bun ?? {}
  if (server === undefined || times === undefined) return ''
  const p50 = (name: string) => `${((times[name]?.p50 ?? Number.NaN) / 1000).toFixed(3)} ms`
  const [most] = CONNECTIONS.slice(-1)
  return table(
    'Budgets, on Bun',
    ['Budget', 'At most', 'Measured'],
    [
      [
        'validation of a request',
        '5 ms',
        `${p50('check the tag of a token')} for the tag, ${p50('decide by 100 rules')} for 100 rules`,
      ],
      ['encryption and decryption', '1 ms', `${p50('seal 1 KiB')} to seal 1 KiB, ${p50('open 1 KiB')} to open it`],
      [
        'an audit entry',
        '2 ms',
        `${p50('append an entry, in memory')} in memory; a whole read of one client with its wait for the disk takes ${ms(server.reads[1]?.p50)}`,
      ],
      [
        'requests at the same time',
        '100 at least',
        `${most}: ${count(server.reads[most!]?.perSecond)} reads a second, none failed`,
      ],
      [
        'memory',
        '100 MB',
        `${server.startMiB.toFixed(0)} MiB after the start, ${server.loadedMiB.toFixed(0)} MiB under load`,
      ],
    ],
  )
}

function ofServers(servers: [Runtime, ServerReport][]): string {
  if (servers.length === 0) return ''
  const head = ['', ...servers.map(([runtime]) => NAMES[runtime])]
  const row = (name: string, value: (server: ServerReport) => string) => [
    name,
    ...servers.map(([, server]) => value(server)),
  ]
  const loads = (name: string, load: (server: ServerReport) => LoadReport | undefined) =>
    row(name, (server) => {
      const report = load(server)
      return report ? `${count(report.perSecond)} (${ms(report.p50)}, ${ms(report.p95)}, ${ms(report.p99)})` : ''
    })
  return table('Whole servers: requests per second (median, 95th and 99th percentile of latency)', head, [
    ...CONNECTIONS.map((n) => loads(`reads, ${n} at once`, ({ reads }) => reads[n])),
    loads('writes, 16 at once', ({ writes }) => writes),
    loads('hydrate of 200, 4 at once', ({ hydrate }) => hydrate),
    loads('sign-in, 16 at once', ({ signIn }) => signIn),
    row('start until it listens', ({ startMs }) => `${count(startMs)} ms`),
    row('memory after the start', ({ startMiB }) => `${startMiB.toFixed(0)} MiB`),
    row('memory under load', ({ loadedMiB }) => `${loadedMiB.toFixed(0)} MiB`),
    row('load average before', ({ busy }) => busy.toFixed(1)),
    row('measured', ({ measuredAt }) => measuredAt.slice(0, 16).replace('T', ' ')),
  ]).concat('\n![Reads a second](benchmarks-reads.svg)\n\n![99th percentile of a read](benchmarks-p99.svg)\n')
}

function writeCharts(servers: [Runtime, ServerReport][]): void {
  const series = servers.map(([runtime]) => NAMES[runtime])
  const groups = (value: (load: LoadReport) => number) =>
    CONNECTIONS.map((n) => ({
      label: `${n} at once`,
      values: servers.map(([, { reads }]) => (reads[n] ? value(reads[n]) : 0)),
    }))
  const perSecond = barChart(
    'Audited, durable, decrypted reads',
    'a second',
    series,
    groups((load) => load.perSecond),
  )
  writeFileSync(join(DOCS, 'benchmarks-reads.svg'), perSecond)
  const p99 = barChart(
    '99th percentile of a read',
    'ms',
    series,
    groups((load) => load.p99),
  )
  writeFileSync(join(DOCS, 'benchmarks-p99.svg'), p99)
}

function ofMicro({ micro, worker }: Report): string {
  const measured = RUNTIMES.flatMap((runtime) => (micro[runtime] ? [[runtime, micro[runtime].times] as const] : []))
  const names = Object.keys(measured[0]?.[1] ?? {})
  const rows = names.map((name) => [
    name,
    ...measured.map(([, times]) =>
      times[name] ? `${times[name].p50.toFixed(1)} (${times[name].p99.toFixed(1)}) µs` : '',
    ),
  ])
  const parts =
    names.length === 0
      ? ''
      : table('Parts: median (99th percentile)', ['', ...measured.map(([runtime]) => NAMES[runtime])], rows)
  return parts + (worker ? `\nThe deployed Worker: ${worker.gzipKiB} KiB gzipped.\n` : '')
}

function ofGrowth({ growth }: Report): string {
  if (growth === undefined) return ''
  const sizes = Object.keys(growth.secrets)
  const row = (name: string, times: Record<string, number>) => [
    name,
    ...sizes.map((size) => `${times[size]?.toFixed(0)} µs`),
  ]
  return table(
    'A read in the vault, by number of secrets and entries',
    ['', ...sizes.map((size) => count(Number(size)))],
    [row('secrets', growth.secrets), row('entries in the log', growth.entries)],
  )
}

/** What the log costs as it grows. */
function ofLog({ log }: Report): string {
  if (log === undefined) return ''
  const sizes = Object.keys(log.appends).map(Number)
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  const [first, last] = [log.appends[least]!, log.appends[most]!]
  const at = `at ${count(most)} entries`
  return table(
    'The log',
    ['Measure', 'Measured', 'At most'],
    [
      [`append in a batch of 64, on disk, at ${count(least)} entries (median)`, `${first.toFixed(1)} µs`, ''],
      [`the same ${at}`, `${last.toFixed(1)} µs`, ''],
      ['ratio of the two', `${(last / first).toFixed(2)}`, '1.2'],
      ['CPU time of an append in a transaction of its own', `${log.cpuMs.toFixed(3)} ms`, '0.25 ms'],
      ['append in a transaction of its own, until durable (median)', `${log.singleMs.toFixed(3)} ms`, '1 ms'],
      [`inclusion proof ${at} (median)`, `${log.inclusionMs.toFixed(3)} ms`, '5 ms'],
      [`consistency proof ${at} (median)`, `${log.consistencyMs.toFixed(3)} ms`, '5 ms'],
    ],
  ).concat(
    `\nOn ${log.runtime}, ${log.measuredAt.slice(0, 10)}.\n\n![Microseconds for an append, from 1,000 to 1,000,000 entries](benchmarks-log.svg)\n`,
  )
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return `## ${title}\n\n${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
}

function count(value = Number.NaN): string {
  return Math.round(value).toLocaleString('en')
}

function ms(value = Number.NaN): string {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`
}
