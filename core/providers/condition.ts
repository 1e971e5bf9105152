/**
 * The condition of a provider, derived from its requests, and its changes as lines of the operational log.
 *
 * @module
 */
import { isUntrustedCode } from '../http/network_code.ts'
import type { BreakerState, Health, HealthState } from './health.ts'
import type { ProviderFailure } from './provider.ts'

/** Writes one line of the operational log: codes and ids, never a message. */
export type ReportEvent = (
  level: 'info' | 'warn' | 'error',
  event: string,
  fields: Readonly<Record<string, string | number | boolean | null>>,
) => void

/** An older outage says nothing about the present. */
const RECENT_MS = 60_000
/** The most lines that one provider writes in {@link WINDOW_MS}, even if it flaps. */
const MAX_LINES = 6
const WINDOW_MS = 10 * 60_000

/** What an operator can do about a code. */
const HINTS: readonly (readonly [(code: string) => boolean, string])[] = [
  [
    isUntrustedCode,
    'This server does not trust the authority of the certificate: name it in CA_FILE of the provider or in POSTERN_CA_FILE',
  ],
  [(code) => code === 'ERR_PROXY_TUNNEL', 'The proxy of POSTERN_PROXY refuses the connection'],
  [(code) => code === 'ERR_SSL_WRONG_VERSION_NUMBER', 'The port does not speak TLS'],
]

function hintFor(code: string | null): { hint?: string } {
  const hint = code === null ? undefined : HINTS.find(([applies]) => applies(code))?.[1]
  return hint === undefined ? {} : { hint }
}

/** The condition of one provider, as seen by this process or isolate. */
export class ProviderCondition {
  readonly #provider: string
  readonly #report: ReportEvent | undefined
  #lastFailure: Health['lastFailure'] = null
  #lastOutageAt = Number.NEGATIVE_INFINITY
  #refusesCredentials = false
  #deniesHealth = false
  #told = { state: 'up' as HealthState, cause: '' }
  #lines: number[] = []
  #untold = 0

  constructor(provider: string, report: ReportEvent | undefined) {
    this.#provider = provider
    this.#report = report
  }

  get lastFailure(): Health['lastFailure'] {
    return this.#lastFailure
  }

  /** Records that a request was served, or refused for its own content. */
  served(): void {
    this.#refusesCredentials = false
  }

  /** Records an outage, or that the provider rejects the credentials. */
  failed(failure: ProviderFailure, now: number): void {
    this.#note(failure, now)
    if (failure.isOutage) this.#lastOutageAt = now
    else this.#refusesCredentials = true
  }

  /** Records the result of a health check; `null` if it passed. */
  looked(failure: ProviderFailure | null, now: number): void {
    this.#deniesHealth = failure?.kind === 'denied'
    if (failure === null) {
      this.#refusesCredentials = false
      // The failures since then were about one secret.
      this.#lastOutageAt = Number.NEGATIVE_INFINITY
    } else if (failure.kind === 'denied') this.#note(failure, now)
    else if (failure.isOutage || failure.kind === 'credentials') this.failed(failure, now)
  }

  state(breaker: BreakerState, now: number): HealthState {
    if (breaker === 'open' || this.#refusesCredentials) return 'down'
    const isRecent = now - this.#lastOutageAt < RECENT_MS
    return breaker === 'half_open' || isRecent || this.#deniesHealth ? 'degraded' : 'up'
  }

  /** Writes a line when the state or its cause differs from the last line. */
  tell(breaker: BreakerState, now: number): void {
    // The probe of an open breaker changes nothing until it ends.
    const state = this.state(breaker === 'half_open' ? 'open' : breaker, now)
    const { kind = null, code = null } = (state === 'up' ? null : this.#lastFailure) ?? {}
    const cause = `${kind}:${code}`
    if (this.#report === undefined || (state === this.#told.state && (state === 'up' || cause === this.#told.cause)))
      return
    this.#lines = this.#lines.filter((at) => now - at < WINDOW_MS)
    if (this.#lines.length >= MAX_LINES) {
      this.#untold++
      return
    }
    this.#lines.push(now)
    const about = { provider: this.#provider, state, before: this.#told.state }
    const why = state === 'up' ? {} : { kind, code, ...hintFor(code) }
    this.#report(state === 'up' ? 'info' : 'warn', 'provider_state', {
      ...{ ...about, ...why },
      ...(this.#untold > 0 && { untold: this.#untold }),
    })
    this.#told = { state, cause }
    this.#untold = 0
  }

  #note({ kind, code }: ProviderFailure, at: number): void {
    this.#lastFailure = { kind, code, at }
  }
}
