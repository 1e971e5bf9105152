/**
 * AWS Secrets Manager (API 2017-10-17, JSON 1.1).
 *
 * A region is a provider, so the primary and its backup are two providers. A replica region is read-only and refuses
 * writes itself.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Bytes, base64, equal, parseBase64 } from '../../bytes.ts'
import { JSON_TYPE } from '../../content_type.ts'
import { Redacted } from '../../redacted.ts'
import { isStage, isUniqueVersionId, STAGES } from '../../stages.ts'
import type { ReportEvent } from '../condition.ts'
import {
  type Provider,
  ProviderFailure,
  type ProviderPutOptions,
  type ProviderRotation,
  type ProviderSecret,
  type ProviderVersion,
  type RotateOptions,
} from '../provider.ts'
import { failureOf, HEALTH_NAME, type ProviderOptions, type ProviderOutcome, resolvesWhenServed } from '../request.ts'
import { bytesOfText, checkFit, checkSize, documentOf, look, writtenContent } from '../shape.ts'
import { checkStoreName } from '../store_names.ts'
import { storeTags } from '../store_tags.ts'
import { type AwsAccess, type AwsCall, awsCaller } from './api.ts'
import { kindOf } from './failures.ts'

const MAX_VALUE_BYTES = 65_536
const MAX_BATCH = 20
const MAX_PAGE = 100
/** The most names that the operational log has once each. */
const MAX_MISTAKEN = 100
/** The label of a version that is not yet current. The next write moves it. */
const STAGED = 'POSTERN'

/** A region and its credentials. */
export interface AwsConfig extends AwsAccess {
  /** The name for health checks: our policy covers it, and no secret has it. */
  healthName?: string
}

const Time = z.nullish(z.number())
const Value = z.object({
  Name: z.string(),
  VersionId: z.string(),
  SecretString: z.nullish(z.string()),
  SecretBinary: z.nullish(z.string()),
  CreatedDate: Time,
})
const ItemError = z.object({ SecretId: z.string(), ErrorCode: z.string(), Message: z.optional(z.string()) })
const Batch = z.object({ SecretValues: z._default(z.array(Value), []), Errors: z._default(z.array(ItemError), []) })
const Written = z.object({ VersionId: z.string() })
const Description = z.object({
  Name: z.nullish(z.string()),
  ARN: z.nullish(z.string()),
  DeletedDate: Time,
  Description: z.nullish(z.string()),
  Tags: z.nullish(z.array(z.object({ Key: z.string(), Value: z.nullish(z.string()) }))),
  RotationEnabled: z.nullish(z.boolean()),
  VersionIdsToStages: z.nullish(z.record(z.string(), z.array(z.string()))),
})
const Listed = z.object({
  SecretList: z.array(z.object({ Name: z.string(), LastChangedDate: Time, CreatedDate: Time })),
  NextToken: z.nullish(z.string()),
})
const Version = z.object({
  VersionId: z.string(),
  VersionStages: z._default(z.array(z.string()), []),
  CreatedDate: Time,
})
const Versions = z.object({ Name: z.nullish(z.string()), Versions: z.array(Version), NextToken: z.nullish(z.string()) })

/** A secret before a write. */
interface Present {
  /** Identifies it to the service. */
  id: string
  /** The current version; `null` if there is none. */
  current: string | null
}

/** A region of AWS Secrets Manager. */
export class AwsProvider implements Provider {
  readonly kind = 'aws'
  readonly #call: AwsCall
  readonly #healthName: string
  readonly #report: ReportEvent | undefined
  /** Names that the service took for another secret, and the operational log has. */
  readonly #mistaken = new Set<string>()

  /** @throws {PosternError} `bad_request` for a configuration that cannot work. */
  constructor(config: AwsConfig, options: ProviderOptions = {}) {
    this.#call = awsCaller(config, options)
    this.#report = options.report
    this.#healthName = config.healthName ?? HEALTH_NAME
  }

