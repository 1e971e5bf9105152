/**
 * The only way out: every request that the server makes to another server goes through this module.
 *
 * @module
 */

import { inRange, parseAddress, parseRange } from '../addresses.ts'
import { type Bytes, concat } from '../bytes.ts'
import { PosternError, REFUSALS } from '../errors.ts'
import { isLoopback } from '../loopback.ts'
import { isProgrammingError } from '../programming_error.ts'
import { networkCode } from './network_code.ts'

const TIMEOUT_MS = 10_000
/** The default limit of a response, in bytes. */
export const MAX_BYTES = 1024 * 1024

/**
 * Addresses that are not reachable on the public internet: the IANA special-purpose registries, deprecated ranges that
 * predate them, and the one public address that a cloud answers itself. A request there would reach this machine, its
 * network, or the metadata service of a cloud.
 */
const SPECIAL = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...[
    '224.0.0.0/4',
    '240.0.0.0/4',
    '168.63.129.16/32',
    '::/96',
    '::ffff:0:0:0/96',
    'fec0::/10',
    '64:ff9b:1::/48',
    '100::/64',
    '2001::/23',
    '2001:db8::/32',
  ],
  ...['2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
].map((range) => parseRange(range))
const METADATA_HOSTS = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'metadata',
  'instance-data',
  'instance-data.ec2.internal',
  'ip6-localhost',
  'ip6-loopback',
])

/** Limits of a request, and how it is sent. */
export interface SendOptions {
  timeoutMs?: number
  /** The limit of a response, in bytes, counted as they arrive. */
  maxBytes?: number
  /** Allows http to loopback. */
  allowLoopback?: boolean
  /** The one origin that may be reached although it is not public: a platform's service for the identities of machines. */
  identityOrigin?: string
  /** Replaces the fetch of the platform. */
  fetch?: (request: Request) => Promise<Response>
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
  const { timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES, allowLoopback = false, fetch: ask = fetch } = options
  if (options.identityOrigin === undefined || URL.parse(url)?.origin !== options.identityOrigin)
    checkUrl(url, allowLoopback)
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

/**
 * Checks the address of a request. WHATWG URL has normalised all spellings of an address by then.
 *
 * It does not see a name that resolves to such an address: on Workers the platform refuses it, and elsewhere the
 * network of the process must be restricted.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkUrl(text: string, allowLoopback: boolean): void {
  const url = URL.canParse(text) ? new URL(text) : null
  const host = url?.hostname.replace(/^\[|\]$/g, '').replace(/(?<!\.)\.+$/, '') ?? ''
  const loopback = isLoopback(host)
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback && allowLoopback)
  const special = parseAddress(host) !== null && SPECIAL.some((range) => inRange(host, range))
  const inside = special || METADATA_HOSTS.has(host) || host === 'localhost' || host.endsWith('.localhost')
  if (url === null || !safe || url.username || url.password || (inside && !(loopback && allowLoopback))) {
    throw new PosternError('bad_request', 'Address must be https, and on the public internet', { field: 'url' })
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
