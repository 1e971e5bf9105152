/**
 * Azure Key Vault secrets (REST API 7.5).
 *
 * A vault is a provider, so the primary and its backup are two providers. Key Vault returns secrets that are expired or
 * not valid yet; Postern does not.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, base64, parseBase64 } from '../../bytes.ts'
import { isJsonType } from '../../content_type.ts'
import type { Encoding } from '../../encoding.ts'
import { Redacted } from '../../redacted.ts'
import { isStageWord } from '../../stages.ts'
import {
  type Provider,
  ProviderFailure,
  type ProviderPutOptions,
  type ProviderSecret,
  type ProviderVersion,
} from '../provider.ts'
import { failureOf, HEALTH_NAME, type ProviderOptions, resolvesWhenServed } from '../request.ts'
import { bytesOfText, checkFit, checkSize, declaresType, writtenContent } from '../shape.ts'
import { checkStoreName } from '../store_names.ts'
import { storeTags } from '../store_tags.ts'
import { type AzureAccess, type AzureCall, azureCaller } from './api.ts'

const MAX_VALUE_BYTES = 25 * 1024
const MAX_PAGE = 25
const MAX_PAGES = 40
/** Tags that Postern sets: the write that made a version, and the encoding of its text. */
const WRITE_TAG = 'postern-write'
const ENCODING_TAG = 'postern-encoding'

/** A Key Vault and its credentials. */
export interface AzureConfig extends AzureAccess {
  /** The name for health checks, which no secret has. */
  healthName?: string
}

const Seconds = z.nullish(z.number())
const Attributes = z.object({
  enabled: z.nullish(z.boolean()),
  nbf: Seconds,
  exp: Seconds,
  created: Seconds,
  updated: Seconds,
})
const Item = z.object({ id: z.string(), attributes: z._default(Attributes, {}) })
const Bundle = z.extend(Item, {
  value: z.nullish(z.string()),
  contentType: z.nullish(z.string()),
  tags: z.nullish(z.record(z.string(), z.string())),
})
const Page = z.object({ value: z.nullish(z.array(Item)), nextLink: z.nullish(z.string()) })
type Bundle = z.output<typeof Bundle>

interface AzurePage {
  items: z.output<typeof Item>[]
  /** The query of the next page; `null` on the last. */
  next: string | null
}

/** A vault of Azure Key Vault. */
export class AzureProvider implements Provider {
  readonly kind = 'azure'
  readonly #call: AzureCall
  readonly #origin: string
  readonly #healthName: string
  readonly #now: () => number

  /** @throws {PosternError} `bad_request` for a configuration that cannot work. */
  constructor(config: AzureConfig, options: ProviderOptions = {}) {
    this.#call = azureCaller(config, options)
    this.#origin = new URL(config.vaultUrl).origin
    this.#healthName = config.healthName ?? HEALTH_NAME
    this.#now = options.now ?? Date.now
  }

  async health({ signal }: { signal: AbortSignal }): Promise<void> {
    await resolvesWhenServed(this.#call({ path: `/secrets/${this.#healthName}`, signal }, Bundle))
  }

  async get(name: string, { version, signal }: { version?: string; signal: AbortSignal }): Promise<ProviderSecret> {
    checkStoreName('azure', name)
    const id = await this.#idOf(name, version, signal)
    const path = `/secrets/${name}${id === null ? '' : `/${id}`}`
    const bundle = await this.#call({ path, signal }, Bundle).catch((error) =>
      this.#toldFromDeleted(name, signal, error),
    )
    checkTimes(bundle, this.#now())
    return secretOf(bundle)
  }

  /**
   * Returns the id of a requested version; `null` for the current one. The service has no stages: the history tells
   * the previous version, unless two versions of one second leave it open.
   */
  async #idOf(name: string, version = 'current', signal: AbortSignal): Promise<string | null> {
    if (version === 'current') return null
    if (version === 'previous') {
      const history = await this.versions(name, { signal })
      const found = history.find(({ stage }) => stage === 'previous')
      if (found === undefined) throw new ProviderFailure(history.length > 1 ? 'no_stage' : 'not_found')
      return found.version
    }
    if (isStageWord(version)) throw new ProviderFailure('no_stage')
    if (!/^[0-9a-f]{32}$/i.test(version)) throw new ProviderFailure('not_found')
    return version
  }

