/**
 * The provider port: another store that secrets are kept in, and the closed set of what can go wrong there.
 *
 * @module
 */

import type { Bytes } from '../bytes.ts'
import type { Encoding } from '../encoding.ts'
import type { Redacted } from '../redacted.ts'

/**
 * The kinds of stores that a provider can be. The sealed store of the vault is not one of them: it is not across a
 * network.
 */
export const PROVIDER_KINDS = ['aws', 'azure', 'hashicorp', 'http', 'file'] as const
/** One of {@link PROVIDER_KINDS}. */
export type ProviderKind = (typeof PROVIDER_KINDS)[number]

/**
 * Everything that can go wrong, told by the service's own error code and never by the HTTP status alone.
 *
 * The first group are answers: the store works, and says no. The second are outages: nothing is known, and
 * a replica may be asked.
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
  'foreign_shape', // the shape of the secret differs from the shape of the write, and nothing was sent
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

/** A provider's refusal or outage. Holds no text of the answer: only what kind it is, and a code of the service. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure'
  readonly kind: FailureKind
  /** The service's own code, such as `ResourceNotFoundException`, when it is a plain word; safe to log. */
  readonly code: string | null
  /** When the service asked to be left alone, and for how long. */
  readonly retryAfterMs: number | null
  /** The most that is read of an answer, in bytes, when this one had more. */
  readonly limitBytes: number | null
  /** Whether there was an answer, of success or not, that could not be read: a write may have been made. */
  readonly isUnread: boolean

  constructor(kind: FailureKind, { code, retryAfterMs, limitBytes, isUnread = false }: FailureDetail = {}) {
    super(`Provider failed: ${kind}`)
    this.kind = kind
    this.code = typeof code === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(code) ? code : null
    this.retryAfterMs = retryAfterMs ?? null
    this.limitBytes = limitBytes ?? null
    this.isUnread = isUnread
  }

  /** Whether a replica may be asked in its place: an answer is not an outage. */
  get isOutage(): boolean {
    return (OUTAGES as readonly string[]).includes(this.kind)
  }
}

/** A secret as a provider keeps it. */
export interface ProviderSecret {
  value: Redacted<Bytes>
  /** Whether the store has it as text or as bytes. */
  encoding: Encoding
  /** The provider's own id of the version; opaque. */
  version: string
  /** Milliseconds since the Unix epoch; `null` when the store does not say. */
  createdAt: number | null
  expiresAt: number | null
  contentType: string | null
  /** Set when the store keeps fields rather than this text: key order, spaces and digits may be its own. */
  isFields?: true
}

/** What a list shows of a secret. */
export interface ProviderListItem {
  name: string
  updatedAt: number | null
}

/** One version in a history, newest first. */
export interface ProviderVersion {
  version: string
  /** `current`, `previous` or `pending`, where the store has such stages. */
  stage: 'current' | 'previous' | 'pending' | null
  createdAt: number | null
  /** Whether its value can still be read. */
  enabled: boolean
}

/** How a write may be told from another, and what it expects. */
export interface ProviderPutOptions {
  signal: AbortSignal
  /** Makes a repeat of this write harmless, where the store can; 32 to 64 of `[A-Za-z0-9-]`. */
  idempotencyKey: string
  contentType?: string
  /** The version that must be current, or `absent`: `conflict` otherwise. */
  expect?: string | 'absent'
  /** Set when the shape of what is there may be replaced; `foreign_shape` otherwise. See `shape.ts`. */
  replace?: 'shape' | undefined
}

/** Which rotation of a store is meant. */
export interface RotateOptions {
  /** 32 to 64 of `[A-Za-z0-9-]`. */
  token: string
  /** Whether to begin the rotation, or to resume one that stopped. Otherwise the call only reads its progress. */
  begin: boolean
  signal: AbortSignal
}

/** How far a rotation has come that a store does by itself. */
export interface ProviderRotation {
  /** The version that it makes, or made. */
  version: string
  /** Whether that is what readers get, or got until another one came. */
  isDone: boolean
}

/**
 * A store of secrets on another server. Names are the store's own (see `names.ts`); the caller has mapped them.
 *
 * Every method throws {@link ProviderFailure} and nothing else, honours its signal, changes at most once what a
 * reader sees, and retries nothing by itself but one request after credentials were renewed or a clock was put right.
 */
export interface Provider {
  readonly kind: ProviderKind
  get(name: string, options: { version?: string; signal: AbortSignal }): Promise<ProviderSecret>
  /** Where the store can: the current versions of many names in few requests, each with its own outcome, in order. */
  getMany?(names: readonly string[], options: { signal: AbortSignal }): Promise<(ProviderSecret | ProviderFailure)[]>
  /** Names from a prefix on, in the store's order, a page at a time. */
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
  /** `null` when the store keeps no history. */
  versions: ((name: string, options: { signal: AbortSignal }) => Promise<ProviderVersion[]>) | null
  /** Resolves when the store can serve, with the same credentials and the same way that a read takes. */
  health(options: { signal: AbortSignal }): Promise<void>
}
