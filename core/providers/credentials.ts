/**
 * Credentials of a provider: fixed, or issued for a time and renewed.
 *
 * @module
 */
import { isProgrammingError } from '../programming_error.ts'
import { Redacted } from '../redacted.ts'
import { ProviderFailure } from './provider.ts'
import { failureOf, type ProviderOptions } from './request.ts'

const RENEW_AT = 0.8
const COOLDOWN_MS = 5_000
/**
 * The fraction of their lifetime after which the scheduler renews them, chosen at random: many servers must not renew
 * at once.
 */
const KEEP_AT = { from: 0.7, to: 0.8 }

/** Lifetimes come in whole seconds. */
const ROUNDING_MS = 2000

/** The code for credentials that a renewal does not prolong. */
export const NOT_RENEWABLE = 'NotRenewable'

/** Supplies a current token or assertion at each call: from a file that is rewritten, or by minting one. */
export type TokenSource = (signal: AbortSignal) => Promise<Redacted<string>>
/** A credential that is fixed, or that a source supplies. */
export type StoreCredential = Redacted<string> | TokenSource

/**
 * Takes a token from its source.
 *
 * @throws {ProviderFailure} `credentials`, without the error of the source, which may quote the token.
 */
export async function tokenFrom(source: string | StoreCredential, signal: AbortSignal): Promise<string> {
  if (typeof source === 'string') return source
  if (source instanceof Redacted) return source.reveal()
  try {
    return (await source(signal)).reveal()
  } catch (error) {
    if (error instanceof ProviderFailure) throw error
    throw isProgrammingError(error) ? new TypeError('Source of tokens failed') : new ProviderFailure('credentials')
  }
}

/** Credentials and how long they last, in milliseconds. */
export interface Issued<T> {
  value: T
  lifetimeMs: number
}

/** Credentials for requests to a store. */
export interface Credentials<T> {
  /**
   * Makes a request with credentials, and once more with new ones if the store rejects them.
   *
   * @throws {ProviderFailure}
   */
  use<R>(signal: AbortSignal, attempt: (value: T) => Promise<R>): Promise<R>
}

/** Which credentials the scheduler keeps alive: those in use, or also those that no request has needed yet. */
export type Kept = 'held' | 'given'

/** Credentials that can also be renewed without a request. */
export interface KeptCredentials<T> extends Credentials<T> {
  /** See {@link RenewedCredentials.keep}. */
  keep(signal: AbortSignal, kept: Kept): Promise<number | null>
}

/**
 * Credentials that are taken from their sources at each use. If the store rejects them, they may have been replaced in
 * between, or read while they were: they are used once more if they differ by then.
 */
export function sourcedCredentials<T extends string | object>(
  take: (signal: AbortSignal) => Promise<T>,
): Credentials<T> {
  return {
    async use(signal, attempt) {
      const value = await take(signal)
      try {
        return await attempt(value)
      } catch (error) {
        if (!(error instanceof ProviderFailure) || error.kind !== 'credentials') throw error
        const next = await take(signal)
        if (isSame(value, next)) throw error
        return attempt(next)
      }
    },
  }
}

function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Redacted && other instanceof Redacted) return one.reveal() === other.reveal()
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other
  return Object.keys({ ...one, ...other }).every((key) => isSame(Object(one)[key], Object(other)[key]))
}

/** Renewed credentials that begin with a token of a source, and begin again when the source has another. */
export class FollowedCredentials<T> implements KeptCredentials<T> {
  readonly #source: TokenSource
  readonly #make: (token: Redacted<string>) => KeptCredentials<T>
  #followed: { token: string; credentials: KeptCredentials<T> } | null = null

  /** @param make Makes the credentials that begin with a token. */
  constructor(source: TokenSource, make: (token: Redacted<string>) => KeptCredentials<T>) {
    this.#source = source
    this.#make = make
  }

  async use<R>(signal: AbortSignal, attempt: (value: T) => Promise<R>): Promise<R> {
    const credentials = await this.#follow(signal)
    try {
      return await credentials.use(signal, attempt)
    } catch (error) {
      if (!(error instanceof ProviderFailure) || error.kind !== 'credentials') throw error
      const next = await this.#follow(signal)
      if (next === credentials) throw error
      return next.use(signal, attempt)
    }
  }

