/**
 * The HTTP API over fetch: for services, scripts, tests and the editor.
 *
 * @module
 */
import * as z from 'zod'
import { type Bytes, base64, concat, parseUtf8 } from './bytes.ts'
import { type ErrorCode, type ErrorDetail, PosternError, type Reason } from './errors.ts'
import { Redacted } from './redacted.ts'
import { parseName, parseVaultId } from './secrets/name.ts'
import * as wire from './wire.ts'

const MAX_ANSWER_BYTES = 32 * 1024 * 1024

export interface ClientOptions {
  /** Where the server is, such as `https://secrets.example.com`. Plain http only to loopback. */
  endpoint: string
  vault: string
  token: Redacted<string>
  /** How long one request may take. */
  timeoutMs?: number
  /** In place of the platform's fetch. */
  fetch?: (request: Request) => Promise<Response>
}

/** A secret with its value. */
export type SecretValue = Omit<z.output<typeof wire.Secret>, 'value' | 'encoding'> & {
  value: Redacted<string>
  /** Set when the value is bytes: `value` is their base64. */
  encoding?: 'base64'
}

export interface PutOptions {
  contentType?: string
  tags?: Record<string, string>
  expiresAt?: Date
  /** Check-and-set: the version that must be current, or `absent`. */
  expect?: number | 'absent'
  /** Makes a repeat of this write harmless, for 24 hours. */
  idempotencyKey?: string
}

export interface ListOptions {
  prefix?: string
  cursor?: string
  limit?: number
  deleted?: boolean
}

/** The outcome of one reference. */
export type Hydrated = { reference: string; secret: SecretValue } | { reference: string; error: PosternError }

/** One vault of one server. Every method throws {@link PosternError} with the server's code. */
export interface Client {
  get(name: string, options?: { version?: number; signal?: AbortSignal }): Promise<SecretValue>
  put(name: string, value: Redacted<string | Bytes>, options?: PutOptions): Promise<{ name: string; version: number }>
  list(options?: ListOptions): Promise<z.output<typeof wire.SecretList>>
  versions(name: string, options?: { cursor?: string; limit?: number }): Promise<z.output<typeof wire.VersionList>>
  delete(name: string, options?: { expect?: number }): Promise<void>
  restore(name: string): Promise<void>
  destroy(name: string, options?: { version?: number }): Promise<void>
  hydrate(references: readonly string[], options?: { signal?: AbortSignal }): Promise<Hydrated[]>
  putPrincipal(id: string, principal: z.input<typeof wire.PutPrincipal>): Promise<z.output<typeof wire.Principal>>
  createToken(input: z.input<typeof wire.CreateToken>): Promise<{ accessor: string; token: Redacted<string> }>
  revokeToken(accessor: string): Promise<void>
  putRule(id: string, rule: z.input<typeof wire.PutRule>): Promise<z.output<typeof wire.Rule>>
  deleteRule(id: string): Promise<void>
  auditEntries(options?: { from?: number; limit?: number }): Promise<z.output<typeof wire.AuditEntries>>
}

/**
 * Makes a client. Nothing is sent yet.
 *
 * @throws {PosternError} `bad_request` when the endpoint would carry the token in the clear.
 */
export function connect(options: ClientOptions): Client {
  const { get, put, post, remove } = transport(options)
  return {
    async get(name, { version, signal } = {}) {
      return opened(await get(`secrets/${parseName(name)}`, { version }, wire.Secret, signal))
    },
    put(name, value, { expiresAt, expect, idempotencyKey, ...rest } = {}) {
      const body = { ...wireValue(value.reveal()), ...rest, ...(expiresAt && { expiresAt: expiresAt.toISOString() }) }
      const headers = { ...expectation(expect), ...(idempotencyKey && { 'Idempotency-Key': idempotencyKey }) }
      return put(`secrets/${parseName(name)}`, body, wire.PutSecretResult, headers)
    },
    list: (options = {}) => get('secrets', { ...options }, wire.SecretList),
    versions: (name, options = {}) => get(`versions/${parseName(name)}`, { ...options }, wire.VersionList),
    delete: (name, { expect } = {}) => remove(`secrets/${parseName(name)}`, expectation(expect)),
    restore: async (name) => void (await post(`restore/${parseName(name)}`, undefined, z.unknown())),
    destroy: async (name, options) => void (await post(`destroy/${parseName(name)}`, options, z.unknown())),
    async hydrate(references, { signal } = {}) {
      const { items } = await post('hydrate', { references }, wire.HydrateResult, signal)
      return items.map(({ reference, secret, error }) => {
        if (secret !== undefined) return { reference, secret: opened(secret) }
        return { reference, error: errorOf(error ?? {}) }
      })
    },
    putPrincipal: (id, principal) => put(`principals/${id}`, principal, wire.Principal),
    async createToken(input) {
      const { accessor, token } = await post('tokens', input, wire.CreatedToken)
      return { accessor, token: new Redacted(token) }
    },
    revokeToken: (accessor) => remove(`tokens/${accessor}`),
    putRule: (id, rule) => put(`rules/${id}`, rule, wire.Rule),
    deleteRule: (id) => remove(`rules/${id}`),
    auditEntries: (options = {}) => get('audit/entries', { ...options }, wire.AuditEntries),
  }
}

