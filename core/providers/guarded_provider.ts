/**
 * A configured provider behind a breaker, with time limits and a record of its health.
 *
 * @module
 */
import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  fullJitterGenerator,
  handleType,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
} from 'cockatiel'
import { ProviderCondition, type ReportEvent } from './condition.ts'
import { NOT_RENEWABLE } from './credentials.ts'
import type { BreakerState, Health } from './health.ts'
import { Latency } from './latency.ts'
import { type FailureKind, type Provider, ProviderFailure } from './provider.ts'
import type { RestReason } from './skipped.ts'
import { Suspicion } from './suspicion.ts'

const MAX_OPEN_MS = 60_000
/** How long a good result counts: failed requests trigger a health check at most this often. */
const CLEARED_MS = 1000
/** The shortest pause before another try to renew credentials. */
const KEEP_RETRY_MS = 5000
/** The most names with a `Retry-After` of their own; the oldest is dropped first. */
const MAX_RESTING = 1000
/** One retry per ten successful requests, and at most ten saved up: retries must not amplify an outage. */
const RETRY_RATIO = 0.1
const MAX_RETRIES_SAVED = 10

/** The limits of a breaker, and where changes are reported. */
export interface GuardOptions {
  /** The longest first pause of an open breaker, in milliseconds. It doubles up to a minute. */
  recoveryMs: number
  /** Receives changes of its state, and programming errors of its adapter. */
  report?: ReportEvent | undefined
}

/** The outcome of a request that leaves the breaker closed. The breaker opens for an error that is thrown instead. */
type Settled<T> = { value: T } | { error: unknown }

type Work<T> = (provider: Provider, signal: AbortSignal) => Promise<T>

interface AskOptions {
  timeoutMs: number
  /** The name of the secret at the provider. A `Retry-After` for one name does not delay others. */
  name?: string | undefined
  /** Whether the request is itself a health check. */
  isLook?: boolean
}

/**
 * A provider with its breaker.
 *
 * All vaults of a process share the breaker, so one unreadable secret, or one reader of many such secrets, must not
 * open it. Failed requests only make a provider suspect. A request to a suspect provider checks its health at the same
 * time, and the breaker opens only if both fail. The request that probes an open breaker does the same: if its secret
 * fails and the provider is healthy, the breaker closes.
 */
export class GuardedProvider {
  readonly id: string
  readonly provider: Provider
  readonly latency = new Latency()
  readonly failures = new Map<FailureKind, number>()
  /** The number of programming errors that the adapter threw. They are neither outages nor answers. */
  mistakes = 0
  readonly #options: GuardOptions
  readonly #condition: ProviderCondition
  #circuit: CircuitBreakerPolicy
  readonly #suspicion = new Suspicion()
  /** When the current health check ends at the latest. */
  #lookEndsAt = 0
  #clearedAt = Number.NEGATIVE_INFINITY
  /** When the probe of an open breaker ends at the latest. */
  #trialEndsAt = 0
  #restsUntil = 0
  readonly #resting = new Map<string, number>()
  #retries = MAX_RETRIES_SAVED
  /** Whether the last renewal of its credentials failed. */
  #isUnkept = false

  constructor(id: string, provider: Provider, options: GuardOptions) {
    this.id = id
    this.provider = provider
    this.#options = options
    this.#condition = new ProviderCondition(id, options.report)
    this.#circuit = circuitOf(options)
  }

