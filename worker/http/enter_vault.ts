/**
 * Authenticates requests below `/v1/vaults/{vault}/`, and limits those without a token.
 *
 * @module
 */
import type { MiddlewareHandler } from 'hono'
import { sourceOf } from '../../core/addresses.ts'
import { PosternError, refusal } from '../../core/errors.ts'
import { parseVaultId } from '../../core/names.ts'
import { RateLimiter } from '../../core/rate_limit.ts'
import { isBootstrap } from '../../core/vault/rpc.ts'
import type { Services } from '../services.ts'
import { timed } from '../telemetry/request_timing.ts'
import type { VaultHandle } from '../vault_host/host.ts'
import { approvalOf } from './approval_header.ts'
import { type Arrival, authenticate } from './authenticate.ts'
import type { Env, RequestContext } from './request_context.ts'

/** How many requests that lack only a nonce an address may make, for each other refusal. */
const NONCE_REQUESTS = 10

/** Makes the middleware that authenticates a request to a vault, and gives routes the vault's handle. */
export function enterVault(services: Services): MiddlewareHandler<Env> {
  const countStranger = strangerLimit(services)
  const countNonceRequest = strangerLimit(services, NONCE_REQUESTS)
  return async (c, next) => {
    const vault = parseVaultId(c.req.param('vault'))
    const requestId = c.get('requestId')
    c.set('vault', vault)
    try {
      const arrival = { connection: c.env, requestId, accepts: acceptedAt(c, vault) }
      const authenticated = timed(c.var.timing, 'identify', () => authenticate(services, c.req.raw, vault, arrival))
      const { caller, seal } = await authenticated
      c.set('caller', { ...caller, ...approvalOf(c) })
      c.set('seal', seal)
    } catch (error) {
      if (error instanceof PosternError && error.code === 'unauthenticated') {
        // Clients have no nonce on their first request, so this is not a guess. Verifying its signature costs work all the same.
        const lacksNonce = error.detail.reason === 'use_dpop_nonce'
        if (lacksNonce) countNonceRequest(c)
        else countStranger(c)
      }
      throw error
    }
    const { credential } = c.get('caller')
    if (credential === null) countStranger(c)
    c.set('handle', handleFor(c, await services.host.vault(vault, isBootstrap(credential))))
    return next()
  }
}

/** The handle of a vault for one request: its calls are timed, and dropped once the client has gone. */
function handleFor(c: RequestContext, shared: VaultHandle): VaultHandle {
  const { isGone } = c.env
  const timing = c.get('timing')
  const handle = isGone ? shared.forClient(isGone) : shared
  return timing ? handle.around((work) => timing.time('vault', work)) : handle
}

/** What a route accepts in place of a token. */
function acceptedAt({ req }: RequestContext, vault: string): Arrival['accepts'] {
  if (req.method !== 'POST') return null
  if (req.path === `/v1/vaults/${vault}/sessions`) return 'sign-in'
  return req.path === `/v1/vaults/${vault}/tokens` ? 'ticket' : null
}

/**
 * Limits requests without a valid token, by address. A caller with a token is not counted, however many strangers
 * share its address.
 *
 * @param factor Multiplies `refusalRate`.
 */
function strangerLimit({ settings }: Services, factor = 1): (c: RequestContext) => void {
  const throttle = new RateLimiter()
  const limits = settings.security.refusalRate.map(({ requests, periodMs }) => {
    return { requests: requests * factor, periodMs }
  })
  return (c) => {
    const key = sourceOf(c.env.address)
    const admission = throttle.admit(
      limits.map((limit) => ({ name: 'refusals', key, limit })),
      Date.now(),
    )
    if (admission === null || admission.allowed) return
    throw refusal('throttled', { retryAfterSeconds: Math.ceil(admission.retryAfterMs / 1000) })
  }
}
