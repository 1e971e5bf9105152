/**
 * Google Secret Manager (REST, version 1).
 *
 * A payload has no type, so bytes in UTF-8 are read as text. A deletion is final: the service keeps nothing to
 * recover.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, base64, parseBase64, parseUtf8 } from '../../bytes.ts'
import { JSON_TYPE } from '../../content_type.ts'
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
import { checkFit, checkSize, documentOf, writtenContent } from '../shape.ts'
import { checkStoreName } from '../store_names.ts'
import { type GoogleAccess, type GoogleCall, googleCaller } from './api.ts'

/** The limit of the service. */
const MAX_VALUE_BYTES = 64 * 1024
const MAX_PAGE = 250
const MAX_PAGES = 40
/** The annotation that a write with an expectation changes, so that of two such writes one fails. */
const WRITE_ANNOTATION = 'postern-write'

/** A project and its credentials. */
export interface GoogleConfig extends GoogleAccess {
  /** The name for health checks, which no secret has. */
  healthName?: string
}

const Version = z.object({
  name: z.string(),
  createTime: z.optional(z.string()),
  state: z.optional(z.string()),
})
const Accessed = z.object({ name: z.string(), payload: z.object({ data: z._default(z.string(), '') }) })
const Secret = z.object({
  name: z.string(),
  createTime: z.optional(z.string()),
  etag: z.optional(z.string()),
  annotations: z.optional(z.record(z.string(), z.string())),
})
const SecretPage = z.object({ secrets: z._default(z.array(Secret), []), nextPageToken: z.optional(z.string()) })
const VersionPage = z.object({ versions: z._default(z.array(Version), []), nextPageToken: z.optional(z.string()) })

/** A project of Google Secret Manager, or a location in it. */
export class GoogleProvider implements Provider {
  readonly kind = 'google'
  readonly #call: GoogleCall
  readonly #isRegional: boolean
  readonly #healthName: string

  /** @throws {PosternError} `bad_request` for a configuration that cannot work. */
  constructor(config: GoogleConfig, options: ProviderOptions = {}) {
    this.#call = googleCaller(config, options)
    this.#isRegional = config.location !== undefined
    this.#healthName = config.healthName ?? HEALTH_NAME
  }

  async health({ signal }: { signal: AbortSignal }): Promise<void> {
    await resolvesWhenServed(this.get(this.#healthName, { signal }))
  }

  async get(name: string, { version, signal }: { version?: string; signal: AbortSignal }): Promise<ProviderSecret> {
    checkStoreName('google', name)
    if (version === 'previous') return this.#previousOf(name, signal)
    if (version !== 'current' && isStageWord(version)) throw new ProviderFailure('no_stage')
    const isCurrent = version === undefined || version === 'current'
    if (!isCurrent && !/^[1-9][0-9]{0,15}$/.test(version)) throw new ProviderFailure('not_found')
    const path = `/secrets/${name}/versions/${isCurrent ? 'latest' : version}:access`
    return secretOf(await this.#call({ path, signal }, Accessed))
  }

  /** Numbers have no gaps. The current version must be readable: a switched off secret has no previous one. */
  async #previousOf(name: string, signal: AbortSignal): Promise<ProviderSecret> {
    const { version } = await this.get(name, { signal })
    return this.get(name, { version: String(Number(version) - 1), signal })
  }

  async list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    const query = { pageSize: String(Math.min(limit, MAX_PAGE)), ...(cursor !== null && { pageToken: cursor }) }
    const { secrets, nextPageToken } = await this.#call({ path: '/secrets', query, signal }, SecretPage)
    // A page may be empty without being the last. A repeated page would never end.
    if (nextPageToken && nextPageToken === cursor) throw new ProviderFailure('unavailable')
    const items = secrets.map(({ name, createTime }) => ({ name: lastOf(name), updatedAt: milliseconds(createTime) }))
    return { items: items.filter(({ name }) => name.startsWith(prefix)), cursor: nextPageToken || null }
  }

  /**
   * Adds a version, and makes the secret first if there is none.
   *
   * The service has no check-and-set on versions. A write with an expectation compares the newest version, and then
   * takes the secret by its etag: of two such writes, one fails. A write by another client in between is not noticed.
   */
  async put(name: string, value: Redacted<Bytes>, options: ProviderPutOptions): Promise<{ version: string }> {
    checkStoreName('google', name)
    const { signal, expect, replace } = options
    const bytes = value.reveal()
    checkSize(bytes, MAX_VALUE_BYTES)
    const present = await this.#presentOf(name, signal)
    if (expect !== undefined && expect !== (present?.version ?? 'absent')) throw new ProviderFailure('conflict')
    if (present?.text != null && replace === undefined) {
      checkFit({ text: present.text, isJson: true }, { text: writtenContent(value, options).text, isJson: true })
    }
    if (present === null) await this.#create(name, options)
    else if (expect !== undefined) await this.#take(name, options, signal)
    const payload = { data: base64(bytes) }
    const request = { method: 'POST', path: `/secrets/${name}:addVersion`, body: { payload }, signal } as const
    return { version: lastOf((await this.#call(request, Version)).name) }
  }

  /** Returns the newest version, with its text if it has one; `null` if there is none. */
  async #presentOf(name: string, signal: AbortSignal): Promise<{ version: string; text: string | null } | null> {
    try {
      const { version, value } = await this.get(name, { signal })
      return { version, text: parseUtf8(value.reveal()) }
    } catch (error) {
      const { kind } = failureOf(error)
      if (kind === 'not_found') return null
      // It is switched off or destroyed, or may not be read; only its number is known.
      if (kind !== 'disabled' && kind !== 'deleted' && kind !== 'denied') throw error
      const found = await this.#call({ path: `/secrets/${name}/versions/latest`, signal }, Version)
      return { version: lastOf(found.name), text: null }
    }
  }

  /** Makes the secret, unless there is one that has no version yet and nothing is expected of it. */
  async #create(name: string, { expect, signal }: ProviderPutOptions): Promise<void> {
    const body = this.#isRegional ? {} : { replication: { automatic: {} } }
    const request = { method: 'POST', path: '/secrets', query: { secretId: name }, body, signal } as const
    await this.#call(request, Secret).catch((error) => {
      if (failureOf(error).kind !== 'conflict' || expect === 'absent') throw error
    })
  }

