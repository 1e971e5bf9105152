/**
 * HashiCorp Vault and OpenBao: the KV secrets engine, version 1 and 2.
 *
 * @module
 */
import * as z from 'zod/mini'
import type { Bytes } from '../../bytes.ts'
import type { Redacted } from '../../redacted.ts'
import { isStageWord } from '../../stages.ts'
import {
  type Provider,
  ProviderFailure,
  type ProviderPutOptions,
  type ProviderSecret,
  type ProviderVersion,
} from '../provider.ts'
import {
  failureOf,
  HEALTH_NAME,
  malformed,
  type ProviderOptions,
  readAnswer,
  resolvesWhenServed,
  UNVERSIONED,
} from '../request.ts'
import { look } from '../shape.ts'
import { checkStoreName } from '../store_names.ts'
import { storeTags } from '../store_tags.ts'
import { type HashicorpAddress, parseMount } from './api.ts'
import { KvEngine, type KvVersion } from './engine.ts'
import { dataOf, type Fields, secretOf } from './fields.ts'
import { HashicorpSession } from './session.ts'
import type { HashicorpCredentials } from './token.ts'
import { walk } from './walk.ts'

/** A mount of the KV secrets engine, and the credentials for it. */
export interface HashicorpConfig extends HashicorpAddress {
  /** The path of the KV engine. */
  mount: string
  /** Detected if not given. */
  kvVersion?: 1 | 2
  credentials: HashicorpCredentials
  /** The name for health checks: our policy covers it, and no secret has it. */
  healthName?: string
}

const Mount = z.object({
  data: z.object({ type: z.string(), options: z.nullish(z.object({ version: z.nullish(z.string()) })) }),
})
const VersionTimes = z.object({ created_time: z.string(), deletion_time: z.string(), destroyed: z.boolean() })
const Read2 = z.object({
  data: z.object({
    metadata: z.extend(VersionTimes, {
      version: z.number(),
      custom_metadata: z.catch(z.nullish(z.record(z.string(), z.string())), null),
    }),
  }),
})
/** The place of the fields in a response. */
const FIELDS_1 = '/data'
const FIELDS_2 = '/data/data'
const Written2 = z.object({ data: z.object({ version: z.number() }) })
const Metadata = z.object({
  data: z.object({ current_version: z.number(), versions: z.record(z.string(), VersionTimes) }),
})
const Keys = z.object({ data: z.object({ keys: z.array(z.string()) }) })

/** A mount of the KV secrets engine. */
export class HashicorpProvider implements Provider {
  readonly kind = 'hashicorp'
  readonly keep?: NonNullable<Provider['keep']>
  readonly #session: HashicorpSession
  readonly #mount: string
  readonly #engine: KvEngine
  readonly #healthName: string
  readonly #now: () => number

  /** @throws {PosternError} `bad_request` for a configuration that cannot work. */
  constructor(config: HashicorpConfig, options: ProviderOptions = {}) {
    const { kvVersion, credentials } = config
    this.#session = new HashicorpSession(config, credentials, options)
    this.#mount = parseMount(config.mount, 'mount')
    this.#healthName = config.healthName ?? HEALTH_NAME
    this.#now = options.now ?? Date.now
    const look = (signal: AbortSignal) => this.#lookAtMount(signal)
    this.#engine = new KvEngine({ configured: kvVersion, look, now: this.#now, report: options.report })
    // A token of an issuer logs in again at any time.
    if (credentials.kind === 'jwt') return
    const kept = credentials.kind === 'token' ? 'given' : 'held'
    this.keep = ({ signal }) => this.#session.keep(signal, kept)
  }

  async health({ signal }: { signal: AbortSignal }): Promise<void> {
    await resolvesWhenServed(this.get(this.#healthName, { signal }))
  }

  /** Detects the mounted engine. */
  async #lookAtMount(signal: AbortSignal): Promise<KvVersion> {
    const { data } = await this.#session.request(
      { path: `sys/internal/ui/mounts/${this.#mount}/${this.#healthName}`, signal },
      Mount,
    )
    if (data.type !== 'kv' && data.type !== 'generic') throw new ProviderFailure('invalid', { code: 'Mount' })
    return data.options?.version === '2' ? 2 : 1
  }

