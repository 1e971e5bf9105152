/**
 * Sends requests to one vault on one server: the HTTP layer of the client.
 *
 * @module
 */

import * as z from 'zod/mini'
import { makeProof, type ProofKey } from '../authentication/dpop_proof.ts'
import { isTicket } from '../authentication/ticket.ts'
import { concat, parseUtf8 } from '../bytes.ts'
import { makeSealKey, openSealed, type SealKey } from '../crypto/seal_key.ts'
import { ERROR_CODES, type ErrorDetail, PosternError, type Reason } from '../errors.ts'
import { isLoopbackHostname } from '../loopback.ts'
import { parseVaultId } from '../names.ts'
import { Redacted } from '../redacted.ts'
import { printable } from '../sanitize.ts'
import { Problem } from '../wire/problem.ts'

// Not the list of all refusals: the messages of the server would add to the size of a client.
const REASON = /^[a-z_]{1,32}$/
const MAX_ANSWER_BYTES = 32 * 1024 * 1024
const MAX_DETAIL_LENGTH = 500
type Issue = z.core.$ZodIssue
/** A problem document of this or another server. All fields are optional. */
const Answered = z.catchall(z.partial(Problem), z.unknown())

/** Options of a connection to one vault. */
export interface TransportOptions {
  /** The URL of the server, such as `https://secrets.example.com`. Plain http only to loopback. */
  endpoint: string
  vault: string
  /** An API token, a session's token or an operator's ticket. Only a sign-in with an assertion needs none. */
  token: Redacted<string> | null
  /**
   * Receives the token for which a ticket was exchanged, before any other request is sent. Store the token: the ticket
   * is worthless once the token has been used. An exception ends the request.
   */
  onToken?: (token: Redacted<string>) => void | Promise<void>
  /** The key to which the session is bound, or to bind a new session to. */
  key?: ProofKey
  /** Requests values sealed to a key of this client, so that a proxy that terminates TLS sees only ciphertext. */
  seal?: boolean
  /** Requests approval where a rule demands it, with a reason; or names an approved request. */
  approval?: { ask: string } | { id: string }
  /** The time limit of a request. */
  timeoutMs?: number
  /** Replaces the platform's fetch. */
  fetch?: (request: Request) => Promise<Response>
}

/** Query parameters. `undefined` is left out. */
export type Query = Record<string, string | number | boolean | undefined>

/** One request. */
interface Asked<T extends z.ZodMiniType> {
  method: string
  path: string
  answer: T
  body?: unknown
  headers?: Record<string, string>
  /** Whether the answer is text instead of JSON. */
  text?: true
  /** Whether the answer contains secret values. */
  values?: true
  signal?: AbortSignal | undefined
}

/** Sends one request and returns its answer, checked against its shape. */
export type Ask = <T extends z.ZodMiniType>(asked: Asked<T>) => Promise<z.output<T>>

// Only the part of CreatedToken that a ticket needs: the editor bundles no other shapes of administration.
const GivenToken = z.object({ token: z.string() })

/**
 * Creates the function that sends requests. It exchanges a ticket at the first request, and never sends it again.
 *
 * @throws {PosternError} `bad_request` when the endpoint would carry the token in the clear.
 */
export function transport(options: TransportOptions): Ask {
  const { token, onToken } = options
  if (token === null || !isTicket(token.reveal())) return sender(options)
  // Refused now instead of at the first request.
  originOf(options.endpoint)
  parseVaultId(options.vault)
  let exchanged: Promise<Ask> | null = null
  return async (asked) => {
    // One exchange for all concurrent requests. A failed exchange may be retried: its answer may have been lost.
    exchanged ??= exchange(options, onToken).catch((error) => {
      exchanged = null
      throw error
    })
    return (await exchanged)(asked)
  }
}

/** Exchanges a ticket, and creates the function that sends with the resulting token. */
async function exchange(options: TransportOptions, onToken: TransportOptions['onToken']): Promise<Ask> {
  // A ticket is sent without a key or an approval.
  const { key: _, approval: __, ...plain } = options
  const asked = { method: 'POST', path: 'tokens', answer: GivenToken, values: true } as const
  const token = new Redacted((await sender(plain)(asked)).token)
  await onToken?.(token)
  return sender({ ...options, token })
}

