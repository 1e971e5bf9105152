/**
 * What Prometheus sees: how the providers are, in its text format (0.0.4). No name of a secret or a vault is in it.
 *
 * @module
 */
import { HEALTH_STATES } from '../../core/providers/health.ts'
import { BUCKETS_MS } from '../../core/providers/latency.ts'
import type { Parts } from '../services.ts'
import { family } from './prometheus.ts'

/** Writes the metrics of this process or isolate, and `more`. */
export function metricsText(
  { upstreams, gateway }: Pick<Parts, 'upstreams' | 'gateway'>,
  now: number,
  more: readonly string[] = [],
): string {
  const all = upstreams.list().map((upstream) => ({ upstream, health: upstream.health(now) }))
  const states = all.flatMap(({ health }) =>
    HEALTH_STATES.map((state) => `{provider="${health.id}",state="${state}"} ${health.state === state ? 1 : 0}`),
  )
  const breakers = all.map(({ health }) => `{provider="${health.id}"} ${health.breaker === 'closed' ? 0 : 1}`)
  const failures = all.flatMap(({ upstream }) =>
    [...upstream.failures].map(([kind, count]) => `{provider="${upstream.id}",kind="${kind}"} ${count}`),
  )
  const mistakes = all.map(({ upstream }) => `{provider="${upstream.id}"} ${upstream.mistakes}`)
  const cache = [...gateway.counts].map(([how, count]) => `{use="${how}"} ${count}`)
  return [
    ...family('postern_provider_state', 'gauge', 'Whether a provider is in this state.', states),
    ...family('postern_provider_breaker_open', 'gauge', 'Whether a breaker keeps requests back.', breakers),
    ...family('postern_provider_failures_total', 'counter', 'Failures of providers by kind.', failures),
    ...family('postern_provider_mistakes_total', 'counter', 'Mistakes in adapters that were thrown.', mistakes),
    ...family('postern_cache_reads_total', 'counter', 'Reads of what providers keep, by what the cache did.', cache),
    ...family(
      'postern_provider_request_seconds',
      'histogram',
      'How long providers took to answer.',
      all.flatMap(({ upstream }) => histogram(upstream.id, upstream.latency.histogram())),
    ),
    ...more,
    '',
  ].join('\n')
}

function histogram(
  provider: string,
  { cumulative, count, sumMs }: { cumulative: number[]; count: number; sumMs: number },
) {
  const buckets = cumulative.map((n, i) => `_bucket{provider="${provider}",le="${BUCKETS_MS[i]! / 1000}"} ${n}`)
  return [
    ...buckets,
    `_bucket{provider="${provider}",le="+Inf"} ${count}`,
    `_sum{provider="${provider}"} ${sumMs / 1000}`,
    `_count{provider="${provider}"} ${count}`,
  ]
}
