/**
 * What is seen of a request while it is served: where its time goes, and what becomes of it. Nothing of this is there
 * unless settings ask for it.
 *
 * @module
 */
import { formatTraceparent, newTraceId, type TraceContext } from '../../core/http/trace_context.ts'

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

/** A request that was answered. */
export interface Ended {
  /** The operation, and its path as OpenAPI writes it; `null` where there is none. */
  route: { id: string; path: string } | null
  method: string
  status: number
  /** `ok`, or the code of the error. */
  outcome: string
  observation: Observation
  durationMs: number
}
