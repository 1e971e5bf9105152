/**
 * Keys for AWS: static, or by AssumeRoleWithWebIdentity, for which no key has to be stored.
 *
 * @module
 */
import { parseUtf8, utf8 } from '../../bytes.ts'
import { badRequest } from '../../errors.ts'
import { Redacted } from '../../redacted.ts'
import {
  type Credentials,
  type Issued,
  RenewedCredentials,
  type StoreCredential,
  sourcedCredentials,
  type TokenSource,
  tokenFrom,
} from '../credentials.ts'
import { ProviderFailure } from '../provider.ts'
import { ask, checkHeaderValue, type ProviderOptions, parseBaseUrl } from '../request.ts'
import { kindOf } from './failures.ts'
import { type AwsContainerRole, type AwsInstanceRole, awsMachineCredentials } from './machine_credentials.ts'
import { awsDomain } from './regions.ts'
import type { AwsKeys } from './sigv4.ts'

/** Keys of a user, or with `sessionToken` of a session, which ends and is not renewed unless its source has others. */
export interface AwsGivenKeys {
  kind: 'static'
  accessKeyId: string | TokenSource
  secretAccessKey: StoreCredential
  sessionToken?: StoreCredential
}

/** A role that is assumed with the token of an issuer (OpenID Connect). */
export interface AwsWebIdentity {
  kind: 'web_identity'
  roleArn: string
  /** Shown in CloudTrail; 2 to 64 of `[A-Za-z0-9_+=,.@-]`. */
  sessionName: string
  /** Supplies a token of the issuer. */
  token: TokenSource
  /** 900 to 43200; AWS takes 3600 when not given. */
  durationSeconds?: number
  /** An inline policy as JSON that further limits the session. */
  policy?: string
  /** Replaces the endpoint of the region. */
  stsEndpoint?: string
}

/** How keys are obtained. */
export type AwsCredentialsConfig = AwsGivenKeys | AwsWebIdentity | AwsContainerRole | AwsInstanceRole

/**
 * @param region Checked already.
 * @throws {PosternError} `bad_request`
 */
export function awsCredentials(
  config: AwsCredentialsConfig,
  region: string,
  options: ProviderOptions,
): Credentials<AwsKeys> {
  if (config.kind === 'static') {
    if (typeof config.accessKeyId === 'string') checkHeaderValue(new Redacted(config.accessKeyId), 'accessKeyId')
    if (config.sessionToken instanceof Redacted) checkHeaderValue(config.sessionToken, 'sessionToken')
    return sourcedCredentials((signal) => takeKeys(config, signal))
  }
  if (config.kind !== 'web_identity') return awsMachineCredentials(config, options)
  checkRoleArn(config.roleArn)
  if (!/^[\w+=,.@-]{2,64}$/.test(config.sessionName)) {
    throw badRequest('sessionName', 'Session name must be 2 to 64 of A-Z, a-z, 0-9 and "_+=,.@-"')
  }
  const endpoint = parseBaseUrl(config.stsEndpoint ?? `https://sts.${awsDomain(region)}`, 'stsEndpoint', options)
  return new RenewedCredentials((signal) => assumeRole(config, endpoint, { ...options, signal }), options)
}

/**
 * Checks the ARN of a role.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkRoleArn(roleArn: string): void {
  if (!/^arn:[a-z-]+:iam::[0-9]{12}:role\/[\w+=,.@/-]{1,512}$/.test(roleArn)) {
    throw badRequest('roleArn', 'Role must be the ARN of an IAM role')
  }
}

async function takeKeys(
  { accessKeyId, secretAccessKey, sessionToken }: AwsGivenKeys,
  signal: AbortSignal,
): Promise<AwsKeys> {
  return {
    accessKeyId: await tokenFrom(accessKeyId, signal),
    secretAccessKey: new Redacted(await tokenFrom(secretAccessKey, signal)),
    ...(sessionToken && { sessionToken: new Redacted(await tokenFrom(sessionToken, signal)) }),
  }
}

/** AssumeRoleWithWebIdentity needs no signature: the token authenticates it. */
async function assumeRole(
  config: AwsWebIdentity,
  endpoint: string,
  { signal, ...options }: ProviderOptions & { signal: AbortSignal },
): Promise<Issued<AwsKeys>> {
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: config.roleArn,
    RoleSessionName: config.sessionName,
    WebIdentityToken: await tokenFrom(config.token, signal),
    ...(config.durationSeconds === undefined ? {} : { DurationSeconds: String(config.durationSeconds) }),
    ...(config.policy === undefined ? {} : { Policy: config.policy }),
  })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const init = { method: 'POST', headers, body: utf8(form.toString()), signal }
  const received = await ask(`${endpoint}/`, init, options)
  const xml = parseUtf8(received.body) ?? ''
  if (received.status !== 200) throw stsFailure(xml, received.status)
  const names = ['AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration']
  const [accessKeyId, secretAccessKey, sessionToken, expiration] = names.map((name) => element(xml, name))
  // Prefer the clock of the server: ours may be wrong.
  const now = Date.parse(received.headers.get('Date') ?? '') || (options.now ?? Date.now)()
  const lifetimeMs = Date.parse(expiration ?? '') - now
  if (!accessKeyId || !secretAccessKey || !sessionToken || !(lifetimeMs > 0)) throw new ProviderFailure('unavailable')
  const keys = { accessKeyId, secretAccessKey: new Redacted(secretAccessKey), sessionToken: new Redacted(sessionToken) }
  return { value: keys, lifetimeMs }
}

function stsFailure(xml: string, status: number): ProviderFailure {
  const code = element(xml, 'Code') ?? ''
  const kind = kindOf(code, '', status)
  // A denied role means that there are no credentials.
  return new ProviderFailure(kind === 'denied' ? 'credentials' : kind, { code })
}

/** The text of an element that occurs once and contains only text without entities. */
function element(xml: string, name: string): string | null {
  const found = [...xml.matchAll(new RegExp(`<${name}>([\\x21-\\x25\\x27-\\x3b\\x3d-\\x7e]{1,16384})</${name}>`, 'g'))]
  return found.length === 1 ? (found[0]?.[1] ?? null) : null
}
