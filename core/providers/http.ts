/**
 * Any store that speaks the small HTTP contract of docs/providers.md: one address a secret, JSON, and a JSON
 * pointer to the value.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, base64, equal, parseBase64, utf8 } from '../bytes.ts'
import { isJsonType, JSON_TYPE } from '../content_type.ts'
import { badRequest } from '../errors.ts'
import { JsonSource, type JsonValue, tokensOf } from '../json_source.ts'
import { Redacted } from '../redacted.ts'
import { traceHeaders } from '../trace.ts'
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
  readSource,
  resolvesWhenServed,
  retryAfterMs,
  UNVERSIONED,
} from './ask.ts'
import { checkStoreName } from './names.ts'
import { type FailureKind, type ProvidedSecret, type Provider, ProviderFailure, type PutOptions } from './provider.ts'
import type { Received } from './send.ts'
import {
  bytesOfText,
  checkFit,
  declaresType,
  documentOf,
  fieldsFrom,
  foreignShape,
  look,
  writtenContent,
} from './shape.ts'

export interface HttpConfig {
  /** With `{name}` once, in its path: `https://store.example/v1/secrets/{name}`. The name's slashes stay slashes. */
  url: string
  /** Sent with every request; `Authorization` among them. */
  headers: Readonly<Record<string, Redacted<string>>>
  /** Where the value is in the answer (RFC 6901), such as `/value`. */
  pointer: string
  /** Where its version is. Without it the `ETag` is the version, and without that there is only one. */
  versionPointer?: string
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
  // Of a proxy, of a wait that was too long, of the wrong server.
  407: 'unavailable',
  408: 'timeout',
  421: 'unavailable',
  425: 'unavailable',
}
const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
/** What a condition can name (RFC 9110 section 8.8.3). */
const TAG = /^[\x21\x23-\x7e]{1,256}$/
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

/** A time, as a number of milliseconds since the Unix epoch or in RFC 3339. */
const Time = z.pipe(
  z.nullish(z.union([z.number(), z.pipe(z.iso.datetime({ offset: true }), z.transform(Date.parse))])),
  z.transform((ms) => ms ?? null),
)
const Page = z.object({
  items: z.array(z.object({ name: z.string(), updatedAt: Time })),
  cursor: z.nullish(z.string()),
})
/** What may stand beside the value. What is there in another form leaves its meaning open, and the answer unused. */
const Marks = z.union([
  z.object({ encoding: z.nullish(z.enum(['utf8', 'base64'])), contentType: z.nullish(z.string()), expiresAt: Time }),
  z.pipe(
    z.union([z.array(z.unknown()), z.string()]),
    z.transform(() => ({ encoding: null, contentType: null, expiresAt: null })),
  ),
])

/**
 * A store of the contract.
 *
 * @throws {PosternError} `bad_request` for a configuration that cannot work.
 */
export function httpProvider(config: HttpConfig, options: ProviderOptions = {}): Provider {
  const { listUrl, healthName = HEALTH_NAME } = config
  checkConfig(config, options)
  const fixed = Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value]))
  const now = options.now ?? Date.now

  async function request(url: string, init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> }) {
    const revealed = Object.fromEntries(Object.entries(fixed).map(([name, value]) => [name, value.reveal()]))
    const headers = { accept: 'application/json', ...revealed, ...traceHeaders(init.signal), ...init.headers }
    const received = await ask(url, { ...init, headers }, options)
    if (received.status >= 200 && received.status < 300) return received
    throw httpFailure(received, now())
  }

  const urlOf = (name: string) => config.url.replace('{name}', () => encodePath(name))

  async function get(
    name: string,
    { version, signal }: { version?: string; signal: AbortSignal },
  ): Promise<ProvidedSecret> {
    checkStoreName('http', name)
    const received = await request(urlOf(name), { signal })
    const secret = secretOf(received, config)
    // There is one version to be had: that of now.
    if (version !== undefined && version !== secret.version) throw new ProviderFailure('not_found')
    if (secret.expiresAt !== null && secret.expiresAt <= now()) throw new ProviderFailure('expired')
    return secret
  }

  async function list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    if (listUrl === undefined) throw new ProviderFailure('invalid', { code: 'NoList' })
    const url = new URL(listUrl)
    url.searchParams.set('prefix', prefix)
    url.searchParams.set('limit', String(limit))
    if (cursor !== null) url.searchParams.set('cursor', cursor)
    const received = await request(url.href, { signal })
    const page = readAnswer(received.body, Page)
    if (page === null) throw malformed(received)
    if (page.cursor && page.cursor === cursor) throw new ProviderFailure('unavailable')
    const items = page.items.filter(({ name }) => name.startsWith(prefix))
    return { items, cursor: page.cursor || null }
  }

  /** Looks at what is there first, and has the store refuse the write when another came between. */
  async function put(name: string, value: Redacted<Bytes>, options: PutOptions): Promise<{ version: string }> {
    checkStoreName('http', name)
    const { signal, idempotencyKey, expect } = options
    const caller = condition(expect)
    const present = expect === 'absent' ? null : await look(presentAt(name, signal), options)
    const body = utf8(bodyOf(value, options, present, config))
    const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey }
    const between = expect === undefined && present !== null ? condition(present.tag) : {}
    const write = { method: 'PUT', headers: { ...headers, ...caller, ...between }, body, signal }
    const received = await request(urlOf(name), write).catch((error) =>
      repeated(name, value, { between, signal }, error),
    )
    return { version: writtenVersionOf(received, config) }
  }

  async function presentAt(name: string, signal: AbortSignal): Promise<Present> {
    return presentOf(await request(urlOf(name), { signal }), config)
  }

  /** A write that was made already: the version that it made is the one that its repeat found. */
  async function repeated(
    name: string,
    value: Redacted<Bytes>,
    { between, signal }: { between: object; signal: AbortSignal },
    error: unknown,
  ): Promise<Received> {
    if (failureOf(error).kind !== 'conflict' || Object.keys(between).length === 0) throw error
    const received = await request(urlOf(name), { signal })
    if (!equal(secretOf(received, config).value.reveal(), value.reveal())) throw error
    return received
  }

  async function remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName('http', name)
    await request(urlOf(name), { method: 'DELETE', signal })
  }

  const health = ({ signal }: { signal: AbortSignal }) => resolvesWhenServed(get(healthName, { signal }))
  return { kind: 'http', get, list, put, remove, versions: null, health }
}