  #pathOf(name: string, part: 'data' | 'metadata' | 'delete'): string {
    return `${this.#mount}/${part}/${encode(name)}`
  }

  async get(
    name: string,
    { version: asked, signal }: { version?: string; signal: AbortSignal },
  ): Promise<ProviderSecret> {
    checkStoreName('hashicorp', name)
    return this.#engine.read(signal, (kv) =>
      kv === 1 ? this.#getUnversioned(name, asked, signal) : this.#getVersioned(name, asked, signal),
    )
  }

  async #getVersioned(name: string, asked: string | undefined, signal: AbortSignal): Promise<ProviderSecret> {
    if (asked === 'current') return this.#getVersioned(name, undefined, signal)
    if (asked === 'previous') return this.#getPrevious(name, signal)
    if (isStageWord(asked)) throw new ProviderFailure('no_stage')
    if (asked !== undefined && !/^[1-9][0-9]{0,14}$/.test(asked)) throw new ProviderFailure('not_found')
    const path = this.#pathOf(name, 'data') + (asked === undefined ? '' : `?version=${asked}`)
    const { fields, answer } = await this.#session.requestFields({ path, signal }, FIELDS_2, Read2)
    const { metadata } = answer.data
    const expiresAt = milliseconds(metadata.deletion_time)
    // On a live version this time is in the future; the server checks it by its own clock before us.
    if (expiresAt !== null && expiresAt <= this.#now()) throw new ProviderFailure('deleted')
    return {
      ...secretOf(fields),
      version: String(metadata.version),
      createdAt: milliseconds(metadata.created_time),
      expiresAt,
      tags: storeTags(Object.entries(metadata.custom_metadata ?? {})),
    }
  }

  /** The version before the current one, which must be live: a deletion of the secret hides both. */
  async #getPrevious(name: string, signal: AbortSignal): Promise<ProviderSecret> {
    const current = await this.#getVersioned(name, undefined, signal)
    return this.#getVersioned(name, String(Number(current.version) - 1), signal)
  }

  async #getUnversioned(name: string, asked: string | undefined, signal: AbortSignal): Promise<ProviderSecret> {
    if (asked !== 'current' && isStageWord(asked)) throw new ProviderFailure('no_stage')
    if (asked !== 'current' && asked !== undefined && asked !== UNVERSIONED) throw new ProviderFailure('not_found')
    const { fields } = await this.#session.requestFields(
      { path: `${this.#mount}/${encode(name)}`, signal },
      FIELDS_1,
      z.unknown(),
    )
    return { ...secretOf(fields), version: UNVERSIONED, createdAt: null, expiresAt: null }
  }

  async list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    // Folders are parts of names and must not lead out of the mount.
    if (prefix.includes('/')) checkStoreName('hashicorp', prefix.slice(0, prefix.lastIndexOf('/')))
    const keysBelow = (folder: string): Promise<string[]> => {
      const below = `${folder === '' ? '' : `/${encode(folder.slice(0, -1))}`}?list=true`
      const keys = this.#engine.read(signal, async (kv) => {
        const path = `${kv === 1 ? this.#mount : `${this.#mount}/metadata`}${below}`
        return (await this.#session.request({ path, signal }, Keys)).data.keys
      })
      return keys.catch(emptyWhenAbsent)
    }
    const { names, cursor: next } = await walk(keysBelow, { prefix, cursor, limit })
    return { items: names.map((name) => ({ name, updatedAt: null })), cursor: next }
  }

  /** Reads the version that the write must follow, so no other write can come between. */
  async put(name: string, value: Redacted<Bytes>, options: ProviderPutOptions): Promise<{ version: string }> {
    checkStoreName('hashicorp', name)
    return this.#engine.write(options.signal, (kv) =>
      kv === 1 ? this.#putUnversioned(name, value, options) : this.#putVersioned(name, value, options),
    )
  }

  async #putVersioned(name: string, value: Redacted<Bytes>, options: ProviderPutOptions) {
    const { signal, expect } = options
    const cas =
      expect === undefined ? await this.#latestOf(name, signal) : expect === 'absent' ? 0 : versionNumber(expect)
    const path = this.#pathOf(name, 'data')
    const present = cas === 0 ? null : await this.#presentAt(`${path}?version=${cas}`, FIELDS_2, options)
    const body = `{"options":{"cas":${cas}},"data":${dataOf(value, options, present)}}`
    const received = await this.#session.send({ method: 'POST', path, body, signal })
    if (received.status === 204) throw this.#engine.strayed()
    const written = readAnswer(received.body, Written2)
    if (written === null) throw malformed(received)
    return { version: String(written.data.version) }
  }

  /** Version 1 has no check-and-set: the present value is read before the write. */
  async #putUnversioned(name: string, value: Redacted<Bytes>, options: ProviderPutOptions) {
    const { expect, signal } = options
    const path = `${this.#mount}/${encode(name)}`
    const present = await this.#presentAt(path, FIELDS_1, options)
    if (expect !== undefined && expect !== (present === null ? 'absent' : UNVERSIONED))
      throw new ProviderFailure('conflict')
    await this.#session.send({ method: 'POST', path, body: dataOf(value, options, present), signal })
    return { version: UNVERSIONED }
  }

  /** Reads the fields that a write would replace; `null` if there are none. */
  #presentAt(path: string, pointer: string, { signal, replace }: ProviderPutOptions): Promise<Fields | null> {
    const read = this.#session.requestFields({ path, signal }, pointer, z.unknown()).then(({ fields }) => fields)
    return look(read, { replace })
  }

  #metadataOf(name: string, signal: AbortSignal) {
    return this.#session.request({ path: this.#pathOf(name, 'metadata'), signal }, Metadata).then(({ data }) => data)
  }

  /** Returns the number that a write must follow, so that one of two concurrent writes fails. */
  async #latestOf(name: string, signal: AbortSignal): Promise<number> {
    return this.#metadataOf(name, signal).then(({ current_version }) => current_version, zeroWhenAbsent)
  }

  /** Deletes all versions, so that none can be read by its number. They can be undeleted. */
  async remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName('hashicorp', name)
    await this.#engine.write(signal, (kv) =>
      kv === 1 ? this.#removeUnversioned(name, signal) : this.#removeVersions(name, signal),
    )
  }

  async #removeUnversioned(name: string, signal: AbortSignal): Promise<void> {
    await this.#getUnversioned(name, undefined, signal)
    await this.#session.send({ method: 'DELETE', path: `${this.#mount}/${encode(name)}`, signal })
  }

  async #removeVersions(name: string, signal: AbortSignal): Promise<void> {
    const { versions: all } = await this.#metadataOf(name, signal)
    const live = Object.keys(all)
      .filter((number) => isLive(all[number]!, this.#now()))
      .map(Number)
    if (live.length === 0) throw new ProviderFailure('deleted')
    await this.#session.send({ method: 'POST', path: this.#pathOf(name, 'delete'), body: { versions: live }, signal })
  }

  async versions(name: string, { signal }: { signal: AbortSignal }): Promise<ProviderVersion[]> {
    checkStoreName('hashicorp', name)
    return this.#engine.read(signal, (kv) =>
      kv === 1 ? this.#onlyVersion(name, signal) : this.#historyOf(name, signal),
    )
  }

  async #onlyVersion(name: string, signal: AbortSignal): Promise<ProviderVersion[]> {
    await this.#getUnversioned(name, undefined, signal)
    return [{ version: UNVERSIONED, stage: 'current', createdAt: null, enabled: true }]
  }

  async #historyOf(name: string, signal: AbortSignal): Promise<ProviderVersion[]> {
    const { versions: all, current_version: current } = await this.#metadataOf(name, signal)
    const numbers = Object.keys(all)
      .map(Number)
      .sort((a, b) => b - a)
    return numbers.map((number) => ({
      version: String(number),
      stage: number === current ? 'current' : number === current - 1 ? 'previous' : null,
      createdAt: milliseconds(all[number]!.created_time),
      enabled: isLive(all[number]!, this.#now()),
    }))
  }
}

/** Encodes a name as a path. Its segments are checked: none of them is `.` or `..`, which no encoding would hide. */
function encode(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}

/** Parses the number of an expected version. */
function versionNumber(expect: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(expect)) throw new ProviderFailure('conflict')
  return Number(expect)
}

function isLive({ deletion_time, destroyed }: z.output<typeof VersionTimes>, now: number): boolean {
  const deletedAt = milliseconds(deletion_time)
  return !destroyed && (deletedAt === null || deletedAt > now)
}

/** Parses RFC 3339 with nanoseconds, which not every `Date.parse` accepts. Empty means no time. */
function milliseconds(time: string): number | null {
  const ms = Date.parse(time.replace(/(\.[0-9]{3})[0-9]+/, '$1'))
  return Number.isNaN(ms) ? null : ms
}

function whenAbsent<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (failureOf(error).kind !== 'not_found') throw error
    return value
  }
}
const emptyWhenAbsent = whenAbsent<string[]>([])
const zeroWhenAbsent = whenAbsent<number>(0)
