/**
 * Has requests observed, and tells who wants to know of what was seen.
 *
 * @module
 */
import type { Context, MiddlewareHandler } from 'hono'
import { PosternError } from '../../core/errors.ts'
import type { Settings } from '../../core/settings/settings.ts'
import type { Env } from '../services.ts'
import type { RequestCounters } from '../telemetry/counters.ts'
import type { Tracer } from '../telemetry/otlp.ts'
import { type Ended, Observation, PHASES } from '../telemetry/request_timing.ts'
import { routeOf } from './route_table.ts'

/** Who is told of what was seen; `null` where nobody asked to be. */
export interface Observers {
  meters: RequestCounters | null
  tracer: Tracer | null
  settings: Pick<Settings, 'serverTiming'>
}

/** The outermost middleware, for where anything is to be observed; `null` otherwise. */
export function observe({ meters, tracer, settings }: Observers): MiddlewareHandler<Env> | null {
  if (meters === null && tracer === null && !settings.serverTiming) return null
  return async (c, next) => {
    const observation = new Observation(tracer?.begin(c.req.header('traceparent')) ?? null)
    c.set('observation', observation)
    await next()
    const ended = { ...ending(c), observation, durationMs: observation.elapsedMs() }
    meters?.note(ended)
    if (settings.serverTiming && c.var.caller !== undefined && c.res.ok) {
      c.res.headers.set('Server-Timing', serverTiming(ended))
    }
    // Strangers must not fill a collector: what is traced has a token of ours.
    if (tracer !== null && c.var.caller?.credential) tracer.end(ended, c.env.waitUntil)
  }
}

function ending(c: Context<Env>): Pick<Ended, 'route' | 'method' | 'status' | 'outcome'> {
  const { status } = c.res
  return { route: routeOf(c), method: c.req.method, status, outcome: outcomeOf(status, c.error) }
}

/** By the status, where the error was made into an answer elsewhere. */
const BY_STATUS: Record<number, string> = {
  400: 'bad_request',
  404: 'not_found',
  405: 'bad_request',
  503: 'unavailable',
}

function outcomeOf(status: number, error: unknown): string {
  if (status < 400) return 'ok'
  return BY_STATUS[status] ?? (error instanceof PosternError ? error.code : 'internal')
}

/** `Server-Timing` in whole milliseconds: more would tell a stranger's cache from one's own, and a hit from a miss. */
function serverTiming({ observation, durationMs }: Ended): string {
  const totals = PHASES.flatMap((phase) => {
    const spans = observation.spans.filter((span) => span.phase === phase)
    const ms = spans.reduce((total, { startMs, endMs }) => total + (endMs - startMs), 0)
    return spans.length === 0 ? [] : [`${phase};dur=${Math.round(ms)}`]
  })
  return [...totals, `total;dur=${Math.round(durationMs)}`].join(', ')
}
