/**
 * Every metric that Postern exposes. The exposition and `docs/reference/metrics.md` are written from this table.
 *
 * Names and labels are a contract. A label has a closed set of values, so that clients cannot create series at will.
 *
 * @module
 */
import { HEALTH_STATES } from '../../core/providers/health.ts'

/** What a metric measures. */
interface Metric {
  type: 'counter' | 'gauge' | 'histogram'
  labels: readonly Label[]
  /** One sentence, as Prometheus shows it. */
  help: string
}

type Label = keyof typeof LABELS

/** What the labels stand for. */
export const LABELS = {
  operation: 'Id of the operation in the OpenAPI document, or `none` for a request without a route.',
  outcome:
    '`ok`, the error code, or `gone` for a request whose client closed the connection first; of trace spans, `exported` or `dropped`.',
  phase: 'Part of a request: `identify` (authentication), `vault` (its transaction), `open` (decryption), `provider`.',
  provider: 'Id of the provider.',
  state: `State of a provider: \`${HEALTH_STATES.join('`, `')}\`.`,
  kind: 'Kind of failure of a provider; of deliveries, `sink`, `anchor` or `witness`.',
  use: 'Part that the cache took: `hit`, `miss`, `stale`, `bypass`, `request`, `stale-if-error` or `collapsed`.',
} as const

/** All metrics, by name, in the order in which they are exposed. */
export const METRICS = {
  postern_provider_state: {
    type: 'gauge',
    labels: ['provider', 'state'],
    help: '1 for the state that the provider is in, 0 for the others.',
  },
  postern_provider_breaker_open: {
    type: 'gauge',
    labels: ['provider'],
    help: '1 while the circuit breaker of the provider is open or half open.',
  },
  postern_provider_failures_total: {
    type: 'counter',
    labels: ['provider', 'kind'],
    help: 'Failed requests to a provider, by kind of failure.',
  },
  postern_provider_mistakes_total: {
    type: 'counter',
    labels: ['provider'],
    help: 'Programming errors thrown by a provider adapter. Any value above 0 is a bug in Postern.',
  },
  postern_cache_reads_total: {
    type: 'counter',
    labels: ['use'],
    help: 'Reads of secrets that providers keep, by the part that the cache took.',
  },
  postern_provider_request_seconds: {
    type: 'histogram',
    labels: ['provider'],
    help: 'Duration of requests to a provider in seconds.',
  },
  postern_requests_total: {
    type: 'counter',
    labels: ['operation', 'outcome'],
    help: 'HTTP requests, by operation and outcome.',
  },
  postern_request_duration_seconds: {
    type: 'histogram',
    labels: ['operation'],
    help: 'Duration of HTTP requests in seconds.',
  },
  postern_request_phase_seconds: {
    type: 'histogram',
    labels: ['phase'],
    help: 'Time that requests spent in each phase, in seconds.',
  },
  postern_transaction_duration_seconds: {
    type: 'histogram',
    labels: [],
    help: 'Duration of vault transactions in seconds. Most of it is the wait for the disk.',
  },
  postern_transaction_calls: {
    type: 'histogram',
    labels: [],
    help: 'Calls answered by one vault transaction.',
  },
  postern_trace_spans_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Trace spans that the collector accepted, and spans that were dropped.',
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    labels: [],
    help: 'Resident memory size in bytes.',
  },
  process_start_time_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Start time of the process since unix epoch in seconds.',
  },
  postern_rotation_due: {
    type: 'gauge',
    labels: [],
    help: 'Rotations that are due and have not started.',
  },
  postern_rotation_running: {
    type: 'gauge',
    labels: [],
    help: 'Rotations that are running.',
  },
  postern_rotation_failed: {
    type: 'gauge',
    labels: [],
    help: 'Rotations whose last run failed and changed nothing.',
  },
  postern_rotation_frozen: {
    type: 'gauge',
    labels: [],
    help: 'Rotations that a freeze window keeps from starting.',
  },
  postern_rotation_overdue_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Seconds by which the oldest due rotation is overdue.',
  },
  postern_rotation_next_timestamp_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Time at which the next rotation starts, in seconds since the Unix epoch.',
  },
  postern_approvals_waiting: {
    type: 'gauge',
    labels: [],
    help: 'Approval requests that are open.',
  },
  postern_rewrap_remaining: {
    type: 'gauge',
    labels: [],
    help: 'Rows whose key is not yet wrapped under the newest term. An upper bound.',
  },
  postern_locked_principals: {
    type: 'gauge',
    labels: [],
    help: 'Principals that are locked out from at least one source.',
  },
  postern_replication_lag_names: {
    type: 'gauge',
    labels: ['provider'],
    help: 'Names whose last write has not reached the replica.',
  },
  postern_replication_lag_seconds: {
    type: 'gauge',
    labels: ['provider'],
    help: 'Age in seconds of the oldest write that has not reached the replica.',
  },
  postern_audit_delivery_lag_entries: {
    type: 'gauge',
    labels: ['kind'],
    help: 'Log entries that have not reached the target.',
  },
  postern_audit_delivery_failing_seconds: {
    type: 'gauge',
    labels: ['kind'],
    help: 'Seconds since deliveries to the target began to fail.',
  },
  postern_audit_checkpoint_age_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Age in seconds of the newest checkpoint; 0 while it covers the whole log.',
  },
} as const satisfies Record<string, Metric>

/** The name of a metric. */
export type MetricName = keyof typeof METRICS

/** The labels of a metric with a value each. */
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof METRICS)[N]['labels'][number], string>>
