/**
 * Operations on one secret. Values arrive and leave sealed: no key is ever here. Names and histories are in
 * `list_operations.ts`.
 *
 * @module
 */

import type { Encoding } from '../../encoding.ts'
import type { Reason } from '../../errors.ts'
import { isStage, isStageWord, isUniqueVersionId } from '../../stages.ts'
import type { StrengthPolicy } from '../../values/strength.ts'
import { type ProviderRead, planRead, type ReadInput } from '../chains/read_operations.ts'
import { beginWrite, type ProviderWrite } from '../chains/write_operations.ts'
import type { Under } from '../keys/key_store.ts'
import { byName, type OperationContext, type Outcome, operation } from '../operation.ts'
import { IDEMPOTENCY_MS, isSame, noteBegun, replayOf } from './idempotency.ts'
import type { Idempotency, SecretRow, VersionRow } from './store.ts'

/** One version as it leaves the vault, sealed. */
export interface SealedVersion {
  name: string
  version: number
  kid: string
  sealed: Uint8Array<ArrayBuffer>
  contentType: string
  encoding: Encoding
  tags: Record<string, string>
  createdAt: number
  expiresAt: number | null
}

/** A write: a sealed value, and the state that the writer expects. */
export interface WriteInput {
  name: string
  /** The number it is sealed as: the next one, from `secret.prepare`. */
  version: number
  kid: string
  sealed: Uint8Array<ArrayBuffer>
  contentType: string
  encoding: Encoding
  /** Replaces the tags of the secret when given. */
  tags?: Record<string, string>
  expiresAt?: number
  /** Check-and-set: the current version, or that there is none. */
  expect?: number | 'absent' | { provided: string }
  idempotency?: Idempotency
  /** Set when a document of a provider may be replaced by a text, or a text by one. */
  replace?: 'shape' | undefined
  /** The origin of the version, if it is not a write. */
  why?: string
  /** Set when the edge will not try again: then a race is recorded. */
  last?: boolean
}

/** The version that the writer expects to be current. */
interface Expected {
  name: string
  expect?: number
}

/** Where a write goes: to the sealed store, as a version, or to a provider. */
export type Prepared = SealedWrite | (ProviderWrite & Pick<SealedWrite, 'strength'>)

/** The result of a write. */
export interface Written {
  name: string
  version: number
  /** Whether an earlier request with this idempotency key did it. */
  replayed: boolean
}

/** Reads a version of a secret, still sealed, or plans its read at a provider. */
export const readSecret = operation({
  action: 'read',
  countsEach: true,
  resource: byName,
  resourceFacts: ({ version, field }: ReadInput) => ({
    ...(version !== undefined && (isLabel(version) ? { asked: version } : { version })),
    ...(field !== undefined && { field }),
  }),
  // Only the provider knows its present version, so the binding holds the version that was requested.
  approvalBinding: ({ secrets, chains }, { name, version, field }) => {
    const chain = chains.covering(name)
    const part = field === undefined ? {} : { field }
    if (chain !== null) return { version: version ?? null, chain: chain.id, revision: chain.revision, ...part }
    const secret = secrets.find(name)
    // What a stage stood for when it was approved.
    return { version: (secret && numberOf(secret, version)) ?? version ?? null, ...part }
  },
  run(context, input: ReadInput): Outcome<SealedVersion | ProviderRead> {
    const { name, version } = input
    const { secrets, chains, now } = context
    const chain = chains.covering(name)
    if (chain !== null) return planRead(context, chain, input)
    const secret = secrets.find(name)
    if (secret === null || secret.current === null) return { reason: 'no_secret' }
    if (secret.deletedAt !== null) return { reason: 'deleted' }
    if (!isStage(version) && isStageWord(version)) return { reason: 'no_stage' }
    const number = numberOf(secret, version)
    const row = number === null ? null : secrets.version(secret.id, number)
    if (row === null) return { reason: 'no_version' }
    const facts = { version: row.number }
    if (row.sealed === null) return { reason: 'destroyed', facts }
    if (row.expiresAt !== null && row.expiresAt <= now) return { reason: 'expired', facts }
    return { value: sealedVersion(secret, row, row.sealed), facts }
  },
})

/**
 * Returns the number of the next version: a value is sealed for its number, so that no row can pass for another. It
 * reserves nothing; `secret.write` checks that the number is still the next.
 */
export const prepareWrite = operation({
  action: 'write',
  resource: byName,
  run(
    context,
    { name, idempotency, replace }: Pick<WriteInput, 'name' | 'idempotency' | 'replace'>,
  ): Outcome<Prepared> {
    const { secrets, chains, policy, keys } = context
    const strength = policy.strengthFor(name)
    const chain = chains.covering(name)
    const replay = replayOf(context, idempotency)
    if (chain === null) {
      const version = (secrets.find(name)?.latest ?? 0) + 1
      // The vault took the value of a repeat before: it is not tested against a policy that came since.
      const isTaken = replay !== null && isSame(replay, idempotency)
      return { value: { version, ...keys.under(), strength: isTaken ? null : strength }, unrecorded: true }
    }
    if (replay === null) {
      if (isRotating(context, name)) return { reason: 'rotating' }
      const begun = beginWrite(context, chain, name, { effect: 'write', replace })
      return { ...begun, value: { ...begun.value, under: noteBegun(context, name, idempotency), strength } }
    }
    if (!isSame(replay, idempotency)) return { reason: 'key_reused' }
    const version = replay.provided ?? String(replay.number)
    return { value: { chain, replayed: version, under: null, strength: null }, facts: { version, replayed: true } }
  },
})