  async health({ signal }: { signal: AbortSignal }): Promise<void> {
    await resolvesWhenServed(this.get(this.#healthName, { signal }))
  }

  async get(name: string, { version, signal }: { version?: string; signal: AbortSignal }) {
    checkStoreName('aws', name)
    const which = selectionOf(version)
    const value = await this.#call('GetSecretValue', { SecretId: name, ...which }, Value, { signal })
    this.#checkName(name, value)
    return secretOf(value)
  }

  /** The service may take a name that ends in a hyphen and six characters for the end of another secret's ARN. */
  #checkName(name: string, { Name }: { Name?: string | null | undefined }): void {
    if (Name === name || (!Name && !isLikeArn(name))) return
    if (!this.#mistaken.has(name) && this.#mistaken.size < MAX_MISTAKEN) {
      this.#mistaken.add(name)
      this.#report?.('warn', 'provider_other_secret', { provider: 'aws', name, found: Name ?? null })
    }
    throw new ProviderFailure('not_found', { code: 'OtherName' })
  }

  async getMany(names: readonly string[], { signal }: { signal: AbortSignal }): Promise<ProviderOutcome[]> {
    const found = new Map<string, ProviderOutcome>()
    for (let at = 0; at < names.length; at += MAX_BATCH) {
      const batch = names.slice(at, at + MAX_BATCH)
      for (const name of batch) checkStoreName('aws', name)
      const { SecretValues, Errors } = await this.#call('BatchGetSecretValue', { SecretIdList: batch }, Batch, {
        signal,
      })
      for (const value of SecretValues) found.set(value.Name, outcomeOf(value))
      for (const { SecretId, ErrorCode, Message } of Errors) {
        found.set(SecretId, new ProviderFailure(kindOf(ErrorCode, Message ?? '', 400), { code: ErrorCode }))
      }
    }
    // Some emulators omit missing secrets.
    return Promise.all(names.map((name) => found.get(name) ?? this.get(name, { signal }).catch(failureOf)))
  }

  async list({ prefix, cursor, limit, signal }: Parameters<Provider['list']>[0]) {
    // An exclamation mark in front would negate the filter.
    const Filters = prefix === '' || prefix.startsWith('!') ? [] : [{ Key: 'name', Values: [prefix] }]
    const page = { MaxResults: Math.min(limit, MAX_PAGE), ...(cursor === null ? {} : { NextToken: cursor }) }
    const { SecretList, NextToken } = await this.#call('ListSecrets', { Filters, ...page }, Listed, { signal })
    const items = SecretList.filter(({ Name }) => Name.startsWith(prefix)).map(
      ({ Name, LastChangedDate, CreatedDate }) => ({
        name: Name,
        updatedAt: milliseconds(LastChangedDate ?? CreatedDate),
      }),
    )
    // A page may be empty without being the last. A repeated page would never end.
    if (NextToken && NextToken === cursor) throw new ProviderFailure('unavailable')
    return { items, cursor: NextToken || null }
  }

  async #describe(name: string, signal: AbortSignal) {
    const described = await this.#call('DescribeSecret', { SecretId: name }, Description, { signal })
    this.#checkName(name, described)
    if (described.DeletedDate) throw new ProviderFailure('deleted')
    return { ...described, id: isLikeArn(name) ? (described.ARN ?? name) : name }
  }

  /** Returns what a write replaces; `null` if there is no secret. */
  async #presentOf(name: string, signal: AbortSignal): Promise<Present | null> {
    const described = await this.#describe(name, signal).catch((error) => {
      if (failureOf(error).kind !== 'not_found') throw error
      return null
    })
    if (described === null) return null
    const stages = Object.entries(described.VersionIdsToStages ?? {})
    return { id: described.id, current: stages.find(([, labels]) => labels.includes('AWSCURRENT'))?.[0] ?? null }
  }

  /**
   * Stages a new version, which no reader sees, and then makes it current in place of the expected one: AWS has no
   * other check-and-set. The idempotency key becomes the id of the version and identifies a repeated write.
   */
  async put(name: string, value: Redacted<Bytes>, options: ProviderPutOptions) {
    checkStoreName('aws', name)
    const { signal, idempotencyKey, expect, replace } = options
    const { text } = writtenContent(value, options)
    const write = { ClientRequestToken: idempotencyKey, ...contentOf(value, text) }
    const present = expect === 'absent' ? null : await this.#presentOf(name, signal)
    if (present?.current === idempotencyKey) return this.#repeated(name, value, idempotencyKey, signal)
    if (expect !== undefined && expect !== (present?.current ?? 'absent')) throw new ProviderFailure('conflict')
    if (present === null) return this.#create(name, value, write, signal)
    if (replace === undefined) await this.#checkShape(present, text, signal)
    const staged = { SecretId: present.id, ...write, VersionStages: [STAGED] }
    const { VersionId: version } = await this.#call('PutSecretValue', staged, Written, { signal })
    await this.#makeCurrent(name, version, present, signal)
    return { version }
  }

  /** Reads the version that the write replaces. Moving the label from it fails if another write came between. */
  async #checkShape({ id, current }: Present, written: string | null, signal: AbortSignal) {
    if (current === null) return
    const read = this.#call('GetSecretValue', { SecretId: id, VersionId: current }, Value, { signal })
    const present = await look(read, {})
    // The console shows every text that is an object as keys and values, even if it is meant as text.
    const text = present?.SecretString ?? null
    if (present !== null) checkFit({ text, isJson: true }, { text: written, isJson: true })
  }

  async #create(name: string, value: Redacted<Bytes>, write: { ClientRequestToken: string }, signal: AbortSignal) {
    try {
      return { version: (await this.#call('CreateSecret', { Name: name, ...write }, Written, { signal })).VersionId }
    } catch (error) {
      const key = write.ClientRequestToken
      if (failureOf(error).kind !== 'conflict' || (await this.#presentOf(name, signal))?.current !== key) throw error
      return this.#repeated(name, value, key, signal)
    }
  }

  /** Handles a repeated write, unless its key belongs to another value. */
  async #repeated(name: string, value: Redacted<Bytes>, version: string, signal: AbortSignal) {
    const made = await this.get(name, { version, signal })
    if (!equal(made.value.reveal(), value.reveal())) throw new ProviderFailure('conflict')
    return { version }
  }

  async #makeCurrent(name: string, version: string, { id, current: from }: Present, signal: AbortSignal) {
    const move = { SecretId: id, VersionStage: 'AWSCURRENT', MoveToVersionId: version }
    const origin = from === null ? {} : { RemoveFromVersionId: from }
    try {
      await this.#call('UpdateSecretVersionStage', { ...move, ...origin }, z.unknown(), { signal })
    } catch (error) {
      if (failureOf(error).kind !== 'invalid') throw error
      // Another version was current, unless this is a repeat of a write whose response was lost.
      if ((await this.#presentOf(name, signal))?.current !== version) throw new ProviderFailure('conflict')
    }
  }

  /**
   * Has the function of the secret rotate it. The labels of the versions tell the progress, even if another client
   * started the rotation or a response was lost: the token is the id of the version. The schedule of the secret is
   * unchanged.
   */
  async rotate(name: string, { token, begin, signal }: RotateOptions): Promise<ProviderRotation> {
    checkStoreName('aws', name)
    const { id, VersionIdsToStages, RotationEnabled } = await this.#describe(name, signal)
    const progress = progressOf(Object.entries(VersionIdsToStages ?? {}), token)
    if (progress === 'other') throw new ProviderFailure('conflict', { code: 'OtherRotation' })
    if (progress === 'done') return { version: token, isDone: true }
    // A cancelled rotation leaves its label in place.
    if (progress === 'pending' && RotationEnabled === false)
      throw new ProviderFailure('conflict', { code: 'RotationCancelled' })
    if (begin) {
      const input = { SecretId: id, ClientRequestToken: token, RotateImmediately: true }
      await this.#call('RotateSecret', input, z.unknown(), { signal }).catch((error) => {
        // The service answers so while it retries our earlier rotation.
        if (progress !== 'pending' || failureOf(error).kind !== 'invalid') throw error
      })
    }
    return { version: token, isDone: false }
  }

  async remove(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    checkStoreName('aws', name)
    const SecretId = isLikeArn(name) ? (await this.#describe(name, signal)).id : name
    await this.#call('DeleteSecret', { SecretId }, z.unknown(), { signal })
  }

  async describe(name: string, { signal }: { signal: AbortSignal }) {
    checkStoreName('aws', name)
    const { Tags, Description: description } = await this.#describe(name, signal)
    const tags = storeTags((Tags ?? []).map(({ Key, Value }) => [Key, Value ?? '']))
    return { tags, description: description || null }
  }

  async versions(name: string, { signal }: { signal: AbortSignal }): Promise<ProviderVersion[]> {
    checkStoreName('aws', name)
    const input = { SecretId: name, MaxResults: MAX_PAGE }
    const listed = await this.#call('ListSecretVersionIds', input, Versions, { signal })
    this.#checkName(name, listed)
    return listed.Versions.map(versionOf).sort((a, b) => rank(a) - rank(b) || (b.createdAt ?? 0) - (a.createdAt ?? 0))
  }
}

/** Whether a name ends like an ARN: with a hyphen and six characters. */
function isLikeArn(name: string): boolean {
  return /-[A-Za-z0-9]{6}$/.test(name)
}

/**
 * Returns the progress of a rotation from the labels of all versions. No rotation can begin while another one is in
 * progress.
 */
function progressOf(stages: [string, string[]][], token: string): 'none' | 'pending' | 'done' | 'other' {
  const labels = stages.find(([version]) => version === token)?.[1] ?? []
  // It was current before another version.
  if (labels.includes('AWSCURRENT') || labels.includes('AWSPREVIOUS')) return 'done'
  const [pending, pendingLabels = []] = stages.find(([, other]) => other.includes('AWSPENDING')) ?? []
  if (pending === undefined || pendingLabels.includes('AWSCURRENT')) return 'none'
  return pending === token ? 'pending' : 'other'
}

/** Writes text as text and anything else as bytes. The service has no empty secrets, and a limit of 64 KiB. */
function contentOf(value: Redacted<Bytes>, text: string | null): { SecretString: string } | { SecretBinary: string } {
  const bytes = value.reveal()
  checkSize(bytes, MAX_VALUE_BYTES)
  return text === null ? { SecretBinary: base64(bytes) } : { SecretString: text }
}

/** Selects a version by its id, which has 32 to 64 characters, or by a staging label. A number and the empty text are neither. */
function selectionOf(version = 'current'): { VersionId: string } | { VersionStage: string } {
  if (isUniqueVersionId(version)) return { VersionId: version }
  if (/^[0-9]*$/.test(version)) throw new ProviderFailure('not_found')
  return { VersionStage: isStage(version) ? `AWS${version.toUpperCase()}` : version }
}

function secretOf({ SecretString, SecretBinary, VersionId, CreatedDate }: z.output<typeof Value>): ProviderSecret {
  const text = SecretString ?? null
  if (text === null && !SecretBinary) throw new ProviderFailure('invalid', { code: 'NoValue' })
  const bytes = text === null ? parseBase64(SecretBinary!) : bytesOfText(text)
  if (bytes === null) throw new ProviderFailure('invalid', { code: 'Form' })
  return {
    value: new Redacted(bytes),
    encoding: text === null ? 'base64' : 'utf8',
    version: VersionId,
    createdAt: milliseconds(CreatedDate),
    expiresAt: null,
    contentType: documentOf(text) === null ? null : JSON_TYPE,
  }
}

/** The failure of one secret is the outcome of that secret alone. */
function outcomeOf(value: z.output<typeof Value>): ProviderOutcome {
  try {
    return secretOf(value)
  } catch (error) {
    return failureOf(error)
  }
}

function versionOf({ VersionId, VersionStages, CreatedDate }: z.output<typeof Version>): ProviderVersion {
  const stage = STAGES.find((one) => VersionStages.includes(`AWS${one.toUpperCase()}`))
  return { version: VersionId, stage: stage ?? null, createdAt: milliseconds(CreatedDate), enabled: true }
}

/** Sorts the current version first: dates have whole seconds. */
function rank({ stage }: ProviderVersion): number {
  return stage === 'current' ? 0 : stage === 'previous' ? 1 : 2
}

/** Times are seconds with a fraction. */
function milliseconds(seconds: number | null | undefined): number | null {
  return seconds === null || seconds === undefined ? null : Math.round(seconds * 1000)
}
