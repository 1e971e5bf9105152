/**
 * Calls of Azure Key Vault, with a token from Entra ID.
 *
 * Only the configuration decides where tokens come from and go to: no challenge and no link in a response can redirect
 * one.
 *
 * @module
 */

import * as z from 'zod/mini'
import { utf8 } from '../../bytes.ts'
import { badRequest } from '../../errors.ts'
import type { Received } from '../../http/send.ts'
import { isLoopbackHostname } from '../../loopback.ts'
import { Redacted } from '../../redacted.ts'
import { type Issued, RenewedCredentials, type StoreCredential, type TokenSource, tokenFrom } from '../credentials.ts'
import { type FailureKind, ProviderFailure } from '../provider.ts'
import {
  ask,
  HEADER_VALUE,
  malformed,
  type ProviderOptions,
  parseBaseUrl,
  readAnswer,
  retryAfterMs,
} from '../request.ts'
import { type AzureManagedIdentity, checkManagedIdentity, managedToken } from './managed_identity.ts'

/** The resource of the public cloud, which tokens are for. */
export const AZURE_RESOURCE = 'https://vault.azure.net'
const API_VERSION = '7.5'
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const TENANT = /^[0-9A-Za-z](?:[0-9A-Za-z.-]{0,126}[0-9A-Za-z])?$/

/** The address of a Key Vault, and the credentials for it. */
export interface AzureAccess {
  /** `https://name.vault.azure.net` */
  vaultUrl: string
  /** The tenant of the application; a managed identity has its own. */
  tenantId?: string | undefined
  /** The id of the application, or of a managed identity that a user assigned. */
  clientId?: string | undefined
  /** A secret of the application, the token of an issuer that it trusts, or a managed identity instead of one. */
  credentials:
    | { kind: 'client_secret'; clientSecret: StoreCredential }
    | { kind: 'federated'; assertion: TokenSource }
    | AzureManagedIdentity
  /** Replaces `https://login.microsoftonline.com/{tenantId}/oauth2/v2.0/token`, for another cloud or an emulator. */
  tokenEndpoint?: string
  /** Replaces `https://vault.azure.net`, for another cloud. */
  resource?: string
}

/** A request to the vault. */
export interface AzureRequest {
  method?: 'GET' | 'PUT' | 'DELETE'
  /** Its segments are checked or encoded already. */
  path: string
  query?: URLSearchParams
  body?: object
  signal: AbortSignal
}

const Token = z.object({
  access_token: z.string().check(z.regex(HEADER_VALUE)),
  expires_in: z.coerce.number().check(z.positive()),
})
const TokenProblem = z.object({ error: z.string() })
const Inner = z.object({ code: z.optional(z.string()) })
const Problem = z.object({
  error: z.object({ code: z.string(), message: z.optional(z.string()), innererror: z.nullish(Inner) }),
})

/**
 * Checks the id of a tenant.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkTenant(tenantId: string): void {
  if (!TENANT.test(tenantId)) throw badRequest('tenantId', 'Tenant must be a GUID or a domain')
}

/**
 * Checks the id of an application.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkClientId(clientId: string): void {
  if (!/^[\w.-]{1,128}$/.test(clientId)) throw badRequest('clientId', 'Client id must be the GUID of an application')
}

/** Calls the vault. */
export type AzureCall = ReturnType<typeof azureCaller>

/**
 * Creates the function that calls the vault.
 *
 * @throws {PosternError} `bad_request` for a configuration that cannot work, or that would send a token for one cloud
 *   to a host of another.
 */
export function azureCaller(config: AzureAccess, options: ProviderOptions) {
  const { resource = AZURE_RESOURCE } = config
  checkIdentity(config)
  const vaultUrl = parseBaseUrl(config.vaultUrl, 'vaultUrl', options)
  const tokenEndpoint = tokenEndpointOf(config, options)
  checkVaultHost(vaultUrl, parseBaseUrl(resource, 'resource', options), options)
  const pins = { tokenEndpoint, resource }
  const credentials = new RenewedCredentials((signal) => issueToken(config, pins, { ...options, signal }), options)
  const now = options.now ?? Date.now

  return async <T extends z.ZodMiniType>(request: AzureRequest, schema: T): Promise<z.output<T>> => {
    const url = `${vaultUrl}${request.path}?${withApiVersion(request.query)}`
    const received = await credentials.use(request.signal, async (token) => {
      const body = request.body === undefined ? null : utf8(JSON.stringify(request.body))
      const headers = { authorization: `Bearer ${token.reveal()}`, ...(body && { 'content-type': 'application/json' }) }
      const init = { method: request.method ?? 'GET', headers, body, signal: request.signal }
      const answer = await ask(url, init, options)
      if (answer.status !== 200) throw azureFailure(answer, pins, now())
      return answer
    })
    const answer = readAnswer(received.body, schema)
    if (answer === null) throw malformed(received)
    return answer
  }
}

/** Checks who asks for tokens. An application needs its tenant and its id; a managed identity has both. */
function checkIdentity({ credentials, tenantId, clientId }: AzureAccess): void {
  const isManaged = credentials.kind === 'instance' || credentials.kind === 'app_service'
  if (isManaged) checkManagedIdentity(credentials)
  if (!isManaged || tenantId !== undefined) checkTenant(tenantId ?? '')
  if (!isManaged || clientId !== undefined) checkClientId(clientId ?? '')
}

