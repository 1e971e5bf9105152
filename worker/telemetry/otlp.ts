/**
 * Traces for a collector: OTLP over HTTP, in its JSON form, a hundred lines instead of a kit that is larger than the
 * rest of the Worker. A request never waits for it: what finds no room, or a collector that does not take it, is
 * dropped and counted.
 *
 * @module
 */
import { send } from '../../core/http/send.ts'
import { newTraceId, parseTraceparent, type TraceContext } from '../../core/http/trace_context.ts'
import type { Settings } from '../../core/settings/settings.ts'
import { logLine } from './log.ts'
import type { Ended, Span } from './request_timing.ts'

/** Spans that wait at most. A request has a handful. */
const MAX_WAITING = 4096
const MAX_BATCH = 512
const FLUSH_MS = 2000
const TIMEOUT_MS = 5000
const SERVER = 2
const CLIENT = 3
const INTERNAL = 1
const ERROR = 2

/** A span as OTLP writes it in JSON. */
interface OtlpSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: Attribute[]
  status: { code?: number }
}

interface Attribute {
  key: string
  value: { stringValue: string } | { intValue: string }
}

/** Makes the tracer that settings ask for. */
export function tracerOf(settings: Pick<Settings, 'traces' | 'appName'>): Tracer | null {
  return settings.traces.url === undefined ? null : new Tracer(settings)
}

/** Collects spans and sends them on. */
export class Tracer {
  readonly #settings: Pick<Settings, 'traces' | 'appName'>
  readonly #parents = new WeakMap<TraceContext, string>()
  #waiting: OtlpSpan[] = []
  #flushing: Promise<void> | null = null
  #timer: ReturnType<typeof setTimeout> | null = null
  /** Spans that a collector took, and spans that none has. */
  readonly counts = { exported: 0, dropped: 0 }

  constructor(settings: Pick<Settings, 'traces' | 'appName'>) {
    this.#settings = settings
  }

  /**
   * Where a request is in a trace: below who asks, if that is said, or at its root. Who asks may have it left out,
   * but not put in: what is sampled is decided by the trace's id alone.
   */
  begin(traceparent: string | undefined): TraceContext {
    const parent = parseTraceparent(traceparent)
    const traceId = parent?.traceId ?? newTraceId(16)
    const share = Number.parseInt(traceId.slice(-8), 16) / 2 ** 32
    const sampled = (parent?.sampled ?? true) && share < this.#settings.traces.samplePercent / 100
    const context = { traceId, spanId: newTraceId(8), sampled }
    if (parent !== null) this.#parents.set(context, parent.spanId)
    return context
  }

  /**
   * Takes what was seen of a request.
   *
   * @param waitUntil Keeps a Worker alive until it is sent; elsewhere a timer sees to it.
   */
  end(ended: Ended, waitUntil: ((work: Promise<unknown>) => void) | undefined): void {
    const { trace } = ended.observation
    if (!trace?.sampled) return
    const spans = spansOf(ended, trace, this.#parents.get(trace))
    const room = MAX_WAITING - this.#waiting.length
    if (spans.length > room) {
      this.counts.dropped += spans.length
      return
    }
    this.#waiting.push(...spans)
    if (waitUntil !== undefined) waitUntil(this.flush())
    else this.#schedule()
  }

  /** Sends what waits. It never throws. */
  flush(): Promise<void> {
    this.#flushing ??= this.#sendAll().finally(() => {
      this.#flushing = null
    })
    return this.#flushing
  }

  #schedule(): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.flush()
    }, FLUSH_MS)
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, MAX_BATCH)
      this.#waiting = this.#waiting.slice(MAX_BATCH)
      const taken = await this.#post(batch)
      this.counts[taken ? 'exported' : 'dropped'] += batch.length
      if (!taken) logLine('warn', 'traces_dropped', { spans: batch.length })
    }
  }

  async #post(spans: OtlpSpan[]): Promise<boolean> {
    const { url = '', token } = this.#settings.traces
    const resource = { attributes: [text('service.name', this.#settings.appName)] }
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'postern' }, spans }] }] })
    const headers = {
      'Content-Type': 'application/json',
      ...(token && { Authorization: `Bearer ${token.reveal()}` }),
    }
    // The operator named the address: it may be on this machine.
    const options = { allowLoopback: true, timeoutMs: TIMEOUT_MS }
    return send(url, { method: 'POST', headers, body }, options).then(
      ({ status }) => status >= 200 && status < 300,
      () => false,
    )
  }
}

/** The span of a request and those of its phases. No name of a secret or a vault, no address, no query. */
function spansOf(ended: Ended, trace: TraceContext, parent: string | undefined): OtlpSpan[] {
  const { route, method, status, outcome, observation, durationMs } = ended
  const { traceId, spanId } = trace
  const at = (ms: number) => String(BigInt(observation.startedAt) * 1_000_000n + BigInt(Math.round(ms * 1_000_000)))
  const attributes = [
    text('http.request.method', method),
    ...(route ? [text('http.route', route.path), text('postern.operation', route.id)] : []),
    { key: 'http.response.status_code', value: { intValue: String(status) } },
    ...(outcome === 'ok' ? [] : [text('error.type', outcome)]),
  ]
  const request = {
    ...{ traceId, spanId, ...(parent !== undefined && { parentSpanId: parent }) },
    name: route ? `${method} ${route.path}` : method,
    kind: SERVER,
    startTimeUnixNano: at(0),
    endTimeUnixNano: at(durationMs),
    attributes,
    status: status >= 500 ? { code: ERROR } : {},
  }
  const phases = observation.spans.map(({ phase, id, startMs, endMs }: Span) => ({
    ...{ traceId, spanId: id, parentSpanId: spanId, name: phase, attributes: [], status: {} },
    kind: phase === 'provider' ? CLIENT : INTERNAL,
    startTimeUnixNano: at(startMs),
    // One that was given up has no end of its own.
    endTimeUnixNano: at(Math.max(startMs, endMs === 0 ? durationMs : endMs)),
  }))
  return [request, ...phases]
}

function text(key: string, value: string): Attribute {
  return { key, value: { stringValue: value } }
}
