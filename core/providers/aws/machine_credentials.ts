/**
 * Keys of AWS that the platform hands out: to a task of ECS, a pod of EKS, or an instance of EC2.
 *
 * @module
 */
import * as z from 'zod/mini'
import { parseUtf8 } from '../../bytes.ts'
import { badRequest } from '../../errors.ts'
import { Redacted } from '../../redacted.ts'
import { type Credentials, type Issued, RenewedCredentials, type TokenSource, tokenFrom } from '../credentials.ts'
import { askIdentity, identityOrigin } from '../machine_identity.ts'
import { ProviderFailure } from '../provider.ts'
import { HEADER_VALUE, type ProviderOptions, readAnswer } from '../request.ts'
import type { AwsKeys } from './sigv4.ts'

/** The role of a task of ECS, or of a pod of EKS (Pod Identity). */
export interface AwsContainerRole {
  kind: 'container'
  /** The URL in `AWS_CONTAINER_CREDENTIALS_FULL_URI`. */
  url: string
  /** The token in `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, which the platform rewrites. */
  token?: TokenSource | undefined
}

/** The role of an instance of EC2, from its metadata service, version 2 (IMDSv2). */
export interface AwsInstanceRole {
  kind: 'instance'
  /** `http://169.254.169.254` by default, `http://[fd00:ec2::254]` on a network with IPv6 alone. */
  endpoint?: string | undefined
}

/** The service that ECS reaches by `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`. */
export const ECS_ORIGIN = 'http://169.254.170.2'
const IMDS_ORIGIN = 'http://169.254.169.254'
const ROLES_PATH = '/latest/meta-data/iam/security-credentials/'
/** The lifetime of a token for the metadata service, in seconds. Each renewal of keys takes a new one. */
const TOKEN_SECONDS = '60'
const ROLE_NAME = /^[\w+=,.@-]{1,64}$/

const Keys = z.object({
  AccessKeyId: z.string().check(z.regex(HEADER_VALUE)),
  SecretAccessKey: z.string().check(z.minLength(1)),
  Token: z.string().check(z.regex(HEADER_VALUE)),
  Expiration: z.string(),
})

/**
 * The keys of the machine's role, which the platform renews.
 *
 * @throws {PosternError} `bad_request` if its URL cannot be that of such a service.
 */
export function awsMachineCredentials(
  config: AwsContainerRole | AwsInstanceRole,
  options: ProviderOptions,
): Credentials<AwsKeys> {
  if (config.kind === 'container') identityOrigin(config.url, 'identity', 'AWS_CONTAINER_CREDENTIALS_FULL_URI')
  else checkInstanceEndpoint(config.endpoint)
  const issue = config.kind === 'container' ? fromContainer(config, options) : fromInstance(config, options)
  return new RenewedCredentials(issue, options)
}

function checkInstanceEndpoint(endpoint: string | undefined): void {
  if (endpoint !== undefined && identityOrigin(endpoint, 'metadataEndpoint') !== endpoint.replace(/\/$/, ''))
    throw badRequest('metadataEndpoint', 'Must be an origin such as http://[fd00:ec2::254]')
}

function fromContainer({ url, token }: AwsContainerRole, options: ProviderOptions) {
  return async (signal: AbortSignal): Promise<Issued<AwsKeys>> => {
    const authorization = token && (await tokenFrom(token, signal))
    if (authorization !== undefined && !HEADER_VALUE.test(authorization))
      throw new ProviderFailure('credentials', { code: 'Token' })
    const headers = authorization === undefined ? {} : { authorization }
    return keysFrom(await askIdentity(url, { headers, signal }, options), options)
  }
}

function fromInstance({ endpoint = IMDS_ORIGIN }: AwsInstanceRole, options: ProviderOptions) {
  const origin = endpoint.replace(/\/$/, '')
  return async (signal: AbortSignal): Promise<Issued<AwsKeys>> => {
    // Version 1 has no token, and a forged request could reach it: it is never used.
    const lifetime = { 'x-aws-ec2-metadata-token-ttl-seconds': TOKEN_SECONDS }
    const granted = await askIdentity(
      `${origin}/latest/api/token`,
      { method: 'PUT', headers: lifetime, signal },
      options,
    )
    const token = parseUtf8(granted.body)
    if (token === null || !HEADER_VALUE.test(token)) throw new ProviderFailure('unavailable', { code: 'Form' })
    const init = { headers: { 'x-aws-ec2-metadata-token': token }, signal }
    const role = parseUtf8((await askIdentity(origin + ROLES_PATH, init, options)).body)?.trim() ?? ''
    if (!ROLE_NAME.test(role)) throw new ProviderFailure('credentials', { code: 'NoRole' })
    return keysFrom(await askIdentity(origin + ROLES_PATH + role, init, options), options)
  }
}

function keysFrom(received: Awaited<ReturnType<typeof askIdentity>>, options: ProviderOptions): Issued<AwsKeys> {
  const keys = readAnswer(received.body, Keys)
  const lifetimeMs = Date.parse(keys?.Expiration ?? '') - (options.now ?? Date.now)()
  // An instance whose role was taken away gets a document with a code and no keys.
  if (keys === null) throw new ProviderFailure('credentials', { code: 'Form' })
  if (!(lifetimeMs > 0)) throw new ProviderFailure('credentials', { code: 'Expired' })
  const { AccessKeyId: accessKeyId, SecretAccessKey, Token } = keys
  const value = { accessKeyId, secretAccessKey: new Redacted(SecretAccessKey), sessionToken: new Redacted(Token) }
  return { value, lifetimeMs }
}
