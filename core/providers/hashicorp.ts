/**
 * HashiCorp Vault and OpenBao: the KV secrets engine, version 1 and 2.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, base64, parseBase64, parseUtf8, utf8 } from '../bytes.ts'
import { Redacted } from '../redacted.ts'
import {
  failureOf,
  HEALTH_NAME,
  malformed,
  type ProviderOptions,
  readAnswer,
  resolvesWhenServed,
  UNVERSIONED,
} from './ask.ts'
import { type HashicorpAddress, type HashicorpRequest, hashicorpCaller, parseMount } from './hashicorp_api.ts'
import { type HashicorpCredentials, hashicorpToken, refusedWith } from './hashicorp_token.ts'
import { walk } from './hashicorp_walk.ts'
import { checkStoreName } from './names.ts'
import {
  type ProvidedSecret,
  type ProvidedVersion,
  type Provider,
  ProviderFailure,
  type PutOptions,
} from './provider.ts'
import type { Received } from './send.ts'

export interface HashicorpConfig extends HashicorpAddress {
  /** Where the KV engine is mounted. */
  mount: string
  /** Asked of the server when not given. */
  kvVersion?: 1 | 2
  credentials: HashicorpCredentials
  /** A name that our policy covers and no secret has; read to tell whether the store serves us. */
  healthName?: string
}

const Mount = z.object({
  data: z.object({ type: z.string(), options: z.nullish(z.object({ version: z.nullish(z.string()) })) }),
})
const Fields = z.record(z.string(), z.unknown())
const Read1 = z.object({ data: Fields })
const VersionTimes = z.object({ created_time: z.string(), deletion_time: z.string(), destroyed: z.boolean() })
const Read2 = z.object({ data: z.object({ data: Fields, metadata: z.extend(VersionTimes, { version: z.number() }) }) })
const Written2 = z.object({ data: z.object({ version: z.number() }) })
const Metadata = z.object({
  data: z.object({ current_version: z.number(), versions: z.record(z.string(), VersionTimes) }),
})
const Keys = z.object({ data: z.object({ keys: z.array(z.string()) }) })

/**
 * A mount of the KV engine.
 *
 * @throws {PosternError} `bad_request` for a configuration that cannot work.
 */