function checkConfig({ url, headers, pointer, versionPointer, listUrl }: HttpConfig, options: ProviderOptions): void {
  const [before = '', after, more] = url.split('{name}')
  // In the path, and not right after the host: a name must not choose whom we ask.
  const inPath = after !== undefined && more === undefined && /^https?:\/\/[^/?#]+\/[^?#]*$/.test(before)
  if (!inPath || after.includes('#')) throw badRequest('url', 'Address must have {name} once, in its path')
  parseBaseUrl(new URL(before).origin, 'url', options)
  if (new URL(before).username || new URL(before).password) throw badRequest('url', 'Address must have no password')
  if (listUrl !== undefined) parseBaseUrl(listUrl.replace(/\?.*$/s, ''), 'listUrl', options)
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name) || RESERVED.has(name.toLowerCase())) throw badRequest('headers', 'Header cannot be set')
    checkHeaderValue(value, 'headers')
  }
  if (!POINTER.test(pointer) || !POINTER.test(versionPointer ?? ''))
    throw badRequest('pointer', 'Pointer must be a JSON pointer')
}

/** Segment by segment: none is `.` or `..`, which no encoding would hide. */
function encodePath(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}

function condition(expect: string | undefined): Record<string, string> {
  if (expect === undefined) return {}
  if (expect === 'absent') return { 'if-none-match': '*' }
  if (!TAG.test(expect)) throw new ProviderFailure('conflict')
  return { 'if-match': `"${expect}"` }
}

/** What stands beside the value: nothing, where the whole document is the value. */
function marksOf(source: JsonSource | null, { pointer }: HttpConfig): z.output<typeof Marks> | undefined {
  return Marks.safeParse(pointer === '' ? [] : source?.parsed).data
}

function secretOf(received: Received, config: HttpConfig): ProvidedSecret {
  const source = readSource(received.body)
  const marks = marksOf(source, config)
  const value = source?.at(config.pointer) ?? null
  if (source === null || marks === undefined || value === null) throw malformed(received)
  if (value.kind === 'null') throw new ProviderFailure('invalid', { code: 'NoValue' })
  const isBytes = marks.encoding === 'base64'
  const text = value.kind === 'string' ? (JSON.parse(source.slice(value)) as string) : source.slice(value)
  const bytes = !isBytes ? bytesOfText(text) : value.kind === 'string' ? parseBase64(text) : null
  if (bytes === null) throw malformed(received)
  const isContainer = value.kind === 'object' || value.kind === 'array'
  return {
    value: new Redacted(bytes),
    encoding: isBytes ? 'base64' : 'utf8',
    version: versionOf(received, config),
    createdAt: null,
    expiresAt: marks.expiresAt,
    contentType: marks.contentType ?? (isContainer ? JSON_TYPE : null),
    ...(value.kind === 'object' && { isFields: true }),
  }
}

/** A secret that a write would replace. */
interface Present {
  source: JsonSource
  /** `null` when nothing is at the pointer. */
  value: JsonValue | null
  isBytes: boolean
  contentType: string | null
  /** Whether there is more in the document than the value and what goes with it. */
  hasOthers: boolean
  /** What a condition can name it by. */
  tag: string | undefined
}

/** What a store says beside a value, and keeps by itself: the names of this contract, and of Postern's own answers. */
const BESIDE: readonly string[] = [
  ...['name', 'version', 'encoding', 'contentType', 'createdAt', 'updatedAt', 'expiresAt', 'tags'],
  ...['provider', 'passedOver', 'cached'],
]

