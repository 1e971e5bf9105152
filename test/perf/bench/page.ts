/**
 * From `docs/reference/benchmarks.json` to `docs/reference/benchmarks.md` and its charts.
 *
 * @module
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RUNTIMES, type Runtime } from '../../system/runtime/servers.ts'
import { barChart } from './chart.ts'
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
  const sections = [budgets(report), ofServers(servers), ofMicro(report), ofGrowth(report)]
  writeFileSync(join(DOCS, 'benchmarks.md'), [heading(report), ...sections, METHOD].filter(Boolean).join('\n'))
}

const METHOD = `## How it is measured

The server is a process of its own over a database file with \`synchronous=FULL\`, started as an operator starts it: Bun's is what the image has (\`npm run build\`), with its settings of the engine. The load is autocannon in
another process, over loopback, on the same machine: they share its processors, so that each figure is less than the server alone could do. A read is
authenticated, limited, decided, recorded in the log, durable, decrypted and only then answered; 200 secrets are read in turn. workerd
is run alone, as \`wrangler dev\` does not, over the store of its Durable Objects on the disk. What else the machine did is in the figures too; an absolute time is never a
test. That a read costs no more where there is more is: \`test/unit/core/growth.test.ts\`.
`

function heading({ machine, versions }: Report): string {
  const where = machine ? `${machine.processors}, ${machine.memoryGiB} GiB, ${machine.system}` : ''
  const which = RUNTIMES.flatMap((runtime) => (versions[runtime] ? [`${NAMES[runtime]} ${versions[runtime]}`] : []))
  return `# Benchmarks

<!-- Written by \`npm run bench\` from benchmarks.json. -->

${where}. ${which.join(', ')}.
`
}

/** The five budgets of the specification, each beside what was measured on Bun, the default. */
function budgets({ servers, micro }: Report): string {
  const { bun: server } = servers
  const { times } = micro.bun ?? {}
  if (server === undefined || times === undefined) return ''
  const p50 = (name: string) => `${((times[name]?.p50 ?? Number.NaN) / 1000).toFixed(3)} ms`
  const [most] = CONNECTIONS.slice(-1)
  return table(
    'The budgets, on Bun',
    ['budget', 'at most', 'measured'],
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
  return table(
    'Whole servers: a second, and the median, 95th and 99th percentile of the time that an answer takes',
    head,
    [
      ...CONNECTIONS.map((n) => loads(`reads, ${n} at once`, ({ reads }) => reads[n])),
      loads('writes, 16 at once', ({ writes }) => writes),
      loads('hydrate of 200, 4 at once', ({ hydrate }) => hydrate),
      loads('sign-in, 16 at once', ({ signIn }) => signIn),
      row('start until it listens', ({ startMs }) => `${count(startMs)} ms`),
      row('memory after the start', ({ startMiB }) => `${startMiB.toFixed(0)} MiB`),
      row('memory under load', ({ loadedMiB }) => `${loadedMiB.toFixed(0)} MiB`),
      row('load average before', ({ busy }) => busy.toFixed(1)),
      row('measured', ({ measuredAt }) => measuredAt.slice(0, 16).replace('T', ' ')),
    ],
  ).concat('\n![Reads a second](benchmarks-reads.svg)\n\n![99th percentile of a read](benchmarks-p99.svg)\n')
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
  return parts + (worker ? `\nThe Worker, as it is deployed: ${worker.gzipKiB} KiB gzipped.\n` : '')
}

function ofGrowth({ growth }: Report): string {
  if (growth === undefined) return ''
  const sizes = Object.keys(growth.secrets)
  const row = (name: string, times: Record<string, number>) => [
    name,
    ...sizes.map((size) => `${times[size]?.toFixed(0)} µs`),
  ]
  return table(
    'A read in the vault, by what there is',
    ['', ...sizes.map((size) => count(Number(size)))],
    [row('secrets', growth.secrets), row('entries in the log', growth.entries)],
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