  async keep(signal: AbortSignal, kept: Kept): Promise<number | null> {
    return (await this.#follow(signal)).keep(signal, kept)
  }

  async #follow(signal: AbortSignal): Promise<KeptCredentials<T>> {
    const token = await tokenFrom(this.#source, signal)
    if (this.#followed?.token !== token) {
      this.#followed = { token, credentials: this.#make(new Redacted(token)) }
    }
    return this.#followed.credentials
  }
}

/**
 * Credentials that end. They are renewed after 80 % of their lifetime, by one request for all callers.
 *
 * After a refusal, or a failure while the present ones last, the issuer is not called for a few seconds: wrong
 * credentials, tried at every read, would lock an account out.
 */
export class RenewedCredentials<T> implements KeptCredentials<T> {
  readonly #issue: (signal: AbortSignal, held: T | null) => Promise<Issued<T>>
  readonly #now: () => number
  readonly #shared: boolean
  #held: { value: T; renewAt: number; keepAt: number; endsAt: number } | null = null
  #pending: Promise<T> | null = null
  #failed: { error: unknown; until: number } | null = null
  /** The end of credentials that could not be prolonged. */
  #lastEnd: number | null = null
  /**
   * Whether any credentials had a known end. If given credentials then seem endless, they have ended: the issuer no
   * longer knows them.
   */
  #hasEnd = false

  /** @param issue Gets new credentials. `held` are the present ones, which it may prolong. */
  constructor(
    issue: (signal: AbortSignal, held: T | null) => Promise<Issued<T>>,
    { now = Date.now, shared = true }: ProviderOptions,
  ) {
    this.#issue = issue
    this.#now = now
    this.#shared = shared
  }

  async use<R>(signal: AbortSignal, attempt: (value: T) => Promise<R>): Promise<R> {
    const value = await this.#current(signal)
    try {
      return await attempt(value)
    } catch (error) {
      if (!(error instanceof ProviderFailure) || error.kind !== 'credentials') throw error
    }
    // Another request may have renewed them meanwhile.
    if (this.#held?.value === value) this.#held = null
    return attempt(await this.#current(signal))
  }

  /**
   * Renews credentials that are due, even without a request.
   *
   * @returns The time of the next call, in milliseconds since the Unix epoch; infinite if they do not end, `null` if no
   *   renewable credentials are left.
   * @throws {ProviderFailure} if the renewal fails or does not prolong them.
   */
  async keep(signal: AbortSignal, kept: Kept): Promise<number | null> {
    const now = this.#now()
    const held = this.#held !== null && now < this.#held.endsAt ? this.#held : null
    if (held === null && kept === 'held') return null
    if (held === null || now >= held.keepAt) {
      if (this.#failed !== null && now < this.#failed.until) throw this.#failed.error
      await this.#renew(signal, held?.value ?? null)
      const lastsNoLonger = held !== null && this.#held !== null && this.#held.endsAt < held.endsAt + ROUNDING_MS
      this.#lastEnd = lastsNoLonger ? held.endsAt : null
    }
    // The last known end counts until other credentials are held.
    const isLast = this.#lastEnd !== null && (this.#held?.endsAt ?? 0) < this.#lastEnd + ROUNDING_MS
    if (isLast) throw new ProviderFailure('credentials', { code: NOT_RENEWABLE })
    const keepAt = this.#held?.keepAt ?? null
    const isEnded = kept === 'given' && this.#hasEnd && keepAt === Number.POSITIVE_INFINITY
    return isEnded ? null : keepAt
  }

  async #current(signal: AbortSignal): Promise<T> {
    const now = this.#now()
    const held = this.#held !== null && now < this.#held.endsAt ? this.#held : null
    if (held !== null && now < held.renewAt) return held.value
    const failed = this.#failed !== null && now < this.#failed.until ? this.#failed : null
    if (held !== null && failed !== null) return held.value
    if (failed !== null && !failureOf(failed.error).isOutage) throw failed.error
    const renewed = this.#renew(signal, held?.value ?? null)
    if (held === null) return renewed
    return renewed.catch((error) => {
      failureOf(error)
      return held.value
    })
  }

  /** A shared renewal does not end with the request that began it. */
  #renew(signal: AbortSignal, held: T | null): Promise<T> {
    if (!this.#shared) return this.#ask(signal, held)
    this.#pending ??= this.#ask(new AbortController().signal, held).finally(() => {
      this.#pending = null
    })
    return unlessAborted(this.#pending, signal)
  }

  async #ask(signal: AbortSignal, held: T | null): Promise<T> {
    try {
      const { value, lifetimeMs } = await this.#issue(signal, held)
      const now = this.#now()
      const keepAt = now + lifetimeMs * (KEEP_AT.from + Math.random() * (KEEP_AT.to - KEEP_AT.from))
      this.#held = { value, renewAt: now + lifetimeMs * RENEW_AT, keepAt, endsAt: now + lifetimeMs }
      this.#hasEnd ||= Number.isFinite(lifetimeMs)
      this.#failed = null
      return value
    } catch (error) {
      this.#failed = { error, until: this.#now() + COOLDOWN_MS }
      throw error
    }
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new ProviderFailure('timeout'))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