  /** Distinguishes a deleted secret: it is not found either, except among the deleted ones. */
  async #toldFromDeleted(name: string, signal: AbortSignal, error: unknown): Promise<never> {
    const failure = failureOf(error)
    if (failure.kind !== 'not_found') throw failure
    const deleted = await this.#call({ path: `/deletedsecrets/${name}`, signal }, z.unknown()).then(
      () => true,
      (reason) => {
        failureOf(reason)
        return false
      },
    )
    throw deleted ? new ProviderFailure('deleted') : failure
  }

  async #pageOf(path: string, query: URLSearchParams, signal: AbortSignal): Promise<AzurePage> {
    const { value, nextLink } = await this.#call({ path, query, signal }, Page)
    return { items: value ?? [], next: nextLink ? nextQuery(nextLink, this.#origin, path) : null }
  }

  async list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    const query = queryOf(cursor ?? '')
    query.set('maxresults', String(Math.min(limit, MAX_PAGE)))
    const { items, next } = await this.#pageOf('/secrets', query, signal)
    const found = items.map((item) => ({
      name: partsOf(item.id).name,
      updatedAt: milliseconds(item.attributes.updated),
    }))
    // The service cannot filter. A page may be empty without being the last. A repeated page would never end.
    if (next !== null && next === cursor) throw new ProviderFailure('unavailable')
    return { items: found.filter(({ name }) => name.toLowerCase().startsWith(prefix.toLowerCase())), cursor: next }
  }

  /**
   * Key Vault has no check-and-set. The expectation is compared before the write, and a concurrent write is not
   * noticed. A tag identifies a repeated write.
   */
  async put(name: string, value: Redacted<Bytes>, put: ProviderPutOptions): Promise<{ version: string }> {
    checkStoreName('azure', name)
    const content = writtenContent(value, put)
    const { text, tags, encoding } = contentOf(value, content.text)
    const path = `/secrets/${name}`
    const current = await this.#currentOf(path, put.signal)
    if (current?.tags?.[WRITE_TAG] === put.idempotencyKey) {
      if (current.value !== text) throw new ProviderFailure('conflict')
      return { version: partsOf(current.id).version }
    }
    const version = current === null ? 'absent' : current && partsOf(current.id).version
    if (put.expect !== undefined && put.expect !== version) throw new ProviderFailure('conflict')
    if (current && put.replace === undefined) checkFit(presentContent(current), content)
    const body = {
      value: text,
      ...(declaresType(put.contentType, encoding, current && { typed: !!current.contentType }) && {
        contentType: put.contentType,
      }),
      tags: { ...othersTags(current?.tags), ...tags, [WRITE_TAG]: put.idempotencyKey },
    }
    const written = await this.#call({ method: 'PUT', path, body, signal: put.signal }, Item)
    return { version: partsOf(written.id).version }
  }

  /** Returns the current version; `null` if there is no secret, `undefined` if it cannot be read. */
  #currentOf(path: string, signal: AbortSignal): Promise<Bundle | null | undefined> {
    return this.#call({ path, signal }, Bundle).catch((error) => {
      const failure = failureOf(error)
      if (failure.kind === 'not_found') return null
      if (failure.kind === 'disabled' || failure.kind === 'expired') return undefined
      throw failure
    })
  }

  async remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName('azure', name)
    const request = { method: 'DELETE', path: `/secrets/${name}`, signal } as const
    await this.#call(request, z.unknown()).catch((error) => this.#toldFromDeleted(name, signal, error))
  }

  async versions(name: string, { signal }: { signal: AbortSignal }): Promise<ProviderVersion[]> {
    checkStoreName('azure', name)
    const path = `/secrets/${name}/versions`
    const items: z.output<typeof Item>[] = []
    let query: URLSearchParams | null = new URLSearchParams({ maxresults: String(MAX_PAGE) })
    for (let pages = 0; query !== null; pages++) {
      if (pages === MAX_PAGES) throw new ProviderFailure('unavailable')
      const page: AzurePage = await this.#pageOf(path, query, signal).catch((error) =>
        this.#toldFromDeleted(name, signal, error),
      )
      items.push(...page.items)
      query = page.next === null ? null : queryOf(page.next)
    }
    // A name that never existed has an empty history.
    if (items.length === 0) await this.#toldFromDeleted(name, signal, new ProviderFailure('not_found'))
    return historyOf(items, await this.#newestOf(name, items, signal), this.#now())
  }

  /** Times have whole seconds: of two versions of one second, only a read tells which is current. */
  async #newestOf(name: string, items: z.output<typeof Item>[], signal: AbortSignal): Promise<string> {
    const latest = Math.max(...items.map(createdAt))
    const newest = items.filter((item) => createdAt(item) === latest).map(({ id }) => partsOf(id).version)
    const current = newest.length > 1 ? await this.#currentOf(`/secrets/${name}`, signal) : null
    return current ? partsOf(current.id).version : newest[0]!
  }
}

