/**
 * Credentials of a provider: given for good, or issued for a while and renewed.
 *
 * @module
 */
import type { Redacted } from '../redacted.ts'
import type { ProviderOptions } from './ask.ts'
import { ProviderFailure } from './provider.ts'

const RENEW_AT = 0.8
const COOLDOWN_MS = 5_000

/** Gives a token or an assertion, anew whenever it is asked: from a file that is rewritten, or by minting one. */
export type TokenSource = (signal: AbortSignal) => Promise<Redacted<string>>

/** Credentials and how long they last, in milliseconds. */
export interface Issued<T> {
  value: T
  lifetimeMs: number
}

export interface Credentials<T> {
  /**
   * Makes a request with credentials, and once more with new ones when the store does not take them.
   *
   * @throws {ProviderFailure}
   */
  use<R>(signal: AbortSignal, attempt: (value: T) => Promise<R>): Promise<R>
}

/** Credentials that are what they are. */
export function fixedCredentials<T>(value: T): Credentials<T> {
  return { use: (_, attempt) => attempt(value) }
}

/**
 * Credentials that end. They are renewed after 80 % of their life, by one request for all who wait.
 *
 * Who issues them is left alone for a few seconds after it said no, or could not be reached while there
 * are some that still last: wrong credentials, tried at every read, would lock an account out.
 */
export class RenewedCredentials<T> implements Credentials<T> {
  readonly #issue: (signal: AbortSignal, held: T | null) => Promise<Issued<T>>
  readonly #now: () => number
  readonly #shared: boolean
  #held: { value: T; renewAt: number; endsAt: number } | null = null
  #pending: Promise<T> | null = null
  #failed: { failure: ProviderFailure; until: number } | null = null

  /** @param issue Gets new credentials; `held` are those that still last, and could be prolonged. */
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
    // Others may have renewed them meanwhile.
    if (this.#held?.value === value) this.#held = null
    return attempt(await this.#current(signal))
  }

  async #current(signal: AbortSignal): Promise<T> {
    const now = this.#now()
    const held = this.#held !== null && now < this.#held.endsAt ? this.#held : null
    if (held !== null && now < held.renewAt) return held.value
    const failed = this.#failed !== null && now < this.#failed.until ? this.#failed.failure : null
    if (held !== null && failed !== null) return held.value
    if (failed !== null && !failed.isOutage) throw failed
    const renewed = this.#renew(signal, held?.value ?? null)
    return held === null ? renewed : renewed.catch(() => held.value)
  }

  /** Where requests may wait for each other, one of them that is given up must not end the others'. */
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
      this.#held = { value, renewAt: now + lifetimeMs * RENEW_AT, endsAt: now + lifetimeMs }
      this.#failed = null
      return value
    } catch (error) {
      // What a source of tokens throws may quote the token.
      const failure = error instanceof ProviderFailure ? error : new ProviderFailure('credentials')
      this.#failed = { failure, until: this.#now() + COOLDOWN_MS }
      throw failure
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
