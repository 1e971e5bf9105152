/**
 * Times requests, counts them, traces them, and writes `Server-Timing`.
 *
 * @module
 */
import type { MiddlewareHandler } from 'hono'
import { PosternError } from '../../core/errors.ts'
import type { Settings } from '../../core/settings/settings.ts'
import type { RequestCounters } from '../telemetry/counters.ts'
import type { Tracer } from '../telemetry/otlp.ts'
import { type AnsweredRequest, PHASES, RequestTiming } from '../telemetry/request_timing.ts'
import type { Env, RequestContext } from './request_context.ts'
import { routeOf } from './route_table.ts'

/** The consumers of timings; `null` for those that settings leave off. */
export interface RequestObservers {
  requestCounters: RequestCounters | null
  tracer: Tracer | null
  settings: Pick<Settings, 'serverTiming'>
}

/** Makes the outermost middleware; `null` when settings ask for no metrics, no traces and no `Server-Timing`. */
export function observeRequests({
  requestCounters,
  tracer,
  settings,
}: RequestObservers): MiddlewareHandler<Env> | null {
  if (requestCounters === null && tracer === null && !settings.serverTiming) return null
  return async (c, next) => {
    const timing = new RequestTiming(tracer?.begin(c.req.header('traceparent')) ?? null)
    c.set('timing', timing)
    await next()
    const answered = { ...resultOf(c), timing, durationMs: timing.elapsedMs() }
    requestCounters?.note(answered)
    if (settings.serverTiming && c.var.caller !== undefined && c.res.ok) {
      c.res.headers.set('Server-Timing', serverTiming(answered))
    }
    // Only requests with a valid token are traced, so that strangers cannot fill the collector.
    if (tracer !== null && c.var.caller?.credential) tracer.end(answered, c.env.waitUntil)
  }
}

function resultOf(c: RequestContext): Pick<AnsweredRequest, 'route' | 'method' | 'status' | 'outcome'> {
  const { status } = c.res
  return { route: routeOf(c), method: c.req.method, status, outcome: outcomeOf(status, c.error) }
}

/** For statuses that Hono answers without an error in the context. */
const BY_STATUS: Record<number, string> = {
  400: 'bad_request',
  404: 'not_found',
  405: 'bad_request',
  503: 'unavailable',
}

function outcomeOf(status: number, error: unknown): string {
  if (status < 400) return 'ok'
  // A client that hangs up is not an outage.
  if (error instanceof PosternError && error.detail.reason === 'gone') return 'gone'
  return BY_STATUS[status] ?? (error instanceof PosternError ? error.code : 'internal')
}

/** `Server-Timing` in whole milliseconds. Finer times would tell a cache hit from a miss, also for another caller's read. */
function serverTiming({ timing, durationMs }: AnsweredRequest): string {
  const totals = PHASES.flatMap((phase) => {
    const spans = timing.spans.filter((span) => span.phase === phase)
    const ms = spans.reduce((total, { startMs, endMs }) => total + (endMs - startMs), 0)
    return spans.length === 0 ? [] : [`${phase};dur=${Math.round(ms)}`]
  })
  return [...totals, `total;dur=${Math.round(durationMs)}`].join(', ')
}