type Query = Record<string, string | number | boolean | undefined>

/** The four methods over one base address; answers are checked against their shape. */
function transport({ endpoint, vault, token, timeoutMs = 10_000, fetch: send = fetch }: ClientOptions) {
  const base = `${originOf(endpoint)}/v1/vaults/${parseVaultId(vault)}/`

  async function exchange<T extends z.ZodType>(
    request: Request,
    schema: T,
    signal?: AbortSignal,
  ): Promise<z.output<T>> {
    const deadline = AbortSignal.timeout(timeoutMs)
    const response = await send(
      new Request(request, { signal: signal ? AbortSignal.any([signal, deadline]) : deadline }),
    ).catch(() => {
      throw new PosternError('unavailable', 'Server cannot be reached')
    })
    const body = await readAnswer(response)
    if (!response.ok) throw errorOf(body, response)
    const result = schema.safeParse(body)
    if (!result.success) throw new PosternError('unavailable', 'Server gave an answer of another shape')
    return result.data
  }

  function request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Request {
    const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' }
    return new Request(base + path, {
      method,
      // A token never follows a redirect to another host.
      redirect: 'manual',
      headers: { Authorization: `Bearer ${token.reveal()}`, ...type, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }

  return {
    get<T extends z.ZodType>(path: string, query: Query, schema: T, signal?: AbortSignal) {
      const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]))
      const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`
      return exchange(request('GET', path + search), schema, signal)
    },
    put: <T extends z.ZodType>(path: string, body: unknown, schema: T, headers?: Record<string, string>) =>
      exchange(request('PUT', path, body, headers), schema),
    post: <T extends z.ZodType>(path: string, body: unknown, schema: T, signal?: AbortSignal) =>
      exchange(request('POST', path, body), schema, signal),
    remove: async (path: string, headers?: Record<string, string>): Promise<void> =>
      void (await exchange(request('DELETE', path, undefined, headers), z.unknown())),
  }
}

function originOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null
  const loopback = url !== null && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback)) return url.origin
  throw new PosternError('bad_request', 'Endpoint must be https, or http to loopback', { field: 'endpoint' })
}

async function readAnswer(response: Response): Promise<unknown> {
  try {
    const reader = response.body?.getReader()
    const chunks: Uint8Array[] = []
    let size = 0
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      size += read.value.length
      if (size > MAX_ANSWER_BYTES) throw new RangeError('Answer is too large')
      chunks.push(read.value)
    }
    return JSON.parse(parseUtf8(concat(...chunks)) ?? '')
  } catch {
    // The parser's own error would quote the answer.
    throw new PosternError('unavailable', 'Server gave an answer that is not JSON')
  }
}

/** The server's error as ours. What it claims is taken only as far as we know it. */
function errorOf(body: unknown, response?: Response): PosternError {
  const known = wire.Problem.partial().loose().safeParse(body)
  const { code = 'unavailable', detail = 'Server refused', reason, field, limitBytes, auditIndex } = known.data ?? {}
  const retryAfter = Number(response?.headers.get('Retry-After') ?? Number.NaN)
  const facts: ErrorDetail = {
    ...(reason && { reason: reason as Reason }),
    ...(field && { field }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(auditIndex !== undefined && { auditIndex }),
    ...(response?.status === 412 && { precondition: true as const }),
    ...(Number.isFinite(retryAfter) && { retryAfterSeconds: retryAfter }),
  }
  return new PosternError(code as ErrorCode, detail, facts)
}

function opened({ value, encoding, ...rest }: z.output<typeof wire.Secret>): SecretValue {
  return { ...rest, value: new Redacted(value), ...(encoding && { encoding }) }
}

function wireValue(value: string | Bytes): { value: string; encoding?: 'base64' } {
  return typeof value === 'string' ? { value } : { value: base64(value), encoding: 'base64' }
}

function expectation(expect: number | 'absent' | undefined): Record<string, string> {
  if (expect === undefined) return {}
  return expect === 'absent' ? { 'If-None-Match': '*' } : { 'If-Match': `"${expect}"` }
}
