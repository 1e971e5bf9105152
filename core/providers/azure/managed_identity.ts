/**
 * Tokens of Entra ID for a managed identity, from the platform: a virtual machine (IMDS), or App Service, Functions and
 * Container Apps.
 *
 * @module
 */
import * as z from 'zod/mini'
import { badRequest } from '../../errors.ts'
import { Redacted } from '../../redacted.ts'
import type { Issued } from '../credentials.ts'
import { askIdentity, identityOrigin } from '../machine_identity.ts'
import { ProviderFailure } from '../provider.ts'
import { checkHeaderValue, HEADER_VALUE, type ProviderOptions, readAnswer } from '../request.ts'

/** The identity of a virtual machine. */
export interface AzureInstanceIdentity {
  kind: 'instance'
  /** Replaces `http://169.254.169.254`. */
  endpoint?: string | undefined
}

/** The identity of an app, from the service that `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` name. */
export interface AzureAppIdentity {
  kind: 'app_service'
  endpoint: string
  header: Redacted<string>
}

/** A managed identity. */
export type AzureManagedIdentity = AzureInstanceIdentity | AzureAppIdentity

const IMDS_ORIGIN = 'http://169.254.169.254'
const IMDS_PATH = '/metadata/identity/oauth2/token'

const Token = z.object({
  access_token: z.string().check(z.regex(HEADER_VALUE)),
  /** In seconds. App Service has only the next. */
  expires_in: z.optional(z.coerce.number()),
  /** In seconds since the Unix epoch. */
  expires_on: z.optional(z.coerce.number()),
})

/**
 * Checks where a managed identity comes from.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkManagedIdentity(identity: AzureManagedIdentity): void {
  if (identity.kind === 'app_service') {
    identityOrigin(identity.endpoint, 'identity', 'IDENTITY_ENDPOINT')
    checkHeaderValue(identity.header, 'identity')
  } else if (
    identity.endpoint !== undefined &&
    identityOrigin(identity.endpoint, 'metadataEndpoint') !== identity.endpoint
  ) {
    throw badRequest('metadataEndpoint', 'Must be an origin')
  }
}

/**
 * Gets a token.
 *
 * @param asked The resource that it is for, and the client id of an identity that a user assigned; without one, of the
 *   identity of the system.
 * @throws {ProviderFailure}
 */
export async function managedToken(
  identity: AzureManagedIdentity,
  { resource, clientId }: { resource: string; clientId: string | undefined },
  { signal, ...options }: ProviderOptions & { signal: AbortSignal },
): Promise<Issued<Redacted<string>>> {
  const { url, version, headers } = serviceOf(identity)
  const query = new URLSearchParams({ 'api-version': version, resource, ...(clientId && { client_id: clientId }) })
  const received = await askIdentity(`${url}?${query}`, { headers, signal }, options)
  const token = readAnswer(received.body, Token)
  if (token === null) throw new ProviderFailure('unavailable', { code: 'Form' })
  const now = (options.now ?? Date.now)()
  const { expires_in: seconds, expires_on: at } = token
  const lifetimeMs = seconds === undefined ? (at ?? 0) * 1000 - now : seconds * 1000
  if (!(lifetimeMs > 0)) throw new ProviderFailure('unavailable', { code: 'Expired' })
  return { value: new Redacted(token.access_token), lifetimeMs }
}

function serviceOf(identity: AzureManagedIdentity) {
  if (identity.kind === 'app_service') {
    const headers = { 'x-identity-header': identity.header.reveal() }
    return { url: identity.endpoint, version: '2019-08-01', headers }
  }
  return { url: (identity.endpoint ?? IMDS_ORIGIN) + IMDS_PATH, version: '2018-02-01', headers: { metadata: 'true' } }
}
