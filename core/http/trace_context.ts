/**
 * W3C Trace Context (Level 1): the trace of a request, read from the client and passed on to providers.
 *
 * @module
 */
import { hex, randomBytes } from '../bytes.ts'

/** A place in a trace. */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string
  /** 16 hexadecimal digits. */
  spanId: string
  sampled: boolean
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/**
 * Reads `traceparent`. Returns `null` if it is malformed. Hostile input.
 *
 * A future version is read as far as this version defines it (section 4.3).
 */
export function parseTraceparent(text: string | undefined): TraceContext | null {
  const [, version = '', traceId = '', spanId = '', flags = '', more] = FORM.exec(text ?? '') ?? []
  const wrong = version === '' || version === 'ff' || (version === '00' && more !== undefined)
  if (wrong || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return null
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** Writes `traceparent`. */
export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/** Generates an id of a trace (16 bytes) or of a span (8 bytes). */
export function newTraceId(bytes: 8 | 16): string {
  return hex(randomBytes(bytes))
}

// Keyed by the signal of a request to a provider, which already passes through the adapters, so they need not know
// about traces.
const carried = new WeakMap<AbortSignal, string>()

/** Adds `traceparent` to requests with this signal, if they go to a store of the operator. */
export function carry(signal: AbortSignal, traceparent: string | undefined): AbortSignal {
  if (traceparent !== undefined) carried.set(signal, traceparent)
  return signal
}

/** The header for a request with this signal. */
export function traceHeaders(signal: AbortSignal | null | undefined): { traceparent?: string } {
  const traceparent = signal ? carried.get(signal) : undefined
  return traceparent === undefined ? {} : { traceparent }
}
