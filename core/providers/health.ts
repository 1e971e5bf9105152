/**
 * The health of a provider.
 *
 * @module
 */
import type { FailureKind, ProviderKind } from './provider.ts'

/**
 * The states of a provider. `degraded`: it failed recently, denies the name of the health check, or is being probed;
 * `down`: its breaker is open, or it rejects the credentials.
 */
export const HEALTH_STATES = ['up', 'degraded', 'down'] as const
/** One of {@link HEALTH_STATES}. */
export type HealthState = (typeof HEALTH_STATES)[number]
/** The states of a breaker. */
export const BREAKER_STATES = ['closed', 'half_open', 'open'] as const
/** One of {@link BREAKER_STATES}. */
export type BreakerState = (typeof BREAKER_STATES)[number]

/** The health of a provider, as seen by this process or isolate. */
export interface Health {
  id: string
  kind: ProviderKind
  state: HealthState
  breaker: BreakerState
  latencyMs: { p50: number | null; p95: number | null }
  /** `code` is the code of the service or the network, such as `Http403` or `ENOTFOUND`. */
  lastFailure: { kind: FailureKind; code: string | null; at: number } | null
}
