/**
 * The provider port: a store of secrets on another server, and the closed set of its failures.
 *
 * @module
 */

import type { Bytes } from '../bytes.ts'
import type { Encoding } from '../encoding.ts'
import type { Redacted } from '../redacted.ts'
import type { Stage } from '../stages.ts'
import type { StoreTags } from './store_tags.ts'

/**
 * The kinds of stores that a provider can be. The sealed store of the vault is not one of them: it is not across a
 * network.
 */
export const PROVIDER_KINDS = ['aws', 'azure', 'hashicorp', 'google', 'http', 'file'] as const
/** One of {@link PROVIDER_KINDS}. */
export type ProviderKind = (typeof PROVIDER_KINDS)[number]

/**
 * All failures. They are told by the error code of the service, never by the HTTP status alone.
 *
 * The first group are answers: the store works and refuses. The second are outages: nothing is known, and another
 * member may be tried.
 */
export const ANSWERS = [
  'not_found', // no such secret, or no such version
  'deleted', // it is deleted, scheduled for it, or destroyed
  'disabled', // it is switched off, or not valid yet
  'expired', // its own time is over
  'denied', // our credentials may not do this
  'credentials', // our credentials are wrong or have ended, and renewing them did not help
  'invalid', // the store did not take the request as it was, or its answer about this secret cannot be read
  'conflict', // the store is not in the state that a write expected, or its idempotency key stands for another write
  'name', // the store cannot have a secret of this name, and nothing was sent
  'foreign_shape', // the shape of the secret differs from the shape of the write, and nothing was sent
  'no_stage', // the store has no such stage or label of versions
] as const
/** See {@link ANSWERS}. */
export const OUTAGES = [
  'throttled', // too many requests
  'timeout', // no answer in time
  'sealed', // the store is up and locked
  'unavailable', // it cannot be reached, fails, or answers in a form that is not its own
] as const
/** How a provider failed. */
export type FailureKind = (typeof ANSWERS)[number] | (typeof OUTAGES)[number]

interface FailureDetail {
  code?: unknown
  retryAfterMs?: number | null
  limitBytes?: number
  isUnread?: boolean
}

/** A refusal or an outage of a provider. It holds no text of the response, only a kind and the code of the service. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure'
  readonly kind: FailureKind
  /** The code of the service, such as `ResourceNotFoundException`, if it is a plain word; safe to log. */
  readonly code: string | null
  /** How long the service asked not to be called, in milliseconds. */
  readonly retryAfterMs: number | null
  /** The limit in bytes, if the response or a value to be written exceeded it. */
  readonly limitBytes: number | null
  /** Whether there was a response that could not be read: a write may have been made. */
  readonly isUnread: boolean

  constructor(kind: FailureKind, { code, retryAfterMs, limitBytes, isUnread = false }: FailureDetail = {}) {
    super(`Provider failed: ${kind}`)
    this.kind = kind
    this.code = typeof code === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(code) ? code : null
    this.retryAfterMs = retryAfterMs ?? null
    this.limitBytes = limitBytes ?? null
    this.isUnread = isUnread
  }

  /** Whether another member may be tried: an answer is not an outage. */
  get isOutage(): boolean {
    return (OUTAGES as readonly string[]).includes(this.kind)
  }
}

/** A secret as it is kept at a provider. */
export interface ProviderSecret {
  value: Redacted<Bytes>
  /** Whether the store keeps it as text or as bytes. */
  encoding: Encoding
  /** The id of the version at the provider; opaque. */
  version: string
  /** Milliseconds since the Unix epoch; `null` when the store does not say. */
  createdAt: number | null
  expiresAt: number | null
  contentType: string | null
  /** The tags that the store sends with the value. */
  tags?: StoreTags | null
  /** Set if the store keeps fields instead of this text: the order of keys, spaces and digits may be its own. */
  isFields?: true
}

/** A secret in a list. */
export interface ProviderListItem {
  name: string
  updatedAt: number | null
}

