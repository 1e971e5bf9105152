/**
 * Any store that implements the HTTP contract of docs/reference/stores/http.md: one address per secret, JSON, and a
 * JSON pointer to the value.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, equal, utf8 } from '../../bytes.ts'
import { badRequest } from '../../errors.ts'
import type { Received } from '../../http/send.ts'
import { traceHeaders } from '../../http/trace_context.ts'
import { Redacted } from '../../redacted.ts'
import { isStageWord } from '../../stages.ts'
import { type Credentials, type StoreCredential, sourcedCredentials, tokenFrom } from '../credentials.ts'
import {
  type FailureKind,
  type Provider,
  ProviderFailure,
  type ProviderPutOptions,
  type ProviderSecret,
} from '../provider.ts'
import {
  ask,
  checkHeaderValue,
  failureOf,
  HEALTH_NAME,
  isJson,
  isMarkup,
  malformed,
  type ProviderOptions,
  parseBaseUrl,
  readAnswer,
  resolvesWhenServed,
  retryAfterMs,
} from '../request.ts'
import { look } from '../shape.ts'
import { checkStoreName } from '../store_names.ts'
import {
  bodyOf,
  type DocumentPlaces,
  type Present,
  presentOf,
  secretOf,
  TAG,
  Time,
  writtenVersionOf,
} from './document.ts'

/** The addresses and headers of a store. */
export interface HttpConfig extends DocumentPlaces {
  /** With `{name}` once, in its path: `https://store.example/v1/secrets/{name}`. The name's slashes stay slashes. */
  url: string
  /** Sent with every request; `Authorization` among them. */
  headers: Readonly<Record<string, StoreCredential>>
  /** Where the address of the list is. Without it the store cannot list. */
  listUrl?: string
  /** A name that no secret has; read to tell whether the store serves us. */
  healthName?: string
}

/** The contract's statuses are its codes, where a body goes with them that is JSON or nothing. */
const KINDS: Record<number, FailureKind> = {
  400: 'invalid',
  401: 'credentials',
  403: 'denied',
  404: 'not_found',
  409: 'conflict',
  410: 'deleted',
  412: 'conflict',
  413: 'invalid',
  422: 'invalid',
  429: 'throttled',
  // Statuses of a proxy, of a timeout, and of the wrong server.
  407: 'unavailable',
  408: 'timeout',
  421: 'unavailable',
  425: 'unavailable',
}
const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
// Ours to set, or the platform's.
const RESERVED = new Set([
  'host',
  'content-type',
  'content-length',
  'connection',
  'if-match',
  'if-none-match',
  'idempotency-key',
])

const Page = z.object({
  items: z.array(z.object({ name: z.string(), updatedAt: Time })),
  cursor: z.nullish(z.string()),
})
interface HttpRequest extends Omit<RequestInit, 'headers' | 'signal'> {
  headers?: Record<string, string>
  signal: AbortSignal
}

/** A store that speaks the contract. */
export class HttpProvider implements Provider {
  readonly kind = 'http'
  readonly versions = null
  readonly #config: HttpConfig
  readonly #headers: Credentials<Record<string, string>>
  readonly #options: ProviderOptions
  readonly #now: () => number