  /** Changes an annotation of the secret, on condition that no other write did since it was read. */
  async #take(name: string, { expect, idempotencyKey }: ProviderPutOptions, signal: AbortSignal): Promise<void> {
    const path = `/secrets/${name}`
    const { etag, annotations = {} } = await this.#call({ path, signal }, Secret)
    const latest = await this.#call({ path: `${path}/versions/latest`, signal }, Version)
    if (lastOf(latest.name) !== expect) throw new ProviderFailure('conflict')
    const body = { etag, annotations: { ...annotations, [WRITE_ANNOTATION]: idempotencyKey } }
    await this.#call({ method: 'PATCH', path, query: { updateMask: 'annotations' }, body, signal }, Secret)
  }

  async remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName('google', name)
    await this.#call({ method: 'DELETE', path: `/secrets/${name}`, signal }, z.unknown())
  }

  async versions(name: string, { signal }: { signal: AbortSignal }): Promise<ProviderVersion[]> {
    checkStoreName('google', name)
    const path = `/secrets/${name}/versions`
    const found: z.output<typeof Version>[] = []
    let pageToken: string | undefined
    for (let pages = 0; pages === 0 || pageToken; pages++) {
      if (pages === MAX_PAGES) throw new ProviderFailure('unavailable')
      const query = { pageSize: String(MAX_PAGE), ...(pageToken && { pageToken }) }
      const page: z.output<typeof VersionPage> = await this.#call({ path, query, signal }, VersionPage)
      found.push(...page.versions)
      pageToken = page.nextPageToken
    }
    return found
      .map(versionOf)
      .sort((a, b) => Number(b.version) - Number(a.version))
      .map(staged)
  }
}

/** The id at the end of a resource's name, such as `projects/1/secrets/NAME/versions/2`. */
function lastOf(name: string): string {
  const last = /^projects\/[^/]+(?:\/locations\/[^/]+)?\/secrets\/(?:[\w-]+\/versions\/)?([\w-]{1,255})$/.exec(
    name,
  )?.[1]
  if (last === undefined) throw new ProviderFailure('invalid', { code: 'Form', isUnread: true })
  return last
}

function secretOf({ name, payload }: z.output<typeof Accessed>): ProviderSecret {
  const bytes = parseBase64(payload.data)
  if (bytes === null) throw new ProviderFailure('invalid', { code: 'Form' })
  const text = parseUtf8(bytes)
  return {
    value: new Redacted(bytes),
    encoding: text === null ? 'base64' : 'utf8',
    version: lastOf(name),
    createdAt: null,
    expiresAt: null,
    contentType: documentOf(text) === null ? null : JSON_TYPE,
  }
}

function versionOf({ name, createTime, state }: z.output<typeof Version>): ProviderVersion {
  const isEnabled = state === undefined || state === 'ENABLED'
  return { version: lastOf(name), stage: null, createdAt: milliseconds(createTime), enabled: isEnabled }
}

/** A read gets the newest version, even if that one is disabled. */
function staged(version: ProviderVersion, at: number): ProviderVersion {
  return { ...version, stage: (['current', 'previous'] as const)[at] ?? null }
}

function milliseconds(time: string | undefined): number | null {
  const at = Date.parse(time ?? '')
  return Number.isNaN(at) ? null : at
}