export function hashicorpProvider(config: HashicorpConfig, options: ProviderOptions = {}): Provider {
  const call = hashicorpCaller(config, options)
  const credentials = hashicorpToken(config.credentials, call, options)
  const mount = parseMount(config.mount, 'mount')
  const now = options.now ?? Date.now
  const healthName = config.healthName ?? HEALTH_NAME
  let kvVersion = config.kvVersion ?? null

  function sendWithToken(asked: Omit<HashicorpRequest, 'token'>): Promise<Received> {
    return credentials.use(asked.signal, async ({ token }) => {
      try {
        return await call({ ...asked, token })
      } catch (error) {
        const failure = failureOf(error)
        throw failure.kind === 'denied' ? await refusedWith(token, call, asked.signal) : failure
      }
    })
  }

  async function request<T extends z.ZodMiniType>(
    asked: Omit<HashicorpRequest, 'token'>,
    schema: T,
  ): Promise<z.output<T>> {
    const received = await sendWithToken(asked)
    const answer = readAnswer(received.body, schema)
    if (answer === null) throw malformed(received)
    return answer
  }

  /** Which engine is mounted: the two answer the same path with different things. */
  async function engine(signal: AbortSignal): Promise<1 | 2> {
    if (kvVersion !== null) return kvVersion
    const { data } = await request({ path: `sys/internal/ui/mounts/${mount}/${healthName}`, signal }, Mount)
    if (data.type !== 'kv' && data.type !== 'generic') throw new ProviderFailure('invalid', { code: 'Mount' })
    kvVersion = data.options?.version === '2' ? 2 : 1
    return kvVersion
  }

  const pathOf = (name: string, part: 'data' | 'metadata' | 'delete') => `${mount}/${part}/${encode(name)}`

  async function get(
    name: string,
    { version: asked, signal }: { version?: string; signal: AbortSignal },
  ): Promise<ProvidedSecret> {
    checkStoreName('hashicorp', name)
    if ((await engine(signal)) === 1) return getUnversioned(name, asked, signal)
    if (asked !== undefined && !/^[1-9][0-9]{0,14}$/.test(asked)) throw new ProviderFailure('not_found')
    const path = pathOf(name, 'data') + (asked === undefined ? '' : `?version=${asked}`)
    const { data, metadata } = (await request({ path, signal }, Read2)).data
    const expiresAt = milliseconds(metadata.deletion_time)
    // On a live version this is a time to come, which the server looks at, by its own clock, before ours.
    if (expiresAt !== null && expiresAt <= now()) throw new ProviderFailure('deleted')
    return {
      ...secretOf(data),
      version: String(metadata.version),
      createdAt: milliseconds(metadata.created_time),
      expiresAt,
    }
  }

  async function getUnversioned(name: string, asked: string | undefined, signal: AbortSignal): Promise<ProvidedSecret> {
    if (asked !== undefined && asked !== UNVERSIONED) throw new ProviderFailure('not_found')
    const { data } = await request({ path: `${mount}/${encode(name)}`, signal }, Read1)
    return { ...secretOf(data), version: UNVERSIONED, createdAt: null, expiresAt: null }
  }

  async function list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    // Folders are parts of names too: none may be a way out of the mount.
    if (prefix.includes('/')) checkStoreName('hashicorp', prefix.slice(0, prefix.lastIndexOf('/')))
    const root = (await engine(signal)) === 1 ? mount : `${mount}/metadata`
    const keysBelow = async (folder: string): Promise<string[]> => {
      const path = `${root}${folder === '' ? '' : `/${encode(folder.slice(0, -1))}`}?list=true`
      return request({ path, signal }, Keys).then(({ data }) => data.keys, emptyWhenAbsent)
    }
    const { names, cursor: next } = await walk(keysBelow, { prefix, cursor, limit })
    return { items: names.map((name) => ({ name, updatedAt: null })), cursor: next }
  }

  async function put(name: string, value: Redacted<Bytes>, put: PutOptions): Promise<{ version: string }> {
    checkStoreName('hashicorp', name)
    const { signal, expect, contentType } = put
    const data = fieldsOf(value, contentType)
    if ((await engine(signal)) === 1) return putUnversioned(name, data, { expect, signal })
    const cas = expect === undefined ? await latestOf(name, signal) : expect === 'absent' ? 0 : Number(expect)
    if (!Number.isSafeInteger(cas)) throw new ProviderFailure('conflict')
    const body = { options: { cas }, data }
    const written = await request({ method: 'POST', path: pathOf(name, 'data'), body, signal }, Written2)
    return { version: String(written.data.version) }
  }

  /** Version 1 has no check-and-set: what is expected is compared before the write. */
  async function putUnversioned(
    name: string,
    body: object,
    { expect, signal }: { expect: string | undefined; signal: AbortSignal },
  ) {
    const path = `${mount}/${encode(name)}`
    if (expect !== undefined) {
      const found = await request({ path, signal }, Read1).then(() => UNVERSIONED, absentWhenAbsent)
      if (found !== expect) throw new ProviderFailure('conflict')
    }
    await sendWithToken({ method: 'POST', path, body, signal })
    return { version: UNVERSIONED }
  }

  function metadataOf(name: string, signal: AbortSignal) {
    return request({ path: pathOf(name, 'metadata'), signal }, Metadata).then(({ data }) => data)
  }

  /** The number that a write must follow, so that of two at once one is told. */
  async function latestOf(name: string, signal: AbortSignal): Promise<number> {
    return metadataOf(name, signal).then(({ current_version }) => current_version, zeroWhenAbsent)
  }

  /** All versions, so that none of what was removed can be read by its number. They can be undeleted. */
  async function remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName('hashicorp', name)
    if ((await engine(signal)) === 1) {
      await getUnversioned(name, undefined, signal)
      await sendWithToken({ method: 'DELETE', path: `${mount}/${encode(name)}`, signal })
      return
    }
    const { versions: all } = await metadataOf(name, signal)
    const live = Object.keys(all)
      .filter((number) => isLive(all[number]!, now()))
      .map(Number)
    if (live.length === 0) throw new ProviderFailure('deleted')
    await sendWithToken({ method: 'POST', path: pathOf(name, 'delete'), body: { versions: live }, signal })
  }

  async function versions(name: string, { signal }: { signal: AbortSignal }): Promise<ProvidedVersion[]> {
    checkStoreName('hashicorp', name)
    if ((await engine(signal)) === 1) {
      await getUnversioned(name, undefined, signal)
      return [{ version: UNVERSIONED, stage: 'current', createdAt: null, enabled: true }]
    }
    const { versions: all, current_version: current } = await metadataOf(name, signal)
    const numbers = Object.keys(all)
      .map(Number)
      .sort((a, b) => b - a)
    return numbers.map((number) => ({
      version: String(number),
      stage: number === current ? 'current' : number === current - 1 ? 'previous' : null,
      createdAt: milliseconds(all[number]!.created_time),
      enabled: isLive(all[number]!, now()),
    }))
  }

  const health = ({ signal }: { signal: AbortSignal }) => resolvesWhenServed(get(healthName, { signal }))
  return { kind: 'hashicorp', get, list, put, remove, versions, health }
}

/** A name as a path. Its segments were checked: none is `.` or `..`, which no encoding would hide. */
function encode(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}

/** What we write: one field, or with it how it is to be read. Numbers would lose digits: all is text. */
function fieldsOf(value: Redacted<Bytes>, contentType: string | undefined): Record<string, string> {
  const bytes = value.reveal()
  const text = parseUtf8(bytes)
  return {
    ...(text === null ? { value: base64(bytes), encoding: 'base64' } : { value: text }),
    ...(contentType === undefined ? {} : { content_type: contentType }),
  }
}

/** What we wrote, or the fields of others as one JSON document. */
function secretOf(data: z.output<typeof Fields>): Pick<ProvidedSecret, 'value' | 'encoding' | 'contentType'> {
  const { value, encoding = 'utf8', content_type: contentType = null, ...others } = data
  const ours = typeof value === 'string' && Object.keys(others).length === 0
  const typed = contentType === null || typeof contentType === 'string'
  const bytes = ours && typed && encoding === 'base64' ? parseBase64(value) : null
  if (bytes !== null && typed) return { value: new Redacted(bytes), encoding: 'base64', contentType }
  if (ours && typed && encoding === 'utf8') return { value: new Redacted(utf8(value)), encoding, contentType }
  return { value: new Redacted(utf8(JSON.stringify(data))), encoding: 'utf8', contentType: 'application/json' }
}

function isLive({ deletion_time, destroyed }: z.output<typeof VersionTimes>, now: number): boolean {
  const deletedAt = milliseconds(deletion_time)
  return !destroyed && (deletedAt === null || deletedAt > now)
}

/** RFC 3339 with nanoseconds, which not every engine's `Date.parse` takes; empty when there is none. */
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
const absentWhenAbsent = whenAbsent<string>('absent')
const zeroWhenAbsent = whenAbsent<number>(0)
