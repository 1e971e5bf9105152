import { Hono } from 'hono'
import { PosternError } from '../../core/errors.ts'
import type { Env } from '../http/request_context.ts'
import { setVaultHeaders } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import type { Services } from '../services.ts'
import { exposition, METRICS_TYPE } from '../telemetry/prometheus.ts'
import { providerLines } from '../telemetry/provider_metrics.ts'
import { type ProcessFacts, requestLines } from '../telemetry/request_metrics.ts'
import { vaultLines } from '../telemetry/vault_metrics.ts'

/** `/healthz` (the process runs), `/readyz` (it can serve) and `/metrics`. */
export function healthRoutes(services: Services, { processFacts }: { processFacts?: ProcessFacts } = {}): Hono<Env> {
  const { host, registry, settings } = services
  const routes = new Hono<Env>()

  serve(routes, 'isAlive', (c) => c.json({ status: 'up' }))

  serve(routes, 'isReady', async (c) => {
    // A provider that is down is no reason to be taken out: the cache, the others and the sealed store still serve.
    const providers = Object.fromEntries(registry.list().map((one) => [one.id, one.health(Date.now()).state]))
    const known = registry.list().length > 0 ? { providers } : {}
    if (await host.ready()) return c.json({ status: 'up', ...known })
    throw new PosternError('unavailable', 'Storage cannot be reached', { retryAfterSeconds: 1 })
  })

  if (settings.metrics) {
    serve(routes, 'showMetrics', (c) => {
      const now = Date.now()
      const gauges = host.gauges()
      const lines = [
        providerLines(services, now),
        requestLines(services, processFacts),
        gauges ? vaultLines(gauges, now) : [],
      ]
      return c.body(exposition(lines.flat()), 200, { 'Content-Type': METRICS_TYPE })
    })
  }

  return routes
}

/** `…/metrics`: what waits in one vault, for who may know. Where vaults are not in one process there is no other way. */
export function gaugeRoutes(): Hono<Env> {
  const routes = new Hono<Env>()

  serve(routes, 'showGauges', async (c) => {
    const granted = await c.var.handle.call('gauges.show', c.var.caller, {})
    setVaultHeaders(c, granted)
    return c.body(exposition(vaultLines(granted.value, Date.now())), 200, { 'Content-Type': METRICS_TYPE })
  })

  return routes
}
