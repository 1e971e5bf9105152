/**
 * The state of the server: `/healthz`, `/readyz` and `/metrics`.
 *
 * @module
 */
import { Hono } from 'hono'
import { PosternError } from '../../core/errors.ts'
import { isFixedProvider } from '../../core/providers/chain.ts'
import type { Env } from '../http/request_context.ts'
import { setVaultHeaders } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import type { Services } from '../services.ts'
import { exposition, METRICS_TYPE } from '../telemetry/prometheus.ts'
import { providerLines } from '../telemetry/provider_metrics.ts'
import { type ProcessFacts, requestLines } from '../telemetry/request_metrics.ts'
import { vaultLines } from '../telemetry/vault_metrics.ts'

/** Makes the routes of liveness (the process runs), readiness (it can serve) and metrics. */
export function healthRoutes(services: Services, { processFacts }: { processFacts?: ProcessFacts } = {}): Hono<Env> {
  const { host, registry, settings } = services
  const routes = new Hono<Env>()

  serve(routes, 'isAlive', (c) => c.json({ status: 'up' }))

  serve(routes, 'isReady', async (c) => {
    // A server whose provider is down stays ready: the cache, other providers and the sealed store still serve.
    // Not the instances, whose names are the operator's: the caller needs no token.
    const shown = registry.list().filter(({ id }) => isFixedProvider(id))
    const providers = Object.fromEntries(shown.map((one) => [one.id, one.health(Date.now()).state]))
    const known = shown.length > 0 ? { providers } : {}
    if (await host.ready()) return c.json({ status: 'up', ...known })
    throw new PosternError('unavailable', 'Storage cannot be reached', { retryAfterSeconds: 1 })
  })

  if (settings.metrics) {
    serve(routes, 'showMetrics', (c) => {
      const now = Date.now()
      const stats = host.stats()
      const lines = [
        providerLines(services, now),
        requestLines(services, processFacts),
        stats ? vaultLines(stats, now) : [],
      ]
      return c.body(exposition(lines.flat()), 200, { 'Content-Type': METRICS_TYPE })
    })
  }

  return routes
}

/** Makes the route `…/metrics`: the metrics of one vault, for callers with the right. On Workers they have no other way. */
export function vaultMetricsRoutes(): Hono<Env> {
  const routes = new Hono<Env>()

  serve(routes, 'showGauges', async (c) => {
    const granted = await c.var.handle.call('gauges.show', c.var.caller, {})
    setVaultHeaders(c, granted)
    return c.body(exposition(vaultLines(granted.value, Date.now())), 200, { 'Content-Type': METRICS_TYPE })
  })

  return routes
}
