/**
 * The rotation targets of secrets at a provider: the provider's own rotation, or a value made here and written to it.
 *
 * @module
 */
import { type Bytes, parseUtf8, utf8 } from '../../core/bytes.ts'
import { DEFAULT_CONTENT_TYPE } from '../../core/encoding.ts'
import { PosternError } from '../../core/errors.ts'
import type { JsonSource } from '../../core/json_source.ts'
import type { ResolvedMember } from '../../core/providers/failover.ts'
import { isBreakerOpen } from '../../core/providers/guarded_provider.ts'
import type { FailureKind, ProviderSecret } from '../../core/providers/provider.ts'
import { failureOf } from '../../core/providers/request.ts'
import { documentOf } from '../../core/providers/shape.ts'
import { Redacted } from '../../core/redacted.ts'
import { pick } from '../../core/reference.ts'
import {
  type Credential,
  generateOnly,
  type RotationTarget,
  TargetFailure,
  type TargetStep,
} from '../../core/rotation_targets/target.ts'
import { intoOf } from '../../core/vault/rotation/provider_rotation.ts'
import type { RunFailure } from '../../core/vault/rotation/state_machine.ts'
import type { ProviderRun } from '../../core/vault/rotation/store.ts'
import type { RotationLease } from '../../core/vault/rotation/tasks.ts'
import type { VaultServices } from '../vault_services.ts'
import { askReplica, isSame } from './replica.ts'

/** A lease for a step of a rotation at a provider. */
export type ProviderLease = RotationLease & { provided: ProviderRun }

/** The target of such a run. Its steps cannot be undone: see `core/vault/rotation/state_machine.ts`. */
export function providerTarget(services: VaultServices, lease: ProviderLease): RotationTarget {
  return lease.config.target.kind === 'provider' ? selfRotating(services, lease) : written(services, lease)
}

/**
 * Reads the secret before a value is made: the write expects its version, and keeps its shape.
 *
 * @throws {TargetFailure}
 */
export async function readPresent(services: VaultServices, lease: ProviderLease): Promise<ProviderSecret> {
  return attempt(() => read(services, primaryOf(services, lease)))
}

/**
 * The bytes to write for a new value: the present document with the value in its field, or the value itself, which must
 * not replace a document.
 *
 * @throws {TargetFailure} `foreign_shape`
 */
export function fitToDocument<T extends Omit<Credential, 'version'>>(
  lease: ProviderLease,
  present: ProviderSecret,
  made: T,
): T {
  const into = intoOf(lease.config.target)
  const document = documentOf(textOf(present.value))
  if (into !== null) {
    const text = document && withField(document, into, textOf(made.value))
    if (text === null) throw new TargetFailure('foreign_shape')
    return { ...made, value: new Redacted(utf8(text)), contentType: present.contentType ?? DEFAULT_CONTENT_TYPE.utf8 }
  }
  const isLost = document !== null && documentOf(textOf(made.value)) === null
  if (isLost && lease.provided.replace === undefined) throw new TargetFailure('foreign_shape')
  return made
}

/** A provider that makes the next value itself, and is polled until that is current. */
function selfRotating(services: VaultServices, lease: ProviderLease): RotationTarget {
  const { token } = lease.provided
  const ask = (begin: boolean) =>
    attempt(async () => {
      const primary = primaryOf(services, lease)
      const { provider } = primary.guarded
      if (provider.rotate === undefined) throw new TargetFailure('refused')
      return askReplica(services, primary, (signal) => provider.rotate!(primary.name, { token, begin, signal }))
    })
  return {
    ...generateOnly,
    set: async () => (await ask(true)).version,
    test: async () => {
      const { version, isDone } = await ask(false)
      if (!isDone) throw new TargetFailure('unfinished')
      return version
    },
  }
}

/** A provider that a value is written to. Reading it back confirms the write, even after a lost answer. */
function written(services: VaultServices, lease: ProviderLease): RotationTarget {
  return {
    ...generateOnly,
    set: ({ pending }) => attempt(() => write(services, lease, pendingOf(pending))),
    test: ({ pending }) =>
      attempt(async () => {
        const present = await read(services, primaryOf(services, lease))
        if (!isSame(present, pendingOf(pending))) throw new TargetFailure('unfinished')
        return present.version
      }),
  }
}