  /** Why the provider must not be called now, for this name or at all; `null` if it may be. */
  rest(now: number, name?: string): RestReason | null {
    const until = name === undefined ? undefined : this.#resting.get(name)
    if (now < Math.max(this.#restsUntil, until ?? 0)) return 'retry_after'
    // One probe at a time. Other requests fail over and do not wait for it.
    if (this.#circuit.state === CircuitState.HalfOpen && now < this.#trialEndsAt) return 'breaker'
    return null
  }

  /**
   * Makes a request to the provider, within a time.
   *
   * @param name The name of the secret at the provider, if the request is about one.
   * @throws {ProviderFailure}
   * @throws {BrokenCircuitError} if its breaker is open; nothing was sent.
   */
  ask<T>(work: Work<T>, timeoutMs: number, name?: string): Promise<T> {
    return this.#ask(work, { timeoutMs, name })
  }

  /** Checks the health of the provider, unless it must not be called now. The result is in {@link health}. */
  async look(timeoutMs: number): Promise<void> {
    if (this.rest(Date.now()) !== null) return
    const work: Work<void> = (provider, signal) => provider.health({ signal })
    await this.#ask(work, { timeoutMs, isLook: true }).catch((error) => {
      if (!(error instanceof ProviderFailure) && !isBreakerOpen(error)) throw error
    })
  }

  /**
   * Renews credentials that must be renewed before they end, even while the breaker is open.
   *
   * @returns The time of the next call, in milliseconds since the Unix epoch; `null` or infinite for never.
   */
  async keep(timeoutMs: number): Promise<number | null> {
    const { provider } = this
    if (provider.keep === undefined) return null
    try {
      const at = await this.#inTime((_, signal) => provider.keep!({ signal }), timeoutMs)
      // No renewable credentials are left: the ones that could not be renewed have ended.
      if (at === null) return null
      if (this.#isUnkept) this.#options.report?.('info', 'provider_credentials_renewed', { provider: this.id })
      this.#isUnkept = false
      return at
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw this.#mistaken(error)
      const { kind, code } = error
      const about = { provider: this.id, kind, code }
      if (!this.#isUnkept) this.#options.report?.('warn', 'provider_credentials_not_renewed', about)
      this.#isUnkept = true
      return Date.now() + (code === NOT_RENEWABLE ? MAX_OPEN_MS : KEEP_RETRY_MS * (1 + Math.random()))
    }
  }

  /** Takes one retry from the budget. Returns `false` if the budget is empty. */
  takeRetry(): boolean {
    if (this.#retries < 1) return false
    this.#retries--
    return true
  }

  health(now: number): Health {
    const breaker = breakerOf(this.#circuit.state)
    this.#condition.tell(breaker, now)
    const { id, provider, latency } = this
    return {
      id,
      kind: provider.kind,
      state: this.#condition.state(breaker, now),
      breaker,
      latencyMs: { p50: latency.quantile(0.5), p95: latency.quantile(0.95) },
      lastFailure: this.#condition.lastFailure,
    }
  }

  async #ask<T>(work: Work<T>, options: AskOptions): Promise<T> {
    this.#abandonTrial()
    try {
      const settled = await this.#circuit.execute(() => {
        // Allow a margin: a probe whose request the platform dropped never ends.
        this.#trialEndsAt = Date.now() + options.timeoutMs + 1000
        return this.#once(work, options)
      })
      if ('error' in settled) throw settled.error
      return settled.value
    } finally {
      this.#condition.tell(breakerOf(this.#circuit.state), Date.now())
    }
  }

  async #once<T>(work: Work<T>, options: AskOptions): Promise<Settled<T>> {
    const { timeoutMs, isLook = false } = options
    const start = performance.now()
    const isTrial = this.#circuit.state === CircuitState.HalfOpen
    const isWatched = isTrial || this.#suspicion.isRaised(Date.now())
    const working = this.#inTime(work, timeoutMs)
    const looking = isWatched && !isLook ? this.#lookAlong(timeoutMs, isTrial) : null
    try {
      const value = await working
      this.#served(start)
      if (isLook) this.#looked(null)
      return { value }
    } catch (error) {
      if (!(error instanceof ProviderFailure)) return { error: this.#mistaken(error) }
      this.failures.set(error.kind, (this.failures.get(error.kind) ?? 0) + 1)
      if (isLook) this.#looked(error)
      else if (error.kind === 'credentials') this.#condition.failed(error, Date.now())
      if (!error.isOutage) {
        this.#served(start, error)
        return { error }
      }
      this.#failed(error, options)
      const found = isLook ? (isWatched ? error : null) : looking && (await looking)
      if (found?.isOutage) throw error
      // The secret is at fault, not the store.
      if (looking !== null) this.#looked(found)
      return { error }
    }
  }

  async #inTime<T>(work: Work<T>, timeoutMs: number): Promise<T> {
    try {
      const deadline = timeout(timeoutMs, TimeoutStrategy.Aggressive)
      return await deadline.execute(({ signal }) => work(this.provider, signal))
    } catch (error) {
      throw error instanceof TaskCancelledError ? new ProviderFailure('timeout') : error
    }
  }

  /**
   * Checks the health of the provider beside a request and within its time, so that nothing is left to do when the
   * request ends.
   *
   * @returns The failure, or `null` for good health; `null` in place of a promise while another check runs, or just
   *   after a good one.
   */
  #lookAlong(timeoutMs: number, isTrial: boolean): Promise<ProviderFailure | null> | null {
    const now = Date.now()
    const isKnown = now < this.#lookEndsAt || now - this.#clearedAt < CLEARED_MS
    if (isKnown && !isTrial) return null
    this.#lookEndsAt = now + timeoutMs + 1000
    return this.#inTime((provider, signal) => provider.health({ signal }), timeoutMs)
      .then(
        () => null,
        (error) => {
          if (error instanceof ProviderFailure) return error
          this.#mistaken(error)
          return null
        },
      )
      .then((found) => {
        this.#lookEndsAt = 0
        if (found?.isOutage) this.#looked(found)
        else this.#clearedAt = Date.now()
        return found
      })
  }