/** One version in a history, newest first. */
export interface ProviderVersion {
  version: string
  /** `current`, `previous` or `pending`, if the store has such stages. */
  stage: Stage | null
  createdAt: number | null
  /** Whether its value is still readable. */
  enabled: boolean
}

/** What identifies a write, and what it expects. */
export interface ProviderPutOptions {
  signal: AbortSignal
  /** Makes a repeat of this write harmless, if the store can; 32 to 64 of `[A-Za-z0-9-]`. */
  idempotencyKey: string
  contentType?: string
  /** `base64` for bytes, which the store keeps as bytes even if they are UTF-8. Derived from the value by default. */
  encoding?: Encoding
  /** The version that must be current, or `absent`: `conflict` otherwise. */
  expect?: string | 'absent'
  /** Set if the present shape may be replaced; otherwise the write fails with `foreign_shape`. See `shape.ts`. */
  replace?: 'shape' | undefined
}

/** The rotation at a store to begin or to read. */
export interface RotateOptions {
  /** 32 to 64 of `[A-Za-z0-9-]`. */
  token: string
  /** Whether to begin the rotation, or to resume one that stopped. Otherwise the call only reads its progress. */
  begin: boolean
  signal: AbortSignal
}

/** The progress of a rotation that a store does itself. */
export interface ProviderRotation {
  /** The new version. */
  version: string
  /** Whether readers get the new version, or got it before a later one. */
  isDone: boolean
}

/**
 * A store of secrets on another server. Names are those of the store (see `store_names.ts`); the caller has mapped
 * them.
 *
 * Every method throws {@link ProviderFailure} for every failure of the store, honours its signal, changes at most once
 * what a reader sees, and retries only one request after renewing credentials or correcting a clock.
 */
export interface Provider {
  readonly kind: ProviderKind
  /**
   * Reads a secret.
   *
   * @param options.version The id of a version, a stage, or a label of the store; the current version by default.
   */
  get(name: string, options: { version?: string; signal: AbortSignal }): Promise<ProviderSecret>
  /** Optional: the current versions of many names in few requests, each with its own outcome, in order. */
  getMany?(names: readonly string[], options: { signal: AbortSignal }): Promise<(ProviderSecret | ProviderFailure)[]>
  /** Lists names with a prefix, in the order of the store, a page at a time. */
  list(options: {
    prefix: string
    cursor: string | null
    limit: number
    signal: AbortSignal
  }): Promise<{ items: ProviderListItem[]; cursor: string | null }>
  put(name: string, value: Redacted<Bytes>, options: ProviderPutOptions): Promise<{ version: string }>
  /** Deletes a secret, recoverably if the store can. Deleting a deleted secret fails with `not_found` or `deleted`. */
  remove(name: string, options: { signal: AbortSignal }): Promise<void>
  /**
   * Optional, for stores that rotate secrets themselves: has the store make the next version, or reads the progress.
   * Both may be repeated with the same token without a second version. Fails with `conflict` while another rotation is
   * in progress.
   */
  rotate?(name: string, options: RotateOptions): Promise<ProviderRotation>
  /**
   * Optional, for credentials that can only be renewed while they last: renews them when they are due.
   *
   * @returns The time of the next call, in milliseconds since the Unix epoch; infinite if they do not end, `null` if
   *   there are none to renew.
   */
  keep?(options: { signal: AbortSignal }): Promise<number | null>
  /** Optional, for a store that sends these facts with another request alone: the tags and the description of a secret. */
  describe?(
    name: string,
    options: { signal: AbortSignal },
  ): Promise<{ tags: StoreTags | null; description: string | null }>
  /** `null` if the store keeps no history. */
  versions: ((name: string, options: { signal: AbortSignal }) => Promise<ProviderVersion[]>) | null
  /** Resolves if the store works, with the same credentials and the same route as a read. */
  health(options: { signal: AbortSignal }): Promise<void>
}