/** Returns the query of the next page. The link is untrusted and must lead to the same place. */
function nextQuery(link: string, origin: string, path: string): string {
  const url = URL.canParse(link) ? new URL(link) : null
  if (url?.origin !== origin || url.pathname.toLowerCase() !== path.toLowerCase() || url.username || url.password) {
    throw new ProviderFailure('unavailable', { code: 'NextLink' })
  }
  return url.search.slice(1)
}

/** Parses a query and keeps its plus signs: in base64 they are not spaces. */
function queryOf(text: string): URLSearchParams {
  return new URLSearchParams(text.replaceAll('+', '%2B'))
}

/** Parses name and version from an id, `https://…/secrets/name/version`. */
function partsOf(id: string): { name: string; version: string } {
  const [, name, version = ''] =
    /^https:\/\/[^/?#]+\/secrets\/([0-9A-Za-z-]{1,127})(?:\/([0-9a-fA-F]{32}))?$/.exec(id) ?? []
  if (name === undefined) throw new ProviderFailure('invalid', { code: 'Form', isUnread: true })
  return { name, version }
}

function checkTimes({ attributes: { enabled, nbf, exp } }: z.output<typeof Item>, now: number): void {
  if (enabled === false || (nbf && nbf * 1000 > now)) throw new ProviderFailure('disabled')
  if (exp && exp * 1000 <= now) throw new ProviderFailure('expired')
}

function secretOf({ id, value, contentType, tags, attributes }: Bundle): ProviderSecret {
  if (typeof value !== 'string') throw new ProviderFailure('invalid', { code: 'NoValue' })
  const encoding = tags?.[ENCODING_TAG] === 'base64' ? 'base64' : 'utf8'
  const bytes = encoding === 'base64' ? parseBase64(value) : bytesOfText(value)
  if (bytes === null) throw new ProviderFailure('invalid', { code: 'Form' })
  return {
    value: new Redacted(bytes),
    encoding,
    version: partsOf(id).version,
    createdAt: milliseconds(attributes.created),
    expiresAt: milliseconds(attributes.exp),
    contentType: contentType ?? null,
    tags: storeTags(Object.entries(othersTags(tags))),
  }
}

function presentContent({ value, tags, contentType }: Bundle) {
  return { text: tags?.[ENCODING_TAG] === 'base64' ? null : (value ?? null), isJson: isJsonType(contentType) }
}

/** Writes text as text, and other bytes as base64 with the encoding tag. */
function contentOf(
  value: Redacted<Bytes>,
  plain: string | null,
): { text: string; tags: Record<string, string>; encoding: Encoding } {
  const bytes = value.reveal()
  // Four characters of base64 hold three bytes.
  checkSize(bytes, plain === null ? (MAX_VALUE_BYTES / 4) * 3 : MAX_VALUE_BYTES)
  const text = plain ?? base64(bytes)
  return plain === null
    ? { text, tags: { [ENCODING_TAG]: 'base64' }, encoding: 'base64' }
    : { text, tags: {}, encoding: 'utf8' }
}

/** The tags other than those that Postern sets. */
function othersTags(tags: Bundle['tags']): Record<string, string> {
  return Object.fromEntries(Object.entries(tags ?? {}).filter(([key]) => key !== ENCODING_TAG && key !== WRITE_TAG))
}

/** The previous version is known only if no other was made in the same second. */
function historyOf(items: z.output<typeof Item>[], current: string, now: number): ProviderVersion[] {
  const rank = (item: z.output<typeof Item>) => (partsOf(item.id).version === current ? 0 : 1)
  const sorted = items.toSorted((a, b) => rank(a) - rank(b) || createdAt(b) - createdAt(a))
  const previous = sorted.length > 2 && createdAt(sorted[1]!) === createdAt(sorted[2]!) ? null : 'previous'
  return sorted.map((item, at) => ({
    version: partsOf(item.id).version,
    stage: (['current', previous] as const)[at] ?? null,
    createdAt: milliseconds(item.attributes.created),
    enabled: item.attributes.enabled !== false && !(item.attributes.exp && item.attributes.exp * 1000 <= now),
  }))
}

function createdAt({ attributes }: z.output<typeof Item>): number {
  return attributes.created ?? 0
}

function milliseconds(seconds: number | null | undefined): number | null {
  return seconds === null || seconds === undefined ? null : seconds * 1000
}
