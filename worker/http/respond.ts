/**
 * Writes the answers of a vault: JSON or a JWE, with audit index and rate limits.
 *
 * @module
 */
import { type Recipient, sealTo } from '../../core/crypto/seal_to.ts'
import type { Quota } from '../../core/vault/rpc.ts'
import type { RequestContext } from './request_context.ts'

/** Writes a time for the wire, from milliseconds since the Unix epoch. */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}

/** Returns `{ [key]: time }`; an empty object for `null`. */
export function when<K extends string>(key: K, ms: number | null): Partial<Record<K, string>> {
  return ms === null ? {} : ({ [key]: iso(ms) } as Record<K, string>)
}

/** What the vault says about an answer: the index of its audit entry, and the rate limit. */
interface ResponseFacts {
  index: number | null
  quota: Quota | null
}

/** Answers with JSON, the index of its audit entry, and the rate limit headers. */
export function answer(c: RequestContext, facts: ResponseFacts, body: object, status: 200 | 201 = 200): Response {
  setVaultHeaders(c, facts)
  return c.json(body, status)
}

/** Answers with JSON that holds values, sealed to the recipient as a JWE if there is one. */
export async function answerWithValues(
  c: RequestContext,
  facts: ResponseFacts,
  body: object,
  recipient: Recipient | null,
  status: 200 | 201 = 200,
): Promise<Response> {
  if (recipient === null) return answer(c, facts, body, status)
  setVaultHeaders(c, facts)
  const jwe = await sealTo(recipient, JSON.stringify(body), c.var.requestId)
  return c.body(jwe, status, { 'Content-Type': 'application/jose' })
}

/** Sets `Audit-Index` and the rate limit headers. */
export function setVaultHeaders(c: RequestContext, { index, quota }: ResponseFacts): void {
  if (index !== null) c.header('Audit-Index', String(index))
  if (quota !== null) for (const [name, value] of rateHeaders(quota)) c.header(name, value)
}

/** The rate limit headers (draft-ietf-httpapi-ratelimit-headers-10). */
function rateHeaders({ name, limit, remaining, retryAfterMs }: Quota): [string, string][] {
  const seconds = Math.ceil(limit.periodMs / 1000)
  // When the quota is used up, one request is admitted after each interval.
  const waitMs = remaining > 0 ? 0 : Math.max(retryAfterMs, limit.periodMs / limit.requests)
  return [
    ['RateLimit-Policy', `"${name}";q=${limit.requests};w=${seconds}`],
    ['RateLimit', `"${name}";r=${remaining};t=${Math.ceil(waitMs / 1000)}`],
  ]
}
