/**
 * The variables that a request carries through middleware and routes.
 *
 * @module
 */
import type { Context } from 'hono'
import type { Caller } from '../../core/vault/rpc.ts'
import type { RequestTiming } from '../telemetry/request_timing.ts'
import type { VaultHandle } from '../vault_host/host.ts'
import type { Connection } from './client_address.ts'

/** Hono's context of a request, with our variables. */
export type RequestContext = Context<Env>

/** The types of our variables, as Hono takes them. */
export interface Env {
  Bindings: Connection
  Variables: {
    requestId: string
    /** Set once the deadline has passed and the client was told. A write sent later could undo a newer one. */
    late: true | undefined
    /** Times the request; `undefined` when settings do not ask for it. */
    timing: RequestTiming | undefined
    /** Below `/v1/vaults/{vault}/`: the vault's id, its handle, and the caller. */
    vault: string
    handle: VaultHandle
    caller: Caller
    /** Thumbprint of the key that the DPoP proof wants the answer sealed to; `null` for none, `undefined` without a proof. */
    seal: string | null | undefined
  }
}