/** The number and the key to seal a value under, and the strength that it must have. */
export interface SealedWrite extends Under {
  version: number
  /** The vault's policy for the value, which only the edge can see. */
  strength: StrengthPolicy | null
}

/**
 * Gives the edge an earlier version, to be sealed again as the next one. Where a secret rotates, its target has to
 * learn the value too, so that becomes a rotation. The edge opens the version for the caller, so it needs `read` as
 * well.
 */
export const prepareVersionRestore = operation({
  action: 'write',
  also: () => 'read',
  resource: byName,
  resourceFacts: ({ version }: { name: string; version: number }) => ({ to: version }),
  approvalBinding: ({ secrets }, { name, version }) => ({ to: version, latest: secrets.find(name)?.latest ?? null }),
  run(context: OperationContext, { name, version }: { name: string; version: number }): Outcome<VersionRestore> {
    const { secrets, rotations, chains, now } = context
    if (chains.covering(name) !== null) return { reason: 'not_sealed' }
    const secret = secrets.find(name)
    if (secret === null || secret.current === null) return { reason: 'no_secret' }
    if (secret.deletedAt !== null) return { reason: 'deleted' }
    const row = secrets.version(secret.id, version)
    if (row === null) return { reason: 'no_version' }
    if (row.sealed === null) return { reason: 'destroyed' }
    if (row.expiresAt !== null && row.expiresAt <= now) return { reason: 'expired' }
    const rotates = rotations.find(secret.id) !== null
    return {
      value: { rotates, current: secret.current, source: rotates ? null : sealedVersion(secret, row, row.sealed) },
    }
  },
})

/** The version to restore. */
export interface VersionRestore {
  rotates: boolean
  current: number
  source: SealedVersion | null
}

/** A write that the edge refuses because its value is weaker than the policy demands. */
export interface WeakWrite {
  name: string
  weak: true
}

/** Stores a new version, which becomes current. */
export const writeSecret = operation({
  action: 'write',
  resource: byName,
  run(context: OperationContext, input: WriteInput | WeakWrite): Outcome<Written> {
    // The log holds only that the value was weak: a reason would narrow a guess.
    if ('weak' in input) return { reason: 'weak' }
    const { secrets, keys, chains, principal, now } = context
    const { name, idempotency, version: number, why = null } = input
    if (chains.covering(name) !== null) return { reason: 'not_sealed' }
    const replay = replayOf(context, idempotency)
    if (replay) {
      const facts = { version: replay.number, replayed: true }
      if (!isSame(replay, idempotency)) return { reason: 'key_reused' }
      return { value: { name, version: replay.number, replayed: true }, facts }
    }
    const secret = secrets.find(name)
    const reason = objection(secret, input.expect)
    if (reason !== null) return { reason }
    // Another write was faster; the edge seals again for the next number.
    if (number !== (secret?.latest ?? 0) + 1 || !keys.isCurrent(input.kid))
      return input.last ? { reason: 'raced' } : { reason: 'raced', unrecorded: true }
    const tags = input.tags === undefined ? (secret?.tags ?? '{}') : JSON.stringify(input.tags)
    const { kid, sealed, contentType, encoding, expiresAt = null } = input
    const version = { number, kid, sealed, contentType, encoding, createdAt: now, createdBy: principal, why, expiresAt }
    secrets.add(name, secret, version, tags)
    if (idempotency) {
      const { key, fingerprint } = idempotency
      const replay = { fingerprint, name, number, provided: null }
      secrets.remember(principal, key, replay, now, now - IDEMPOTENCY_MS)
    }
    return { value: { name, version: number, replayed: false }, facts: { version: number, ...(why && { why }) } }
  },
})

/** Deletes a secret, recoverably in the vault's own store. */
export const deleteSecret = operation({
  action: 'delete',
  resource: byName,
  // A deletion here can be undone. A deletion at a provider, and at its replicas, may be final.
  approvalBinding: ({ chains }, { name }: Expected) => {
    const chain = chains.covering(name)
    return chain === null ? 'nothing' : { chain: chain.id, revision: chain.revision }
  },
  run(context, { name, expect }: Expected): Outcome<{ deletedAt: number } | ProviderWrite> {
    const { secrets, chains, now } = context
    const chain = chains.covering(name)
    if (chain !== null) {
      // No store can compare and delete in one step.
      if (expect !== undefined) return { reason: 'not_sealed' }
      return isRotating(context, name) ? { reason: 'rotating' } : beginWrite(context, chain, name, { effect: 'delete' })
    }
    const secret = secrets.find(name)
    if (secret === null || secret.current === null) return { reason: 'no_secret' }
    if (secret.deletedAt !== null) return { reason: 'deleted' }
    if (expect !== undefined && expect !== secret.current) return { reason: 'version_mismatch' }
    secrets.markDeleted(secret.id, now, now)
    return { value: { deletedAt: now }, facts: { version: secret.current } }
  },
})