/** The endpoint for the tokens of an application's tenant; `null` where only a managed identity is known. */
function tokenEndpointOf({ tenantId, tokenEndpoint }: AzureAccess, options: ProviderOptions): string | null {
  if (tenantId === undefined && tokenEndpoint === undefined) return null
  const login = `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`
  return parseBaseUrl(tokenEndpoint ?? login, 'tokenEndpoint', options)
}

/**
 * Checks the host of a vault. A token for the vaults of a cloud opens all vaults of its client, so it must not reach a
 * host outside of that cloud.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkVaultHost(vaultUrl: string, resource: string, { allowLoopback = false }: ProviderOptions): void {
  const { hostname, pathname } = new URL(vaultUrl)
  const ours = hostname.endsWith(`.${new URL(resource).hostname}`) || (allowLoopback && isLoopbackHostname(hostname))
  if (!ours || pathname !== '/') throw badRequest('vaultUrl', 'Vault must be a host below the host of its resource')
}

function withApiVersion(query = new URLSearchParams()): URLSearchParams {
  const whole = new URLSearchParams(query)
  whole.set('api-version', API_VERSION)
  return whole
}

/** The configured places, with which the challenge of a vault is compared. */
interface Pins {
  tokenEndpoint: string | null
  resource: string
}

async function issueToken(
  { clientId, credentials }: AzureAccess,
  { tokenEndpoint, resource }: Pins,
  { signal, ...options }: ProviderOptions & { signal: AbortSignal },
): Promise<Issued<Redacted<string>>> {
  if (credentials.kind === 'instance' || credentials.kind === 'app_service')
    return managedToken(credentials, { resource, clientId }, { ...options, signal })
  const proof =
    credentials.kind === 'client_secret'
      ? { client_secret: await tokenFrom(credentials.clientSecret, signal) }
      : { client_assertion_type: JWT_BEARER, client_assertion: await tokenFrom(credentials.assertion, signal) }
  const form = { client_id: clientId!, ...proof, grant_type: 'client_credentials', scope: `${resource}/.default` }
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = utf8(new URLSearchParams(form).toString())
  const received = await ask(tokenEndpoint!, { method: 'POST', headers, body, signal }, options)
  const token = received.status === 200 ? readAnswer(received.body, Token) : null
  if (token === null) throw tokenFailure(received, (options.now ?? Date.now)())
  return { value: new Redacted(token.access_token), lifetimeMs: token.expires_in * 1000 }
}

/** RFC 6749 section 5.2. */
function tokenFailure({ status, headers, body }: Received, now: number): ProviderFailure {
  const code = readAnswer(body, TokenProblem)?.error
  const detail = { code, retryAfterMs: retryAfterMs(headers, now) }
  if (status === 429) return new ProviderFailure('throttled', detail)
  const said = status >= 400 && status < 500 && code !== undefined && code !== 'temporarily_unavailable'
  return new ProviderFailure(said ? 'credentials' : 'unavailable', detail)
}

/** Reads a refusal of the vault. */
function azureFailure({ status, headers, body }: Received, pins: Pins, now: number): ProviderFailure {
  const { code = '', message = '', innererror } = readAnswer(body, Problem)?.error ?? {}
  const inner = innererror?.code ?? ''
  const kind = kindOf(code, inner, message, status)
  if (kind === 'credentials' && !isOurChallenge(headers.get('WWW-Authenticate'), pins)) {
    return new ProviderFailure('credentials', { code: 'Challenge' })
  }
  return new ProviderFailure(kind, { code: inner || code, retryAfterMs: retryAfterMs(headers, now) })
}

function kindOf(code: string, inner: string, message: string, status: number): FailureKind {
  if (status === 429) return 'throttled'
  if (code === '' || status >= 500) return 'unavailable'
  if (code === 'SecretNotFound') return 'not_found'
  if (code === 'Unauthorized') return 'credentials'
  if (code === 'Forbidden') return forbiddenKind(inner, message)
  if (code === 'Conflict') return conflictKind(inner, message)
  return 'invalid'
}

/** A disabled secret has its own inner code of Forbidden. Without the inner code only the message tells. */
function forbiddenKind(inner: string, message: string): FailureKind {
  if (inner === 'SecretDisabled' || /\bdisabled secret\b/.test(message)) return 'disabled'
  if (/\bexpired secret\b/.test(message)) return 'expired'
  return /\bnbf\b|\bnot yet valid\b/.test(message) ? 'disabled' : 'denied'
}

function conflictKind(inner: string, message: string): FailureKind {
  const deleted = inner === 'ObjectIsDeletedButRecoverable' || inner === 'ObjectIsBeingDeleted'
  return deleted || /\bdeleted but recoverable\b/.test(message) ? 'deleted' : 'conflict'
}

/** Whether a challenge names the configured tenant and resource. It is compared, never followed. */
function isOurChallenge(challenge: string | null, { tokenEndpoint, resource }: Pins) {
  if (challenge === null) return true
  const [, authorization] = /\bauthorization(?:_uri)?="([^"]{1,512})"/.exec(challenge) ?? []
  const [, asked] = /\bresource="([^"]{1,512})"/.exec(challenge) ?? []
  return (
    (!authorization ||
      tokenEndpoint === null ||
      tokenEndpoint.startsWith(`${authorization.replace(/(?<!\/)\/+$/, '')}/`)) &&
    (!asked || asked === resource)
  )
}