function sender(options: TransportOptions): Ask {
  const base = `${originOf(options.endpoint)}/v1/vaults/${parseVaultId(options.vault)}/`
  // The latest nonce of the server. It refuses a proof without one (RFC 9449 section 9).
  let nonce: string | null = null

  async function once<T extends z.ZodMiniType>(asked: Asked<T>, sealKey: SealKey | null): Promise<Response> {
    const { method, path, body, headers } = asked
    const url = base + path
    const init = {
      method,
      // A token never follows a redirect to another host.
      redirect: 'manual' as const,
      headers: {
        ...(await authorization(options, { method, url, nonce, path, sealKey })),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(sealKey && { 'Postern-Seal-To': sealKey.header }),
        ...approvalHeaders(options),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }
    const response = await sendInTime(new Request(url, init), options, asked.signal)
    nonce = response.headers.get('DPoP-Nonce') ?? nonce
    return response
  }

  return async (asked) => {
    const sealKey = options.seal && asked.values ? await makeSealKey() : null
    const before = nonce
    let response = await once(asked, sealKey)
    // Retried once with the returned nonce, if the server demands one. Any other 401 is final.
    if (response.status === 401 && options.key && nonce !== before) response = await once(asked, sealKey)
    const body = await readAnswer(response, sealKey, asked.text === true)
    if (!response.ok) throw errorOf(body, response)
    const result = answerOf(asked.answer, body)
    if (!result.success) throw new PosternError('unavailable', 'The server sent an answer of an unexpected shape')
    return result.data
  }
}

/**
 * Checks an answer against its shape and removes unknown fields, which a newer server may add.
 *
 * @param body The output of a parser. It is modified in place.
 */
function answerOf<T extends z.ZodMiniType>(shape: T, body: unknown) {
  const result = shape.safeParse(body)
  return result.success || !withoutStrays(body, result.error.issues) ? result : shape.safeParse(body)
}

/** Removes unknown fields if nothing else is wrong. */
function withoutStrays(body: unknown, issues: readonly Issue[]): boolean {
  return issues.every((issue) => {
    const at = issue.path.reduce((value, key) => (value as Record<PropertyKey, unknown>)[key], body)
    // For a union, the first shape that fits except for unknown fields decides.
    if (issue.code === 'invalid_union') return issue.errors.some((these) => withoutStrays(at, these))
    return issue.code === 'unrecognized_keys' && issue.keys.every((key) => Reflect.deleteProperty(at as object, key))
  })
}

async function authorization(
  { token, key }: TransportOptions,
  about: { method: string; url: string; nonce: string | null; path: string; sealKey: SealKey | null },
): Promise<Record<string, string>> {
  const text = token?.reveal()
  if (key === undefined) return text === undefined ? {} : { Authorization: `Bearer ${text}` }
  // At sign-in the proof shows possession of the key, and the new session is bound to it.
  const signIn = about.path === 'sessions' && about.method === 'POST'
  const { method, url, nonce, sealKey } = about
  const DPoP = await makeProof(key, {
    method,
    url,
    nonce,
    token: signIn || text === undefined ? null : text,
    ...(sealKey && { seal: sealKey.thumbprint }),
  })
  return text === undefined ? { DPoP } : { DPoP, Authorization: `${signIn ? 'Bearer' : 'DPoP'} ${text}` }
}

function approvalHeaders({ approval }: TransportOptions): Record<string, string> {
  if (approval === undefined) return {}
  return 'id' in approval ? { Approval: approval.id } : { Approval: 'ask', 'Approval-Reason': approval.ask }
}

async function sendInTime(
  request: Request,
  { timeoutMs = 10_000, fetch: send = fetch }: TransportOptions,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    return await send(new Request(request, { signal: signal ? AbortSignal.any([signal, deadline]) : deadline }))
  } catch {
    signal?.throwIfAborted()
    throw new PosternError(
      'unavailable',
      deadline.aborted ? 'The server did not answer in time' : 'The server cannot be reached',
    )
  }
}

function originOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHostname(url.hostname))) return url.origin
  throw new PosternError('bad_request', 'The endpoint must be an https URL, or an http URL on loopback', {
    field: 'endpoint',
  })
}

async function readAnswer(response: Response, sealKey: SealKey | null, isText: boolean): Promise<unknown> {
  const bytes = await readBytes(response)
  const isSealed = response.headers.get('Content-Type') === 'application/jose'
  // A server that ignores the request to seal is not the expected server.
  if (response.ok && sealKey && !isSealed) throw new PosternError('tampered', 'The server did not seal its answer')
  const text = parseUtf8(bytes)
  if (isText && response.ok) return text
  const json = isSealed && sealKey ? await unsealed(text, sealKey, response) : text
  try {
    return JSON.parse(json ?? '')
  } catch {
    // The parser's error would quote the answer.
    throw new PosternError('unavailable', 'The server sent an answer that is not JSON')
  }
}

async function unsealed(jwe: string | null, sealKey: SealKey, response: Response): Promise<string | null> {
  return parseUtf8(await openSealed(jwe ?? '', sealKey, response.headers.get('Request-Id') ?? ''))
}

async function readBytes(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    const reader = response.body?.getReader()
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      size += read.value.length
      if (size > MAX_ANSWER_BYTES) throw new RangeError('The answer is too large')
      chunks.push(read.value)
    }
  } catch {
    throw new PosternError('unavailable', 'The server sent an incomplete answer')
  }
  return concat(...chunks)
}

/** Converts a problem document to a `PosternError`. Unknown codes and malformed reasons are dropped. */
export function errorOf(body: unknown, response?: Response): PosternError {
  const known = Answered.safeParse(body)
  const {
    code,
    detail = 'Server refused',
    reason,
    field,
    limitBytes,
    auditIndex,
    passedOver,
    approval,
  } = known.data ?? {}
  const retryAfter = Number(response?.headers.get('Retry-After') ?? Number.NaN)
  const facts: ErrorDetail = {
    ...(reason !== undefined && REASON.test(reason) && { reason: reason as Reason }),
    ...(field && { field }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(auditIndex !== undefined && { auditIndex }),
    ...(passedOver && { passedOver }),
    ...(approval && { approval: { ...approval, expiresAt: Date.parse(approval.expiresAt) } }),
    ...(response?.status === 412 && { precondition: true as const }),
    ...(Number.isFinite(retryAfter) && { retryAfterSeconds: retryAfter }),
  }
  // The text ends up in logs and terminals, and the sender may not be the expected server.
  const message = printable(detail.slice(0, MAX_DETAIL_LENGTH))
  return new PosternError(ERROR_CODES.find((one) => one === code) ?? 'unavailable', message, facts)
}
