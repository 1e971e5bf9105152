/**
 * The health of a provider.
 *
 * @module
 */
import type { FailureKind, ProviderKind } from './provider.ts'

/**
 * `degraded`: it failed lately, denies the name that its health is told by, or is just being tried again; `down`: it is not
 * asked for now, or does not take our credentials.
 */
export const HEALTH_STATES = ['up', 'degraded', 'down'] as const
/** One of {@link HEALTH_STATES}. */
export type HealthState = (typeof HEALTH_STATES)[number]
/** The states of a breaker. */
export const BREAKER_STATES = ['closed', 'half_open', 'open'] as const
/** One of {@link BREAKER_STATES}. */
export type BreakerState = (typeof BREAKER_STATES)[number]

/** How a provider is, as this process or isolate found it. */
export interface Health {
  id: string
  kind: ProviderKind
  state: HealthState
  breaker: BreakerState
  latencyMs: { p50: number | null; p95: number | null }
  /** `code`: of the service, or of the network, such as `Http403` or `ENOTFOUND`. */
  lastFailure: { kind: FailureKind; code: string | null; at: number } | null
}
