/**
 * What is seen of a request while it is served: where its time goes, and what becomes of it. Nothing of this is there
 * unless settings ask for it.
 *
 * @module
 */
import type { Context, MiddlewareHandler } from 'hono'
import { PosternError } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import { formatTraceparent, newTraceId, type TraceContext } from '../core/trace.ts'
import type { Env } from './context.ts'
import type { Meters } from './meters.ts'
import type { Tracer } from './otlp.ts'
import { type Route, routeOf } from './route_table.ts'

/** What a request spends its time on: who asks, the vault's transaction, opening a value, another store. */
export const PHASES = ['identify', 'vault', 'open', 'provider'] as const
export type Phase = (typeof PHASES)[number]

/** One phase as it went; times are in milliseconds since the request began. */
export interface Span {
  phase: Phase
  id: string
  startMs: number
  endMs: number
}

/** One request as it is served. */
export class Observation {
  /** Milliseconds since the Unix epoch. */
  readonly startedAt = Date.now()
  readonly spans: Span[] = []
  /** Where this request is in a trace; `null` when none is made. */
  readonly trace: TraceContext | null
  readonly #start = performance.now()

  constructor(trace: TraceContext | null) {
    this.trace = trace
  }

  /** Does work and notes how long it took; `traceparent` is what another server is to be told. */
  async time<T>(phase: Phase, work: (traceparent?: string) => Promise<T>): Promise<T> {
    const span = { phase, id: this.trace ? newTraceId(8) : '', startMs: this.elapsedMs(), endMs: 0 }
    this.spans.push(span)
    try {
      return await (this.trace ? work(formatTraceparent({ ...this.trace, spanId: span.id })) : work())
    } finally {
      span.endMs = this.elapsedMs()
    }
  }

  elapsedMs(): number {
    return performance.now() - this.#start
  }
}

/** As {@link Observation.time}, where there may be nobody to note it. */
export function timed<T>(
  observation: Observation | undefined,
  phase: Phase,
  work: (traceparent?: string) => Promise<T>,
): Promise<T> {
  return observation === undefined ? work() : observation.time(phase, work)
}

/** Who is told of what was seen; `null` where nobody asked to be. */
export interface Observers {
  meters: Meters | null
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

/** A request that was answered. */
export interface Ended {
  route: Route | null
  method: string
  status: number
  /** `ok`, or the code of the error. */
  outcome: string
  observation: Observation
  durationMs: number
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
