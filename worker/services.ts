/**
 * The services that the app is composed of, and the variables that Hono carries with a request.
 *
 * @module
 */
import type { IssuerKeys } from '../core/authentication/federation.ts'
import type { DekCache } from '../core/crypto/envelope.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import type { Upstreams } from '../core/provider_registry/registry.ts'
import type { Settings } from '../core/settings/settings.ts'
import type { Caller } from '../core/vault/rpc.ts'
import type { Connection } from './http/client_address.ts'
import type { Gateway } from './provider_access/read.ts'
import type { RequestCounters } from './telemetry/counters.ts'
import type { Tracer } from './telemetry/otlp.ts'
import type { Observation } from './telemetry/request_timing.ts'
import type { Host, VaultHandle } from './vault_host/host.ts'

/** What the app is made of. */
export interface Parts {
  settings: Settings
  keyring: Keyring
  host: Host
  deks: DekCache
  issuerKeys: IssuerKeys
  upstreams: Upstreams
  gateway: Gateway
  /** What is counted of requests; `null` where nobody asks. */
  meters: RequestCounters | null
  /** Where traces go to; `null` where they go nowhere. */
  tracer: Tracer | null
}

/** What Hono carries with each request. */
export interface Env {
  Bindings: Connection
  Variables: {
    requestId: string
    /** Set once the client was told that it took too long: what would be stored after that could undo what was stored since. */
    late: true | undefined
    /** Where the time goes; `undefined` where nobody wants to know. */
    observation: Observation | undefined
    /** Below `/v1/vaults/{vault}/`: the vault's id, its handle, and who asks. */
    vault: string
    handle: VaultHandle
    caller: Caller
    /** The key that the caller's proof wants the answer sealed to; `undefined` without a proof. */
    seal: string | null | undefined
  }
}