  /** Any answer means that the store works. */
  #looked(found: ProviderFailure | null): void {
    const now = Date.now()
    this.#condition.looked(found, now)
    if (found?.isOutage) {
      // The check is for no particular secret, so the wait applies to all.
      if (found.retryAfterMs !== null) this.#restsUntil = now + Math.min(found.retryAfterMs, MAX_OPEN_MS)
      return
    }
    this.#suspicion.clear()
  }

  #served(start: number, refusal: ProviderFailure | null = null): void {
    this.latency.note(performance.now() - start)
    this.#retries = Math.min(MAX_RETRIES_SAVED, this.#retries + RETRY_RATIO)
    this.#suspicion.note(false, Date.now())
    if (refusal?.kind !== 'credentials' && refusal?.kind !== 'invalid') this.#condition.served()
  }

  #failed(failure: ProviderFailure, { name, isLook }: AskOptions): void {
    const now = Date.now()
    if (failure.retryAfterMs !== null && name !== undefined) {
      this.#resting.delete(name)
      this.#resting.set(name, now + Math.min(failure.retryAfterMs, MAX_OPEN_MS))
      if (this.#resting.size > MAX_RESTING) this.#resting.delete(this.#resting.keys().next().value!)
    }
    if (!isLook && now - this.#clearedAt >= CLEARED_MS) this.#condition.failed(failure, now)
    this.#suspicion.note(true, now, failure.retryAfterMs !== null)
  }

  #mistaken(error: unknown): unknown {
    this.mistakes++
    const name = error instanceof Error ? error.constructor.name : typeof error
    this.#options.report?.('error', 'provider_mistake', { provider: this.id, error: name })
    return error
  }

  #abandonTrial(): void {
    const stuck = this.#circuit.state === CircuitState.HalfOpen && Date.now() >= this.#trialEndsAt
    if (stuck) this.#circuit = circuitOf(this.#options)
  }
}

/** Whether an error means that the breaker was open and nothing was sent. */
export function isBreakerOpen(error: unknown): boolean {
  return error instanceof BrokenCircuitError
}

function circuitOf({ recoveryMs }: GuardOptions): CircuitBreakerPolicy {
  return circuitBreaker(handleType(ProviderFailure), {
    // Only a failure that a health check confirms is thrown, so one is enough.
    breaker: new ConsecutiveBreaker(1),
    halfOpenAfter: new ExponentialBackoff({
      initialDelay: recoveryMs,
      maxDelay: Math.max(MAX_OPEN_MS, recoveryMs),
      generator: fullJitterGenerator,
    }),
  })
}

function breakerOf(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return 'closed'
  return state === CircuitState.HalfOpen ? 'half_open' : 'open'
}
