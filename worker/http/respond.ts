/**
 * Answers in JSON or as a JWE, with the headers that every answer of a vault has.
 *
 * @module
 */
import type { Context } from 'hono'
import { type Recipient, sealTo } from '../../core/crypto/seal_to.ts'
import type { Quota } from '../../core/vault/rpc.ts'
import type { Env } from '../services.ts'

/** Writes a time for the wire. */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}

/** `{ [key]: time }`, or nothing when there is none. */
export function when<K extends string>(key: K, ms: number | null): Partial<Record<K, string>> {
  return ms === null ? {} : ({ [key]: iso(ms) } as Record<K, string>)
}

/** What the vault said about its answer. */
interface About {
  index: number | null
  quota: Quota | null
}

/** Answers with JSON, the index of the audit entry that records it, and what the rate limits leave. */
export function answer(c: Context<Env>, about: About, body: object, status: 200 | 201 = 200): Response {
  label(c, about)
  return c.json(body, status)
}

/** Answers with JSON that holds values: sealed to the recipient when there is one. */
export async function answerWithValues(
  c: Context<Env>,
  about: About,
  body: object,
  recipient: Recipient | null,
  status: 200 | 201 = 200,
): Promise<Response> {
  if (recipient === null) return answer(c, about, body, status)
  label(c, about)
  const jwe = await sealTo(recipient, JSON.stringify(body), c.var.requestId)
  return c.body(jwe, status, { 'Content-Type': 'application/jose' })
}

/** Puts on an answer what the vault said about it. */
export function label(c: Context<Env>, { index, quota }: About): void {
  if (index !== null) c.header('Audit-Index', String(index))
  if (quota !== null) for (const [name, value] of rateHeaders(quota)) c.header(name, value)
}

/** The rate limit headers (draft-ietf-httpapi-ratelimit-headers-10). */
export function rateHeaders({ name, limit, remaining, retryAfterMs }: Quota): [string, string][] {
  const seconds = Math.ceil(limit.periodMs / 1000)
  // When nothing is left, one more comes after an interval.
  const waitMs = remaining > 0 ? 0 : Math.max(retryAfterMs, limit.periodMs / limit.requests)
  return [
    ['RateLimit-Policy', `"${name}";q=${limit.requests};w=${seconds}`],
    ['RateLimit', `"${name}";r=${remaining};t=${Math.ceil(waitMs / 1000)}`],
  ]
}
