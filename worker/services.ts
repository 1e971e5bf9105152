/**
 * The services that the app is composed of.
 *
 * @module
 */
import type { IssuerKeys } from '../core/authentication/issuer_keys.ts'
import type { DekCache } from '../core/crypto/envelope.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import type { ProviderRegistry } from '../core/provider_registry/registry.ts'
import type { Settings } from '../core/settings/settings.ts'
import type { ProviderReader } from './provider_access/read.ts'
import type { RequestCounters } from './telemetry/counters.ts'
import type { LogLimit } from './telemetry/log_limit.ts'
import type { Tracer } from './telemetry/otlp.ts'
import type { Host } from './vault_host/host.ts'

/** The services of one process or isolate. A function takes those that it uses. */
export interface Services {
  settings: Settings
  keyring: Keyring
  host: Host
  deks: DekCache
  issuerKeys: IssuerKeys
  /** Limits the log lines about refused assertions. */
  assertionLog: LogLimit
  registry: ProviderRegistry
  providerReader: ProviderReader
  /** Counts requests; `null` when metrics are off. */
  requestCounters: RequestCounters | null
  /** Exports traces; `null` when traces are off. */
  tracer: Tracer | null
}
