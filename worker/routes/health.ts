import { Hono } from 'hono'
import { PosternError } from '../../core/errors.ts'
import type { Gauges } from '../../core/vault/stats.ts'
import { label } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import type { Env, Parts } from '../services.ts'
import { METRICS_TYPE } from '../telemetry/prometheus.ts'
import { metricsText } from '../telemetry/provider_metrics.ts'
import { type Memory, requestLines } from '../telemetry/request_metrics.ts'
import { gaugeLines, stateLines } from '../telemetry/vault_metrics.ts'

/** `/healthz` (the process runs), `/readyz` (it can serve) and `/metrics`. */
export function healthRoutes(parts: Parts, { memory }: { memory?: Memory } = {}): Hono<Env> {
  const { host, upstreams, settings } = parts
  const routes = new Hono<Env>()

  serve(routes, 'isAlive', (c) => c.json({ status: 'up' }))

  serve(routes, 'isReady', async (c) => {
    // A provider that is down is no reason to be taken out: the cache, the others and the sealed store still serve.
    const providers = Object.fromEntries(upstreams.list().map((one) => [one.id, one.health(Date.now()).state]))
    const known = upstreams.list().length > 0 ? { providers } : {}
    if (await host.ready()) return c.json({ status: 'up', ...known })
    throw new PosternError('unavailable', 'Storage cannot be reached', { retryAfterSeconds: 1 })
  })

  if (settings.metrics) {
    serve(routes, 'showMetrics', (c) => {
      const now = Date.now()
      const gauges = host.gauges()
      const more = [...requestLines(parts, memory), ...(gauges === null ? [] : gaugesText(gauges, now))]
      return c.body(metricsText(parts, now, more), 200, { 'Content-Type': METRICS_TYPE })
    })
  }

  return routes
}

/** `…/metrics`: what waits in one vault, for who may know. Where vaults are not in one process there is no other way. */
export function gaugeRoutes(): Hono<Env> {
  const routes = new Hono<Env>()

  serve(routes, 'showGauges', async (c) => {
    const granted = await c.var.handle.call('gauges.show', c.var.caller, {})
    label(c, granted)
    return c.body(`${gaugesText(granted.value, Date.now()).join('\n')}\n`, 200, { 'Content-Type': METRICS_TYPE })
  })

  return routes
}

function gaugesText(gauges: Gauges, now: number): string[] {
  return [...gaugeLines(gauges, now), ...stateLines(gauges, now)]
}
