/**
 * Requests to one vault of one server: the half of the client that knows HTTP.
 *
 * @module
 */

import * as z from 'zod/mini'
import { makeProof, type ProofKey } from '../authentication/dpop_proof.ts'
import { isTicket } from '../authentication/ticket.ts'
import { concat, parseUtf8 } from '../bytes.ts'
import { makeSealKey, openSealed, type SealKey } from '../crypto/seal_key.ts'
import { ERROR_CODES, type ErrorDetail, PosternError, type Reason } from '../errors.ts'
import { isLoopback } from '../loopback.ts'
import { parseVaultId } from '../names.ts'
import { Redacted } from '../redacted.ts'
import { printable } from '../sanitize.ts'
import { Problem } from '../wire/problem.ts'

// Not the list of all: their messages, which are the server's, would be a part of what a client weighs.
const REASON = /^[a-z_]{1,32}$/
const MAX_ANSWER_BYTES = 32 * 1024 * 1024
const MAX_DETAIL_LENGTH = 500
type Issue = z.core.$ZodIssue
/** An error body, of this server or of one in front of it. Every field may be missing. */
const Answered = z.catchall(z.partial(Problem), z.unknown())

/** How to reach a server and sign in to it. */
export interface TransportOptions {
  /** Where the server is, such as `https://secrets.example.com`. Plain http only to loopback. */
  endpoint: string
  vault: string
  /** An API token or a session's, or an operator's ticket; none only to sign in with an assertion. */
  token: Redacted<string> | null
  /**
   * Called with the token that a ticket was exchanged for, before anything else is sent: keep it. The ticket opens
   * nothing once that token is used. What it throws ends the request.
   */
  onToken?: (token: Redacted<string>) => void | Promise<void>
  /** The key to which the session is bound, or will be bound. */
  key?: ProofKey
  /** Asks for values sealed to a key of this client: who ends TLS in between sees ciphertext. */
  seal?: boolean
  /** Asks others to approve every request that needs it, and why; or names the request that they approved. */
  approval?: { ask: string } | { id: string }
  /** How long one request may take. */
  timeoutMs?: number
  /** In place of the platform's fetch. */
  fetch?: (request: Request) => Promise<Response>
}

/** The parameters of a query. `undefined` parameters are omitted. */
export type Query = Record<string, string | number | boolean | undefined>

/** One request. */
interface Asked<T extends z.ZodMiniType> {
  method: string
  path: string
  answer: T
  body?: unknown
  headers?: Record<string, string>
  /** Whether the answer is text rather than JSON. */
  text?: true
  /** Whether the answer holds values. */
  values?: true
  signal?: AbortSignal | undefined
}

/** Sends one request and returns its answer, checked against its shape. */
export type Ask = <T extends z.ZodMiniType>(asked: Asked<T>) => Promise<z.output<T>>

// The field of CreatedToken that is used here. The other shapes of administration stay out of the bundle of the editor.
const GivenToken = z.object({ token: z.string() })

/**
 * Makes the one function that sends. A ticket is exchanged with the first request, and never sent again after that.
 *
 * @throws {PosternError} `bad_request` when the endpoint would carry the token in the clear.
 */
export function transport(options: TransportOptions): Ask {
  const { token, onToken } = options
  if (token === null || !isTicket(token.reveal())) return sender(options)
  // Refused now, and not with the first request.
  originOf(options.endpoint)
  parseVaultId(options.vault)
  let exchanged: Promise<Ask> | null = null
  return async (asked) => {
    // Once for all that ask meanwhile. An exchange that failed may be tried again: its answer may have been lost.
    exchanged ??= exchange(options, onToken).catch((error) => {
      exchanged = null
      throw error
    })
    return (await exchanged)(asked)
  }
}

/** Exchanges a ticket, and makes the function that sends with what it gave. */
async function exchange(options: TransportOptions, onToken: TransportOptions['onToken']): Promise<Ask> {
  // Neither a key nor an approval goes with a ticket.
  const { key: _, approval: __, ...plain } = options
  const asked = { method: 'POST', path: 'tokens', answer: GivenToken, values: true } as const
  const token = new Redacted((await sender(plain)(asked)).token)
  await onToken?.(token)
  return sender({ ...options, token })
}

function sender(options: TransportOptions): Ask {
  const base = `${originOf(options.endpoint)}/v1/vaults/${parseVaultId(options.vault)}/`
  // The server's last nonce: a proof without one is refused (RFC 9449 section 9).
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
    // Once more with the nonce that came back, as a proof is asked for; any other 401 is final.
    if (response.status === 401 && options.key && nonce !== before) response = await once(asked, sealKey)
    const body = await readAnswer(response, sealKey, asked.text === true)
    if (!response.ok) throw errorOf(body, response)
    const result = answerOf(asked.answer, body)
    if (!result.success) throw new PosternError('unavailable', 'Server gave an answer of another shape')
    return result.data
  }
}

/**
 * Checks a response by its shape and removes the fields that the shape does not have: a newer server may send more.
 *
 * @param body The result of a parser that nothing else uses: the fields are deleted from it.
 */
function answerOf<T extends z.ZodMiniType>(shape: T, body: unknown) {
  const result = shape.safeParse(body)
  return result.success || !withoutStrays(body, result.error.issues) ? result : shape.safeParse(body)
}

/** Takes out what shapes do not name, if nothing else is wrong. */
function withoutStrays(body: unknown, issues: readonly Issue[]): boolean {
  return issues.every((issue) => {
    const at = issue.path.reduce((value, key) => (value as Record<PropertyKey, unknown>)[key], body)
    // Use the first of several shapes that fits, apart from unknown fields.
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
  // Sign-in proves possession of the key. The new session is bound to it.
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
      deadline.aborted ? 'Server did not answer in time' : 'Server cannot be reached',
    )
  }
}

function originOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))) return url.origin
  throw new PosternError('bad_request', 'Endpoint must be https, or http to loopback', { field: 'endpoint' })
}

async function readAnswer(response: Response, sealKey: SealKey | null, isText: boolean): Promise<unknown> {
  const bytes = await readBytes(response)
  const isSealed = response.headers.get('Content-Type') === 'application/jose'
  // A server that answers in the clear when it was asked to seal is not the one that it should be.
  if (response.ok && sealKey && !isSealed) throw new PosternError('tampered', 'Server did not seal its answer')
  const text = parseUtf8(bytes)
  if (isText && response.ok) return text
  const json = isSealed && sealKey ? await unsealed(text, sealKey, response) : text
  try {
    return JSON.parse(json ?? '')
  } catch {
    // The parser's own error would quote the answer.
    throw new PosternError('unavailable', 'Server gave an answer that is not JSON')
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
      if (size > MAX_ANSWER_BYTES) throw new RangeError('Answer is too large')
      chunks.push(read.value)
    }
  } catch {
    throw new PosternError('unavailable', 'Server gave no whole answer')
  }
  return concat(...chunks)
}

/** Turns an error of the server into a {@link PosternError}. Unknown codes and malformed reasons are dropped. */
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
  // The text ends up in logs and terminals, and its sender may not be the server.
  const message = printable(detail.slice(0, MAX_DETAIL_LENGTH))
  return new PosternError(ERROR_CODES.find((one) => one === code) ?? 'unavailable', message, facts)
}