  /** @throws {PosternError} `bad_request` for a configuration that cannot work. */
  constructor(config: HttpConfig, options: ProviderOptions = {}) {
    checkConfig(config, options)
    this.#config = config
    this.#headers = sourcedCredentials((signal) => takeHeaders(config.headers, signal))
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  async health({ signal }: { signal: AbortSignal }): Promise<void> {
    await resolvesWhenServed(this.get(this.#config.healthName ?? HEALTH_NAME, { signal }))
  }

  #request(url: string, init: HttpRequest): Promise<Received> {
    return this.#headers.use(init.signal, async (given) => {
      const headers = { accept: 'application/json', ...given, ...traceHeaders(init.signal), ...init.headers }
      const received = await ask(url, { ...init, headers }, this.#options)
      if (received.status >= 200 && received.status < 300) return received
      throw httpFailure(received, this.#now())
    })
  }

  #urlOf(name: string): string {
    return this.#config.url.replace('{name}', () => encodePath(name))
  }

  async get(name: string, { version, signal }: { version?: string; signal: AbortSignal }): Promise<ProviderSecret> {
    checkStoreName('http', name)
    // The store has only the current version.
    if (version !== 'current' && isStageWord(version)) throw new ProviderFailure('no_stage')
    const received = await this.#request(this.#urlOf(name), { signal })
    const secret = secretOf(received, this.#config)
    if (version !== undefined && version !== 'current' && version !== secret.version)
      throw new ProviderFailure('not_found')
    if (secret.expiresAt !== null && secret.expiresAt <= this.#now()) throw new ProviderFailure('expired')
    return secret
  }

  async list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    const { listUrl } = this.#config
    if (listUrl === undefined) throw new ProviderFailure('invalid', { code: 'NoList' })
    const url = new URL(listUrl)
    url.searchParams.set('prefix', prefix)
    url.searchParams.set('limit', String(limit))
    if (cursor !== null) url.searchParams.set('cursor', cursor)
    const received = await this.#request(url.href, { signal })
    const page = readAnswer(received.body, Page)
    if (page === null) throw malformed(received)
    if (page.cursor && page.cursor === cursor) throw new ProviderFailure('unavailable')
    const items = page.items.filter(({ name }) => name.startsWith(prefix))
    return { items, cursor: page.cursor || null }
  }

  /** Looks at what is there first, and has the store refuse the write when another came between. */
  async put(name: string, value: Redacted<Bytes>, options: ProviderPutOptions): Promise<{ version: string }> {
    checkStoreName('http', name)
    const { signal, idempotencyKey, expect } = options
    const caller = condition(expect)
    const present = expect === 'absent' ? null : await look(this.#presentAt(name, signal), options)
    const body = utf8(bodyOf(value, options, present, this.#config))
    const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey }
    const between = expect === undefined && present !== null ? condition(present.tag) : {}
    const write = { method: 'PUT', headers: { ...headers, ...caller, ...between }, body, signal }
    const received = await this.#request(this.#urlOf(name), write).catch((error) =>
      this.#repeated(name, value, { between, signal }, error),
    )
    return { version: writtenVersionOf(received, this.#config) }
  }

  async #presentAt(name: string, signal: AbortSignal): Promise<Present> {
    return presentOf(await this.#request(this.#urlOf(name), { signal }), this.#config)
  }

  /** A write that was made already: the version that it made is the one that its repeat found. */
  async #repeated(
    name: string,
    value: Redacted<Bytes>,
    { between, signal }: { between: object; signal: AbortSignal },
    error: unknown,
  ): Promise<Received> {
    if (failureOf(error).kind !== 'conflict' || Object.keys(between).length === 0) throw error
    const received = await this.#request(this.#urlOf(name), { signal })
    if (!equal(secretOf(received, this.#config).value.reveal(), value.reveal())) throw error
    return received
  }

  async remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName('http', name)
    await this.#request(this.#urlOf(name), { method: 'DELETE', signal })
  }
}

function checkConfig({ url, headers, pointer, versionPointer, listUrl }: HttpConfig, options: ProviderOptions): void {
  checkUrlTemplate(url, options)
  if (listUrl !== undefined) checkListUrl(listUrl, options)
  for (const [name, value] of Object.entries(headers)) {
    checkHeaderName(name)
    if (value instanceof Redacted) checkHeaderValue(value, 'headers')
  }
  checkPointer(pointer)
  checkPointer(versionPointer ?? '')
}

/**
 * Checks the address of a secret.
 *
 * @param url With `{name}` in its path.
 * @throws {PosternError} `bad_request`
 */
export function checkUrlTemplate(url: string, options: ProviderOptions): void {
  const [before = '', after, more] = url.split('{name}')
  // In the path, and not right after the host: a name must not choose whom we ask.
  const inPath = after !== undefined && more === undefined && /^https?:\/\/[^/?#]+\/[^?#]*$/.test(before)
  if (!inPath || after.includes('#')) throw badRequest('url', 'Address must have {name} once, in its path')
  parseBaseUrl(new URL(before).origin, 'url', options)
  if (new URL(before).username || new URL(before).password) throw badRequest('url', 'Address must have no password')
}

/**
 * Checks the address of the list, which may have a query.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkListUrl(listUrl: string, options: ProviderOptions): void {
  parseBaseUrl(listUrl.replace(/\?.*$/s, ''), 'listUrl', options)
}

/**
 * Checks the name of a header that a configuration may set.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkHeaderName(name: string): void {
  if (!TOKEN.test(name) || RESERVED.has(name.toLowerCase())) throw badRequest('headers', 'Header cannot be set')
}

/**
 * Checks a JSON pointer (RFC 6901).
 *
 * @throws {PosternError} `bad_request`
 */
export function checkPointer(pointer: string): void {
  if (!POINTER.test(pointer)) throw badRequest('pointer', 'Pointer must be a JSON pointer')
}

async function takeHeaders(headers: HttpConfig['headers'], signal: AbortSignal): Promise<Record<string, string>> {
  const taken = Object.entries(headers).map(async ([name, value]) => [
    name.toLowerCase(),
    await tokenFrom(value, signal),
  ])
  return Object.fromEntries(await Promise.all(taken))
}

/** Encodes each segment. None of them is `.` or `..`, which no encoding would hide. */
function encodePath(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}

function condition(expect: string | undefined): Record<string, string> {
  if (expect === undefined) return {}
  if (expect === 'absent') return { 'if-none-match': '*' }
  if (!TAG.test(expect)) throw new ProviderFailure('conflict')
  return { 'if-match': `"${expect}"` }
}

/** Reads a refusal. One that is not from the store, such as an HTML page, is from a proxy, with any status. */
function httpFailure({ status, headers, body }: Received, now: number): ProviderFailure {
  const isOwn = body.length === 0 ? !isMarkup(headers) : isJson(headers, body)
  const kind = status === 429 || isOwn ? kindOf(status) : 'unavailable'
  return new ProviderFailure(kind, { code: `Http${status}`, retryAfterMs: retryAfterMs(headers, now) })
}

/** Returns the kind for a status. A refusal of one secret is an answer about that secret. */
function kindOf(status: number): FailureKind {
  return KINDS[status] ?? (status >= 400 && status < 500 ? 'invalid' : 'unavailable')
}
