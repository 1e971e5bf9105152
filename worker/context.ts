import type { Context } from 'hono'
import type * as z from 'zod/mini'
import type { IssuerKeys } from '../core/access/federation.ts'
import type { Caller, Quota } from '../core/call.ts'
import type { DekCache } from '../core/crypto/envelope.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import { parseRecipient, type Recipient, sealTo } from '../core/crypto/seal_to.ts'
import { badRequest } from '../core/errors.ts'
import type { Upstreams } from '../core/providers/upstreams.ts'
import type { Settings } from '../core/settings.ts'
import { check } from '../core/wire.ts'
import type { Connection } from './address.ts'
import type { Gateway } from './gateway.ts'
import type { Host, VaultHandle } from './host.ts'
import type { Meters } from './meters.ts'
import type { Observation } from './observation.ts'
import type { Tracer } from './otlp.ts'

/** What the app is made of. */
export interface Parts {
  settings: Settings
  keyring: Keyring
  host: Host
  deks: DekCache
  issuerKeys: IssuerKeys
  upstreams: Upstreams
  gateway: Gateway
  /** What is counted of requests; `null` where nobody asks. */
  meters: Meters | null
  /** Where traces go to; `null` where they go nowhere. */
  tracer: Tracer | null
}

/** What Hono carries with each request. */
export interface Env {
  Bindings: Connection
  Variables: {
    requestId: string
    /** Set once the client was told that it took too long: what would be stored after that could undo what was stored since. */
    late: true | undefined
    /** Where the time goes; `undefined` where nobody wants to know. */
    observation: Observation | undefined
    /** Below `/v1/vaults/{vault}/`: the vault's id, its handle, and who asks. */
    vault: string
    handle: VaultHandle
    caller: Caller
    /** The key that the caller's proof wants the answer sealed to; `undefined` without a proof. */
    seal: string | null | undefined
  }
}

/**
 * Checks the query of a request: no unknown key, none twice.
 *
 * @throws {PosternError} `bad_request`
 */
export function query<T extends z.ZodMiniType>(c: Context<Env>, schema: T): z.output<T> {
  const { url } = c.req
  const params = url.includes('?') ? [...new URL(url).searchParams] : []
  if (new Set(params.map(([key]) => key)).size < params.length) throw badRequest('query', 'Query has a key twice')
  return check(schema, Object.fromEntries(params), 'query')
}

/** Checks those headers of a request that a schema names. */
export function headers<T extends z.ZodMiniObject>(c: Context<Env>, schema: T): z.output<T> {
  const given = Object.keys(schema.shape).flatMap((name) => {
    const value = c.req.header(name)
    return value === undefined ? [] : [[name, value]]
  })
  return check(schema, Object.fromEntries(given), 'headers')
}

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

/**
 * Reads to whom an answer with values is to be sealed, if to anybody. To be called before the vault is
 * asked: what cannot be sealed must not be released.
 *
 * @throws {PosternError} `bad_request`
 */
export async function recipientOf(c: Context<Env>): Promise<Recipient | null> {
  const header = c.req.header('Postern-Seal-To')
  const seal = c.get('seal')
  if (header === undefined) {
    if (seal) throw badRequest('Postern-Seal-To', 'Must be there: the proof names it')
    return null
  }
  const recipient = await parseRecipient(header)
  // With a proof, the key has to be in it: a proxy in between could put its own in place otherwise.
  if (seal !== undefined && seal !== recipient.thumbprint)
    throw badRequest('Postern-Seal-To', 'Must be the key that the proof names')
  return recipient
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
