/**
 * One configured provider as it is used: behind a breaker, within a time, and with what is known of its health.
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
  type IBreaker,
  SamplingBreaker,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
} from 'cockatiel'
import { failureOf } from './ask.ts'
import type { BreakerState, Health } from './health.ts'
import { Latency } from './latency.ts'
import { type FailureKind, type Provider, ProviderFailure } from './provider.ts'

/** Failures one after another that open a breaker. */
const CONSECUTIVE = 5
/** Or this part of the requests of so many milliseconds, when there are so many at least. */
const SAMPLED = { threshold: 0.5, duration: 10_000, minimumRps: 2 }
const MAX_OPEN_MS = 60_000
/** A failure that is older says nothing of how it is now. */
const RECENT_MS = 60_000
/** One retry for ten requests that were served, and ten saved up at most: a storm is not answered by a storm. */
const RETRY_RATIO = 0.1
const MAX_RETRIES_SAVED = 10

/** Why a provider was not asked at all: its breaker is open, or it asked to be left alone. */
export type Rest = 'breaker' | 'retry_after'

export interface UpstreamOptions {
  /** The longest that the first rest of a breaker takes, in milliseconds; it doubles up to a minute. */
  recoveryMs: number
}

type Settled<T> = { value: T } | { answer: ProviderFailure }

/**
 * A provider with its breaker. The breaker counts outages only: somebody who asks for what is denied must not
 * close a provider for all others.
 */
export class Upstream {
  readonly id: string
  readonly provider: Provider
  readonly latency = new Latency()
  readonly failures = new Map<FailureKind, number>()
  readonly #options: UpstreamOptions
  #circuit: CircuitBreakerPolicy
  /** When the one request that tries whether it is back has to have ended. */
  #probeEndsAt = 0
  #restsUntil = 0
  #lastFailure: Health['lastFailure'] = null
  #retries = MAX_RETRIES_SAVED

  constructor(id: string, provider: Provider, options: UpstreamOptions) {
    this.id = id
    this.provider = provider
    this.#options = options
    this.#circuit = circuitOf(options)
  }

  /** Why it is not to be asked now; `null` when it may be. */
  rest(now: number): Rest | null {
    if (now < this.#restsUntil) return 'retry_after'
    // One probe at a time: whoever comes meanwhile goes on to a replica, and does not wait for it.
    if (this.#circuit.state === CircuitState.HalfOpen && now < this.#probeEndsAt) return 'breaker'
    return null
  }

  /**
   * Asks the provider, within a time.
   *
   * @throws {ProviderFailure}
   * @throws {BrokenCircuitError} when its breaker is open; nothing was sent.
   */
  async ask<T>(work: (provider: Provider, signal: AbortSignal) => Promise<T>, timeoutMs: number): Promise<T> {
    this.#abandonProbe()
    const settled = await this.#circuit.execute(() => {
      // The last of its time: a probe whose request was given up by the platform never ends.
      this.#probeEndsAt = Date.now() + timeoutMs + 1000
      return this.#once(work, timeoutMs)
    })
    if ('answer' in settled) throw settled.answer
    return settled.value
  }

  /** Whether one more try is within the budget; it is taken from it. */
  takeRetry(): boolean {
    if (this.#retries < 1) return false
    this.#retries--
    return true
  }

  health(now: number): Health {
    const breaker = breakerOf(this.#circuit.state)
    const failed = this.#lastFailure !== null && now - this.#lastFailure.at < RECENT_MS
    const { id, provider, latency } = this
    return {
      id,
      kind: provider.kind,
      state: breaker === 'open' ? 'down' : breaker === 'half_open' || failed ? 'degraded' : 'up',
      breaker,
      latencyMs: { p50: latency.quantile(0.5), p95: latency.quantile(0.95) },
      lastFailure: this.#lastFailure,
    }
  }

  /** An answer is returned, so that the breaker counts it as one; an outage is thrown. */
  async #once<T>(
    work: (provider: Provider, signal: AbortSignal) => Promise<T>,
    timeoutMs: number,
  ): Promise<Settled<T>> {
    const start = performance.now()
    try {
      const deadline = timeout(timeoutMs, TimeoutStrategy.Aggressive)
      const value = await deadline.execute(({ signal }) => work(this.provider, signal))
      this.#served(start)
      return { value }
    } catch (error) {
      const failure = error instanceof TaskCancelledError ? new ProviderFailure('timeout') : failureOf(error)
      this.failures.set(failure.kind, (this.failures.get(failure.kind) ?? 0) + 1)
      if (!failure.isOutage) {
        this.#served(start)
        return { answer: failure }
      }
      const now = Date.now()
      this.#lastFailure = { kind: failure.kind, at: now }
      if (failure.retryAfterMs !== null) this.#restsUntil = now + Math.min(failure.retryAfterMs, MAX_OPEN_MS)
      throw failure
    }
  }

  #served(start: number): void {
    this.latency.note(performance.now() - start)
    this.#retries = Math.min(MAX_RETRIES_SAVED, this.#retries + RETRY_RATIO)
  }

  #abandonProbe(): void {
    const stuck = this.#circuit.state === CircuitState.HalfOpen && Date.now() >= this.#probeEndsAt
    if (stuck) this.#circuit = circuitOf(this.#options)
  }
}

/** Whether a provider was not asked since its breaker is open. */
export function isBroken(error: unknown): boolean {
  return error instanceof BrokenCircuitError
}

function circuitOf({ recoveryMs }: UpstreamOptions): CircuitBreakerPolicy {
  return circuitBreaker(handleType(ProviderFailure), {
    breaker: either(new ConsecutiveBreaker(CONSECUTIVE), new SamplingBreaker(SAMPLED)),
    halfOpenAfter: new ExponentialBackoff({
      initialDelay: recoveryMs,
      maxDelay: Math.max(MAX_OPEN_MS, recoveryMs),
      generator: fullJitterGenerator,
    }),
  })
}

/** A breaker that opens when one of two would; both see every request. */
function either(one: IBreaker, other: IBreaker): IBreaker {
  return {
    state: undefined,
    success(state) {
      one.success(state)
      other.success(state)
    },
    failure(state) {
      const opens = [one.failure(state), other.failure(state)]
      return opens.includes(true)
    },
  }
}

function breakerOf(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return 'closed'
  return state === CircuitState.HalfOpen ? 'half_open' : 'open'
}
