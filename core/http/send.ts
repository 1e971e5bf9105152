/**
 * The only way out: every request that the server makes to another server goes through this module.
 *
 * @module
 */

import { type Bytes, concat } from '../bytes.ts'
import { PosternError, REFUSALS } from '../errors.ts'
import { isProgrammingError } from '../programming_error.ts'
import { type AddressReach, checkUrl } from './address_guard.ts'
import { networkCode } from './network_code.ts'

const TIMEOUT_MS = 10_000
/** The default limit of a response, in bytes. */
export const MAX_BYTES = 1024 * 1024

/** Sends one request, in place of the fetch of the platform. */
export type Fetch = (request: Request) => Promise<Response>

/** Limits of a request, and how it is sent. */
export interface SendOptions extends AddressReach {
  timeoutMs?: number
  /** The limit of a response, in bytes, counted as they arrive. */
  maxBytes?: number
  /** The one origin that may be reached although it is not public: a platform's service for the identities of machines. */
  identityOrigin?: string
  /** Replaces the fetch of the platform. */
  fetch?: Fetch | undefined
}

/** A response whose body was read. */
export interface Received {
  status: number
  headers: Headers
  body: Bytes
}

type NoAnswerReason = 'no_answer' | 'late_answer' | 'large_answer'

/** A request without a response, or without one that could be read. */
export class NoAnswer extends PosternError {
  /** The code of the runtime, such as `ENOTFOUND`: for the operational log, never for a client. */
  readonly networkCode: string | null
  /** The limit of a response, if it was exceeded. */
  readonly maxBytes: number | null

  constructor(reason: NoAnswerReason, about: { networkCode?: string | null; maxBytes?: number } = {}) {
    const [code, message] = REFUSALS[reason]
    super(code, message, { reason })
    this.networkCode = about.networkCode ?? null
    this.maxBytes = about.maxBytes ?? null
  }
}

/**
 * Sends a request and reads the whole response.
 *
 * A redirect is returned, not followed: the credentials of the request would go with it.
 *
 * @param init Its `signal` ends the request early, also while the response is read.
 * @throws {PosternError} `bad_request` for an address that must not be reached.
 * @throws {NoAnswer} `unavailable` if no response comes (reason `no_answer`), if it is late or the signal ends it
 *   (`late_answer`), or if it is too large (`large_answer`).
 * @throws {TypeError} for a request that no platform would send, without the cause, which may be a value.
 */
export async function send(url: string, init: RequestInit, options: SendOptions = {}): Promise<Received> {
  const { timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES, fetch: ask = fetch } = options
  if (options.identityOrigin === undefined || URL.parse(url)?.origin !== options.identityOrigin) checkUrl(url, options)
  const deadline = new AbortController()
  const signal = init.signal ? AbortSignal.any([init.signal, deadline.signal]) : deadline.signal
  const request = requestOf(url, { ...init, redirect: 'manual', signal })
  const timer = setTimeout(() => deadline.abort(), timeoutMs)
  try {
    signal.throwIfAborted()
    const response = await ask(request)
    return { status: response.status, headers: response.headers, body: await readBody(response, maxBytes) }
  } catch (error) {
    if (error instanceof NoAnswer) throw error
    // A `TypeError` is how `fetch` reports that the network failed.
    if (isProgrammingError(error) && !(error instanceof TypeError)) throw error
    // The error of the platform may name the address, and that of a parser quotes the body.
    throw signal.aborted ? new NoAnswer('late_answer') : new NoAnswer('no_answer', { networkCode: networkCode(error) })
  } finally {
    clearTimeout(timer)
  }
}

function requestOf(url: string, init: RequestInit): Request {
  try {
    return new Request(url, init)
  } catch {
    throw new TypeError('Request has a method, a header or a body that cannot be sent')
  }
}

async function readBody(response: Response, maxBytes: number): Promise<Bytes> {
  const reader = response.body?.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    size += read.value.length
    if (size > maxBytes) {
      await reader?.cancel()
      throw new NoAnswer('large_answer', { maxBytes })
    }
    chunks.push(read.value)
  }
  return concat(...chunks)
}
