/**
 * A token of HashiCorp Vault or OpenBao: given, or from a login; renewed while the server prolongs it.
 *
 * @module
 */
import * as z from 'zod/mini'
import { Redacted } from '../../redacted.ts'
import {
  FollowedCredentials,
  type Issued,
  type KeptCredentials,
  RenewedCredentials,
  type StoreCredential,
  type TokenSource,
  tokenFrom,
} from '../credentials.ts'
import { ProviderFailure } from '../provider.ts'
import { checkHeaderValue, failureOf, HEADER_VALUE, type ProviderOptions, readAnswer } from '../request.ts'
import { type HashicorpCall, parseMount } from './api.ts'

/** How a token is obtained. */
export type HashicorpCredentials =
  | { kind: 'token'; token: StoreCredential }
  /** A secret id may allow only one login, so each login takes a new one from its source. */
  | { kind: 'approle'; mount?: string; roleId: string | TokenSource; secretId: TokenSource }
  /** Also Kubernetes, whose login has the same form, with `mount: 'kubernetes'`. */
  | { kind: 'jwt'; mount?: string; role: string; jwt: TokenSource }

/** A token and its lease. */
export interface HashicorpToken {
  token: Redacted<string>
  renewable: boolean
  /** Its initial lifetime, in milliseconds. */
  leaseMs: number
}

const Login = z.object({
  auth: z.object({
    client_token: z.string().check(z.minLength(1)),
    lease_duration: z.number(),
    renewable: z.boolean(),
  }),
})
const Lookup = z.object({
  data: z.object({
    ttl: z.number(),
    renewable: z._default(z.boolean(), false),
    creation_ttl: z._default(z.number(), 0),
    period: z._default(z.number(), 0),
  }),
})

/**
 * The token to use, through {@link Credentials}.
 *
 * @throws {PosternError} `bad_request`
 */
export function hashicorpToken(
  credentials: HashicorpCredentials,
  call: HashicorpCall,
  options: ProviderOptions,
): KeptCredentials<HashicorpToken> {
  if (credentials.kind !== 'token') {
    parseMount(credentials.mount ?? credentials.kind, 'mount')
    return renewedToken((signal) => logIn(credentials, call, signal), call, options)
  }
  const { token } = credentials
  const given = (one: Redacted<string>) => renewedToken((signal) => lookUp(one, call, signal), call, options)
  if (!(token instanceof Redacted)) return new FollowedCredentials(token, given)
  checkHeaderValue(token, 'token')
  return given(token)
}

function renewedToken(
  begin: (signal: AbortSignal) => Promise<Issued<HashicorpToken>>,
  call: HashicorpCall,
  options: ProviderOptions,
): RenewedCredentials<HashicorpToken> {
  return new RenewedCredentials(async (signal, held) => {
    const renewed = held?.renewable ? await renew(held, call, signal) : null
    return renewed ?? begin(signal)
  }, options)
}

/**
 * Distinguishes a dead token from a forbidden path. The server refuses both alike, but lets every live token look
 * itself up.
 *
 * @returns The failure of the refused read.
 */
export async function refusedWith(token: Redacted<string>, call: HashicorpCall, signal: AbortSignal) {
  const denied = new ProviderFailure('denied', { code: 'Http403' })
  return call({ path: 'auth/token/lookup-self', token, signal }).then(
    () => denied,
    (error) => (failureOf(error).kind === 'denied' ? new ProviderFailure('credentials', { code: 'Http403' }) : denied),
  )
}

/**
 * Renews a token (the increment counts from now and is only a request).
 *
 * @returns `null` if it has reached its maximum lifetime or is refused: log in again.
 */
async function renew(
  held: HashicorpToken,
  call: HashicorpCall,
  signal: AbortSignal,
): Promise<Issued<HashicorpToken> | null> {
  const body = { increment: `${Math.ceil(held.leaseMs / 1000)}s` }
  const request = { method: 'POST', path: 'auth/token/renew-self', body, token: held.token, signal } as const
  const received = await call(request).catch((error) => {
    if (failureOf(error).isOutage) throw error
    return null
  })
  const auth = received && readAnswer(received.body, Login)?.auth
  const lifetimeMs = (auth?.lease_duration ?? 0) * 1000
  // A lease that stops growing has reached the maximum lifetime of its token.
  return lifetimeMs > held.leaseMs / 2 ? { value: held, lifetimeMs } : null
}

/** Looks up the lifetime of a given token. A token that may not look itself up counts as endless. */
async function lookUp(
  token: Redacted<string>,
  call: HashicorpCall,
  signal: AbortSignal,
): Promise<Issued<HashicorpToken>> {
  const received = await call({ path: 'auth/token/lookup-self', token, signal }).catch((error) => {
    if (failureOf(error).isOutage) throw error
    return null
  })
  const about = received && readAnswer(received.body, Lookup)?.data
  const { ttl, renewable, creation_ttl, period } = about ?? { ttl: 0, renewable: false, creation_ttl: 0, period: 0 }
  const lifetimeMs = ttl > 0 ? ttl * 1000 : Number.POSITIVE_INFINITY
  const leaseMs = Math.max(creation_ttl, period) * 1000
  // Renew a token that is past half of its life: a process that restarts often would never reach 80 % of the rest.
  const renewed =
    renewable && lifetimeMs < leaseMs / 2 ? await renew({ token, renewable, leaseMs }, call, signal) : null
  if (renewed !== null) return renewed
  return { value: { token, renewable: renewable && ttl > 0, leaseMs: lifetimeMs }, lifetimeMs }
}

async function logIn(
  credentials: Exclude<HashicorpCredentials, { kind: 'token' }>,
  call: HashicorpCall,
  signal: AbortSignal,
): Promise<Issued<HashicorpToken>> {
  const body =
    credentials.kind === 'approle'
      ? {
          role_id: await tokenFrom(credentials.roleId, signal),
          secret_id: await tokenFrom(credentials.secretId, signal),
        }
      : { role: credentials.role, jwt: await tokenFrom(credentials.jwt, signal) }
  const path = `auth/${credentials.mount ?? credentials.kind}/login`
  const received = await call({ method: 'POST', path, body, signal }).catch((error) => {
    const failure = failureOf(error)
    // A wrong role, a wrong secret id, a lockout: 400 and 403 do not distinguish them.
    throw failure.isOutage ? failure : new ProviderFailure('credentials', { code: failure.code })
  })
  const auth = readAnswer(received.body, Login)?.auth
  // A server that requires a second factor has given no token.
  if (!auth) throw new ProviderFailure('credentials')
  if (!HEADER_VALUE.test(auth.client_token)) throw new ProviderFailure('unavailable', { code: 'Form' })
  const lifetimeMs = auth.lease_duration > 0 ? auth.lease_duration * 1000 : Number.POSITIVE_INFINITY
  const value = { token: new Redacted(auth.client_token), renewable: auth.renewable, leaseMs: lifetimeMs }
  return { value, lifetimeMs }
}
