/**
 * What was counted of requests, transactions and traces, in the text format of Prometheus.
 *
 * @module
 */
import type { Parts } from '../services.ts'
import type { Histogram, Meters, Transactions } from './counters.ts'
import { family } from './prometheus.ts'

/** What a process takes. */
export interface Memory {
  residentBytes: () => number
  /** Milliseconds since the Unix epoch. */
  startedAt: number
}

/** Writes the metrics of what this process or isolate served. */
export function requestLines(
  { meters, tracer, host }: Pick<Parts, 'meters' | 'tracer' | 'host'>,
  memory: Memory | undefined,
): string[] {
  const { exported = 0, dropped = 0 } = tracer?.counts ?? {}
  const spans = tracer === null ? [] : [`{outcome="exported"} ${exported}`, `{outcome="dropped"} ${dropped}`]
  return [
    ...(meters === null ? [] : ofRequests(meters)),
    ...(host.transactions === null ? [] : ofTransactions(host.transactions)),
    ...family('postern_trace_spans_total', 'counter', 'Spans that a collector took, or none did.', spans),
    ...(memory === undefined ? [] : ofProcess(memory)),
  ]
}

function ofRequests({ requests, phases }: Meters): string[] {
  const counts = [...requests.entries].flatMap(([operation, { outcomes }]) =>
    [...outcomes].map(([outcome, count]) => `{operation="${operation}",outcome="${outcome}"} ${count}`),
  )
  const seconds = [...requests.entries].flatMap(([operation, of]) => spread(of.seconds, `operation="${operation}"`))
  const spent = [...phases.entries].flatMap(([phase, of]) => spread(of, `phase="${phase}"`))
  return [
    ...family('postern_requests_total', 'counter', 'Requests by operation, and by what came of them.', counts),
    ...family('postern_request_duration_seconds', 'histogram', 'How long requests took.', seconds),
    ...family('postern_request_phase_seconds', 'histogram', 'What requests spent their time on.', spent),
  ]
}

function ofTransactions({ seconds, calls }: Transactions): string[] {
  const help = 'How long transactions took: deciding, appending to the log, and the wait for the disk.'
  return [
    ...family('postern_transaction_duration_seconds', 'histogram', help, spread(seconds)),
    ...family('postern_transaction_calls', 'histogram', 'Calls that one transaction answered.', spread(calls)),
  ]
}

/** Under the names that every Prometheus client gives them. */
function ofProcess({ residentBytes, startedAt }: Memory): string[] {
  return [
    ...family('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', [` ${residentBytes()}`]),
    ...family('process_start_time_seconds', 'gauge', 'Start time of the process since unix epoch in seconds.', [
      ` ${startedAt / 1000}`,
    ]),
  ]
}

function spread(histogram: Histogram, labels = ''): string[] {
  const { cumulative, count, sum } = histogram.read()
  const before = labels === '' ? '' : `${labels},`
  const own = labels === '' ? '' : `{${labels}}`
  const buckets = cumulative.map((n, i) => `_bucket{${before}le="${histogram.bounds[i]}"} ${n}`)
  return [...buckets, `_bucket{${before}le="+Inf"} ${count}`, `_sum${own} ${sum}`, `_count${own} ${count}`]
}
