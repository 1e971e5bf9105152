/**
 * The metrics of requests, transactions, trace spans and the process.
 *
 * @module
 */
import type { Services } from '../services.ts'
import type { RequestCounters, TransactionCounters } from './counters.ts'
import { histogram, metric } from './prometheus.ts'

/** How much memory the process has, and since when it runs. */
export interface ProcessFacts {
  residentBytes: () => number
  /** Milliseconds since the Unix epoch. */
  startedAt: number
}

/** Writes the metrics of the requests that this process or isolate served. */
export function requestLines(
  { requestCounters, tracer, host }: Pick<Services, 'requestCounters' | 'tracer' | 'host'>,
  processFacts: ProcessFacts | undefined,
): string[] {
  const { exported = 0, dropped = 0 } = tracer?.counts ?? {}
  return [
    ...(requestCounters === null ? [] : ofRequests(requestCounters)),
    ...(host.transactions === null ? [] : ofTransactions(host.transactions)),
    ...metric(
      'postern_trace_spans_total',
      tracer === null
        ? []
        : [
            [{ outcome: 'exported' }, exported],
            [{ outcome: 'dropped' }, dropped],
          ],
    ),
    ...(processFacts === undefined ? [] : ofProcess(processFacts)),
  ]
}

function ofRequests({ requests, phases }: RequestCounters): string[] {
  const operations = [...requests.entries]
  const counts = operations.flatMap(([operation, { outcomes }]) =>
    [...outcomes].map(([outcome, count]) => [{ operation, outcome }, count] as const),
  )
  return [
    ...metric('postern_requests_total', counts),
    ...histogram(
      'postern_request_duration_seconds',
      operations.map(([operation, { seconds }]) => [{ operation }, seconds]),
    ),
    ...histogram(
      'postern_request_phase_seconds',
      [...phases.entries].map(([phase, seconds]) => [{ phase }, seconds]),
    ),
  ]
}

function ofTransactions({ seconds, calls }: TransactionCounters): string[] {
  return [
    ...histogram('postern_transaction_duration_seconds', [[{}, seconds]]),
    ...histogram('postern_transaction_calls', [[{}, calls]]),
  ]
}

/** Under the names that every Prometheus client library uses. */
function ofProcess({ residentBytes, startedAt }: ProcessFacts): string[] {
  return [
    ...metric('process_resident_memory_bytes', [[{}, residentBytes()]]),
    ...metric('process_start_time_seconds', [[{}, startedAt / 1000]]),
  ]
}
