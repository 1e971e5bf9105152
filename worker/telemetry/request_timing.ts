/**
 * Where the time of one request goes. A request is timed only if settings ask for metrics, traces or `Server-Timing`.
 *
 * @module
 */
import { formatTraceparent, newTraceId, type TraceContext } from '../../core/http/trace_context.ts'

/** The phases of a request: authentication, the vault's transaction, decryption, and requests to a provider. */
export const PHASES = ['identify', 'vault', 'open', 'provider'] as const
/** A phase of a request. */
export type Phase = (typeof PHASES)[number]

/** One phase of one request. Times are in milliseconds since the request began. */
export interface PhaseSpan {
  phase: Phase
  /** The span's id in a trace; empty when the request is not traced. */
  id: string
  startMs: number
  endMs: number
}

/** Times the phases of one request. */
export class RequestTiming {
  /** Milliseconds since the Unix epoch. */
  readonly startedAt = Date.now()
  readonly spans: PhaseSpan[] = []
  /** The place of this request in a trace; `null` when it is not traced. */
  readonly trace: TraceContext | null
  readonly #start = performance.now()

  constructor(trace: TraceContext | null) {
    this.trace = trace
  }

  /**
   * Does work and records how long it took.
   *
   * @param work Is given the `traceparent` to send to another server, when the request is traced.
   */
  async time<T>(phase: Phase, work: (traceparent?: string) => Promise<T>): Promise<T> {
    const span = { phase, id: this.trace ? newTraceId(8) : '', startMs: this.elapsedMs(), endMs: 0 }
    this.spans.push(span)
    try {
      return await (this.trace ? work(formatTraceparent({ ...this.trace, spanId: span.id })) : work())
    } finally {
      span.endMs = this.elapsedMs()
    }
  }

  /** Milliseconds since the request began. */
  elapsedMs(): number {
    return performance.now() - this.#start
  }
}

/** Like {@link RequestTiming.time}, for requests that may not be timed. */
export function timed<T>(
  timing: RequestTiming | undefined,
  phase: Phase,
  work: (traceparent?: string) => Promise<T>,
): Promise<T> {
  return timing === undefined ? work() : timing.time(phase, work)
}

/** A request that was answered. */
export interface AnsweredRequest {
  /** The operation, and its path as OpenAPI writes it; `null` for a request without a route. */
  route: { id: string; path: string } | null
  method: string
  status: number
  /** `ok`, or the code of the error. */
  outcome: string
  timing: RequestTiming
  durationMs: number
}
