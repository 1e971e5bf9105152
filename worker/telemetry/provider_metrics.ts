/**
 * The metrics of providers and of the cache in front of them.
 *
 * @module
 */
import { HEALTH_STATES } from '../../core/providers/health.ts'
import type { Services } from '../services.ts'
import { histogram, metric } from './prometheus.ts'

/** Writes how providers are, and how the cache took part in reads. */
export function providerLines(
  { registry, providerReader }: Pick<Services, 'registry' | 'providerReader'>,
  now: number,
): string[] {
  const all = registry.list()
  const health = all.map((guarded) => guarded.health(now))
  const states = health.flatMap(({ id: provider, state: current }) =>
    HEALTH_STATES.map((state) => [{ provider, state }, current === state ? 1 : 0] as const),
  )
  const failures = all.flatMap(({ id: provider, failures }) =>
    [...failures].map(([kind, count]) => [{ provider, kind }, count] as const),
  )
  return [
    ...metric('postern_provider_state', states),
    ...metric(
      'postern_provider_breaker_open',
      health.map(({ id: provider, breaker }) => [{ provider }, breaker === 'closed' ? 0 : 1]),
    ),
    ...metric('postern_provider_failures_total', failures),
    ...metric(
      'postern_provider_mistakes_total',
      all.map(({ id: provider, mistakes }) => [{ provider }, mistakes]),
    ),
    ...metric(
      'postern_cache_reads_total',
      [...providerReader.counts].map(([use, count]) => [{ use }, count]),
    ),
    ...histogram(
      'postern_provider_request_seconds',
      all.map(({ id: provider, latency }) => [{ provider }, latency.seconds]),
    ),
  ]
}