/** Writes the pending value over the value that was current at its creation. @returns Its version at the provider. */
async function write(services: VaultServices, lease: ProviderLease, pending: Credential): Promise<string> {
  const { token, expects, replace } = lease.provided
  const primary = primaryOf(services, lease)
  const { provider } = primary.guarded
  const present = await read(services, primary)
  if (isSame(present, pending)) return present.version
  if (!isRestAsItWas(lease, present, pending)) throw new TargetFailure('conflict')
  // The content type of a document does not fit a value that replaces it.
  const contentType = (replace === undefined ? present.contentType : null) ?? pending.contentType
  try {
    const put = {
      idempotencyKey: token,
      contentType,
      encoding: pending.encoding,
      replace,
      ...(expects !== undefined && { expect: expects }),
    }
    return (
      await askReplica(services, primary, (signal) => provider.put(primary.name, pending.value, { ...put, signal }))
    ).version
  } catch (error) {
    if (failureOf(error).kind !== 'conflict') throw error
    // A foreign write; or our own, which was under way since an earlier lease.
    const now = await read(services, primary)
    if (isSame(now, pending)) return now.version
    throw error
  }
}

/** Whether the document, apart from the value's field, is as it was when the value was made: not every store can tell. */
function isRestAsItWas(lease: ProviderLease, present: ProviderSecret, pending: Credential): boolean {
  const into = intoOf(lease.config.target)
  if (into === null) return true
  const [document, becomes] = [documentOf(textOf(present.value)), textOf(pending.value)]
  const value = becomes === null ? null : pick(becomes, into)
  return document !== null && value !== null && withField(document, into, value) === becomes
}

/** The document with a text in place of a string or a `null`; `null` when neither is at the pointer. */
function withField(document: JsonSource, pointer: string, text: string | null): string | null {
  const field = document.at(pointer)
  if (text === null || (field?.kind !== 'string' && field?.kind !== 'null')) return null
  return document.replaced(field, JSON.stringify(text))
}

function textOf(value: Redacted<Bytes>): string | null {
  return parseUtf8(value.reveal())
}

function read(services: VaultServices, primary: ResolvedMember): Promise<ProviderSecret> {
  return askReplica(services, primary, (signal) => primary.guarded.provider.get(primary.name, { signal }))
}

/** The primary of the chain, where a lease says that the secret still is. @throws {TargetFailure} `refused` */
function primaryOf({ registry, vault }: VaultServices, { name, chain, provided }: ProviderLease): ResolvedMember {
  const [primary] = chain === null ? [] : registry.resolve(vault, chain, name)
  if (primary === undefined || primary.name === null || primary.guarded.id !== provided.member.provider)
    throw new TargetFailure('refused')
  return primary
}

function pendingOf(pending: TargetStep['pending']): Credential {
  if (pending === null) throw new TargetFailure('cannot_open')
  return pending
}

/** A provider's kinds of failure as failures of a run; all others are refusals. */
const RUN_FAILURES: Partial<Record<FailureKind, RunFailure>> = {
  denied: 'denied',
  conflict: 'conflict',
  foreign_shape: 'foreign_shape',
  // Credentials are renewed by the operator, not by another run.
  credentials: 'unreachable',
  throttled: 'unreachable',
  timeout: 'unreachable',
  sealed: 'unreachable',
  unavailable: 'unreachable',
}

/** Calls a provider. @throws {TargetFailure} and nothing else. */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TargetFailure) throw error
    if (isBreakerOpen(error)) throw new TargetFailure('unreachable')
    if (error instanceof PosternError) throw new TargetFailure(error.code === 'bad_request' ? 'refused' : 'unreachable')
    const { kind, code, isUnread } = failureOf(error)
    throw new TargetFailure(isUnread ? 'unreachable' : (RUN_FAILURES[kind] ?? 'refused'), code)
  }
}
