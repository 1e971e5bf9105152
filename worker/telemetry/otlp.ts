/**
 * Exports traces by OTLP over HTTP, in its JSON encoding. The OpenTelemetry SDK is larger than the rest of the Worker;
 * this exporter has a hundred lines.
 *
 * No request waits for the exporter: spans that find no room, or that the collector does not accept, are dropped and
 * counted.
 *
 * @module
 */
import { type SendOptions, send } from '../../core/http/send.ts'
import { newTraceId, parseTraceparent, type TraceContext } from '../../core/http/trace_context.ts'
import type { ReadFile } from '../../core/providers/credential_file.ts'
import type { Settings } from '../../core/settings/settings.ts'
import { bearerHeader, bearerSource, type CredentialSource } from '../operator_credentials.ts'
import { logLine } from './log.ts'
import type { AnsweredRequest, PhaseSpan } from './request_timing.ts'

/** The largest number of waiting spans. A request has only a few. */
const MAX_WAITING = 4096
const MAX_BATCH = 512
const FLUSH_MS = 2000
const TIMEOUT_MS = 5000
const SERVER = 2
const CLIENT = 3
const INTERNAL = 1
const ERROR = 2

/** A span in the JSON encoding of OTLP. */
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

/** Makes the tracer; `null` without a collector in the settings. */
export function tracerOf(
  settings: Pick<Settings, 'traces' | 'appName'>,
  options: SendOptions,
  readFile?: ReadFile,
): Tracer | null {
  return settings.traces.url === undefined ? null : new Tracer(settings, options, readFile)
}

/** Collects spans and sends them to the collector. */
export class Tracer {
  readonly #settings: Pick<Settings, 'traces' | 'appName'>
  readonly #options: SendOptions
  readonly #token: CredentialSource | undefined
  readonly #parents = new WeakMap<TraceContext, string>()
  #waiting: OtlpSpan[] = []
  #flushing: Promise<void> | null = null
  #timer: ReturnType<typeof setTimeout> | null = null
  /** Spans that the collector accepted, and spans that were dropped. */
  readonly counts = { exported: 0, dropped: 0 }

  /** @param options How requests to the collector are sent. */
  constructor(settings: Pick<Settings, 'traces' | 'appName'>, options: SendOptions, readFile?: ReadFile) {
    this.#settings = settings
    this.#options = options
    const { token: value, tokenFile: path } = settings.traces
    this.#token = bearerSource({ value, path, setting: 'POSTERN_TRACES__TOKEN_FILE' }, readFile)
  }

  /**
   * Begins the span of a request: below the client's span, or as the root of a new trace. The client can opt out of
   * sampling, but not in: the trace's id alone decides.
   *
   * @param traceparent The header of the request; hostile.
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
   * Ends the span of a request, and queues it with the spans of its phases.
   *
   * @param waitUntil Keeps a Worker alive until the spans are sent. Without it, a timer sends them.
   */
  end(answered: AnsweredRequest, waitUntil: ((work: Promise<unknown>) => void) | undefined): void {
    const { trace } = answered.timing
    if (!trace?.sampled) return
    const spans = spansOf(answered, trace, this.#parents.get(trace))
    const room = MAX_WAITING - this.#waiting.length
    if (spans.length > room) {
      this.counts.dropped += spans.length
      return
    }
    this.#waiting.push(...spans)
    if (waitUntil !== undefined) waitUntil(this.flush())
    else this.#schedule()
  }

  /** Sends the spans that wait. Never throws. */
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
    const { url = '' } = this.#settings.traces
    const resource = { attributes: [text('service.name', this.#settings.appName)] }
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'postern' }, spans }] }] })
    const options = { ...this.#options, timeoutMs: TIMEOUT_MS }
    try {
      const headers = { 'Content-Type': 'application/json', ...(await bearerHeader(this.#token)) }
      const { status } = await send(url, { method: 'POST', headers, body }, options)
      return status >= 200 && status < 300
    } catch {
      return false
    }
  }
}

/** The spans of a request and of its phases. They hold no name of a secret or a vault, no address and no query. */
function spansOf(answered: AnsweredRequest, trace: TraceContext, parent: string | undefined): OtlpSpan[] {
  const { route, method, status, outcome, timing, durationMs } = answered
  const { traceId, spanId } = trace
  const at = (ms: number) => String(BigInt(timing.startedAt) * 1_000_000n + BigInt(Math.round(ms * 1_000_000)))
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
  const phases = timing.spans.map(({ phase, id, startMs, endMs }: PhaseSpan) => ({
    ...{ traceId, spanId: id, parentSpanId: spanId, name: phase, attributes: [], status: {} },
    kind: phase === 'provider' ? CLIENT : INTERNAL,
    startTimeUnixNano: at(startMs),
    // A phase that was abandoned has no end of its own.
    endTimeUnixNano: at(Math.max(startMs, endMs === 0 ? durationMs : endMs)),
  }))
  return [request, ...phases]
}

function text(key: string, value: string): Attribute {
  return { key, value: { stringValue: value } }
}