/** Restores a deleted secret. */
export const restoreSecret = operation({
  action: 'delete',
  resource: byName,
  approvalBinding: 'nothing',
  run({ secrets, chains, now }, { name, expect }: Expected): Outcome<{ version: number }> {
    if (chains.covering(name) !== null) return { reason: 'not_sealed' }
    const secret = secrets.find(name)
    if (secret === null || secret.current === null) return { reason: 'no_secret' }
    if (expect !== undefined && expect !== secret.current) return { reason: 'version_mismatch' }
    // Restoring what is not deleted changes nothing, so that a repeated request is harmless.
    if (secret.deletedAt !== null) secrets.markDeleted(secret.id, null, now)
    return { value: { version: secret.current }, facts: { version: secret.current } }
  },
})

/** Erases the value of one version or of all, for good. */
export const destroySecret = operation({
  action: 'delete',
  securityEvent: true,
  resource: byName,
  resourceFacts: ({ version }: { name: string; version?: number }) => ({ versions: version ?? 'all' }),
  // Binds all present versions: a later version was not part of the approved request.
  approvalBinding: ({ secrets }, { name, version }) => ({
    version: version ?? null,
    latest: secrets.find(name)?.latest ?? null,
  }),
  run(context, input: { version?: number } & Expected): Outcome<{ destroyedAt: number }> {
    const { secrets, rotations, chains, now } = context
    const { name, version, expect } = input
    if (chains.covering(name) !== null) return { reason: 'not_sealed' }
    const secret = secrets.find(name)
    if (secret === null || secret.current === null) return { reason: 'no_secret' }
    if (expect !== undefined && expect !== secret.current) return { reason: 'version_mismatch' }
    // A target may have received the pending value, and must be told to go back first.
    if (secret.pending !== null) return { reason: 'rotating' }
    if (version !== undefined && secrets.version(secret.id, version) === null) return { reason: 'no_version' }
    // A target that cannot be told to forget a value would accept it for good.
    const run = rotations.active(secret.id)
    const isOwed = run?.step === 'finish' && (version === undefined || version === run.replaces)
    if (isOwed) return { reason: 'rotating' }
    secrets.destroy(secret.id, version ?? null, now)
    return { value: { destroyedAt: now } }
  },
})

/** Records that a version which was read just before could not be opened. It always refuses. */
export const reportUnopened = operation({
  action: 'read',
  continuation: true,
  resource: byName,
  approvalBinding: 'nothing',
  run: (
    _: OperationContext,
    { version, reason }: { name: string; version: number; reason: 'tampered' | 'no_key' },
  ): Outcome<never> => ({
    reason,
    facts: { version },
  }),
})

/** The number of a requested version; `null` if no version has this stage, or the sealed store has no such id. */
function numberOf({ current, previous, pending }: SecretRow, version: ReadInput['version'] = 'current'): number | null {
  if (typeof version === 'number') return version
  return isStage(version) ? { current, previous, pending }[version] : null
}

/** Whether a requested version is a word that may stand for different versions. */
function isLabel(version: number | string): boolean {
  return typeof version === 'string' && !isUniqueVersionId(version)
}

/** Whether a rotation of a secret at a provider is running: a change there now would collide with it. */
function isRotating({ secrets, rotations }: OperationContext, name: string): boolean {
  const secret = secrets.find(name)
  return secret !== null && rotations.active(secret.id) !== null
}

/** Why a write does not fit the secret's state, or `null`. */
function objection(secret: SecretRow | null, expect: WriteInput['expect']): Reason | null {
  const exists = secret !== null && secret.current !== null
  if (expect === 'absent' && exists) return 'exists'
  if (expect !== undefined && expect !== 'absent' && secret?.current !== expect) return 'version_mismatch'
  // A new version would collide with the pending one, which is about to become current.
  if (secret !== null && secret.pending !== null) return 'rotating'
  // A new version would make the deleted ones readable again, without an explicit restore.
  return exists && secret.deletedAt !== null ? 'restore_first' : null
}

/** A version as it leaves the vault. */
export function sealedVersion(secret: SecretRow, row: VersionRow, sealed: Uint8Array<ArrayBuffer>): SealedVersion {
  const { number, kid, contentType, encoding, createdAt, expiresAt } = row
  const tags = JSON.parse(secret.tags)
  return { name: secret.name, version: number, kid, sealed, contentType, encoding, tags, createdAt, expiresAt }
}