function presentOf(received: Received, config: HttpConfig): Present {
  const source = readSource(received.body)
  const marks = marksOf(source, config)
  if (source === null || marks === undefined) throw malformed(received)
  const { encoding, contentType = null } = marks
  const about = { isBytes: encoding === 'base64', contentType, hasOthers: hasOthers(source, config) }
  const version = versionOf(received, config)
  const strong = config.versionPointer !== undefined || !received.headers.get('ETag')?.startsWith('W/')
  const tag = version !== UNVERSIONED && strong && TAG.test(version) ? version : undefined
  return { source, value: source.at(config.pointer), ...about, tag }
}

/** Whether an object on the way to the value has members that a write would drop. */
function hasOthers(source: JsonSource, { pointer, versionPointer }: HttpConfig): boolean {
  const [path, versionPath] = [tokensOf(pointer), tokensOf(versionPointer ?? '')]
  return path.some((token, depth) => {
    const container = source.at(pointerOf(path.slice(0, depth)))
    if (container?.kind !== 'object') return container !== null
    const isVersion = (key: string) =>
      key === versionPath[depth] && path.slice(0, depth).every((one, i) => one === versionPath[i])
    const keys = [...source.members(container)].map(({ key }) => key)
    const isKnown = (key: string) => key === token || BESIDE.includes(key) || isVersion(key)
    return new Set(keys).size !== keys.length || !keys.every(isKnown)
  })
}

function pointerOf(tokens: readonly string[]): string {
  return tokens.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/**
 * What is sent: a text as a string, and in place of an object another one.
 *
 * @throws {ProviderFailure} `foreign_shape`
 */
function bodyOf(
  value: Redacted<Bytes>,
  { contentType, replace }: PutOptions,
  present: Present | null,
  config: HttpConfig,
): string {
  const bytes = value.reveal()
  const written = writtenContent(value, contentType)
  if (replace === undefined && present?.hasOthers) throw foreignShape()
  if (present?.value && present.value.kind !== 'string' && present.value.kind !== 'null') {
    const fitting = sourceLike(present.value, written.text)
    const type = present.contentType === null ? '' : `,"contentType":${JSON.stringify(contentType ?? JSON_TYPE)}`
    if (fitting !== null) return config.pointer === '' ? fitting : `{"value":${fitting}${type}}`
    if (replace === undefined) throw foreignShape()
  }
  if (present?.value?.kind === 'string' && replace === undefined) {
    const text: string = JSON.parse(present.source.slice(present.value))
    checkFit({ text: present.isBytes ? null : text, isJson: isJsonType(present.contentType) }, written)
  }
  const encoding = written.text === null ? 'base64' : 'utf8'
  const typed = present && { typed: present.contentType !== null }
  return JSON.stringify({
    ...(written.text === null ? { value: base64(bytes), encoding } : { value: written.text }),
    ...(declaresType(contentType, encoding, typed) && { contentType }),
  })
}

/** A text as the source of a value of the same kind; `null` when it is none. */
function sourceLike({ kind }: JsonValue, text: string | null): string | null {
  if (kind === 'object') {
    const document = documentOf(text)
    return document && fieldsFrom(document)
  }
  const source = text === null ? null : JsonSource.parse(text)
  return source?.root.kind === kind ? source.slice(source.root) : null
}

/**
 * The version of an answer, in its own digits.
 *
 * @throws {ProviderFailure} `invalid` when what the pointer finds is neither a string nor a number.
 */
function versionOf({ body, headers }: Received, { versionPointer }: HttpConfig): string {
  const source = versionPointer === undefined ? null : readSource(body)
  const named = source?.at(versionPointer!) ?? null
  if (named !== null) {
    const version =
      named.kind === 'number' ? source!.slice(named) : named.kind === 'string' ? source!.stringOf(named) : ''
    if (!version) throw new ProviderFailure('invalid', { code: 'Version' })
    return version
  }
  return /^(?:W\/)?"([\x21\x23-\x7e]{1,256})"$/.exec(headers.get('ETag') ?? '')?.[1] ?? UNVERSIONED
}

/** The version that a write was answered with. What cannot be read as one leaves open which it is, not that it was made. */
function writtenVersionOf(received: Received, config: HttpConfig): string {
  try {
    return versionOf(received, config)
  } catch {
    throw new ProviderFailure('invalid', { code: 'Version', isUnread: true })
  }
}

/** A refusal that is not the store's, such as a page in HTML, is a proxy's, whatever its status. */
function httpFailure({ status, headers, body }: Received, now: number): ProviderFailure {
  const isOwn = body.length === 0 ? !isMarkup(headers) : isJson(headers, body)
  const kind = status === 429 || isOwn ? kindOf(status) : 'unavailable'
  return new ProviderFailure(kind, { code: `Http${status}`, retryAfterMs: retryAfterMs(headers, now) })
}

/** What is wrong with one secret is an answer about it. */
function kindOf(status: number): FailureKind {
  return KINDS[status] ?? (status >= 400 && status < 500 ? 'invalid' : 'unavailable')
}
