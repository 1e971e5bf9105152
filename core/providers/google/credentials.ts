/**
 * Access tokens of Google Cloud: for the key of a service account, for a token of an issuer that a workload identity
 * pool trusts, or from the metadata service of a machine. Only the configuration decides where they are issued.
 *
 * @module
 */
import { importPKCS8, SignJWT } from 'jose'
import * as z from 'zod/mini'
import { utf8 } from '../../bytes.ts'
import { badRequest } from '../../errors.ts'
import type { Received } from '../../http/send.ts'
import { Redacted } from '../../redacted.ts'
import { type Credentials, type Issued, RenewedCredentials, type TokenSource, tokenFrom } from '../credentials.ts'
import { askIdentity } from '../machine_identity.ts'
import { ProviderFailure } from '../provider.ts'
import { ask, HEADER_VALUE, type ProviderOptions, parseBaseUrl, readAnswer, retryAfterMs } from '../request.ts'

/** The key of a service account. */
export interface GoogleServiceAccountKey {
  kind: 'service_account'
  /** Supplies the JSON file that Google makes for a key. */
  key: TokenSource
  /** Replaces `https://oauth2.googleapis.com/token`, for an emulator. The file's own `token_uri` is ignored. */
  tokenEndpoint?: string | undefined
}

/** Workload identity federation: a pool exchanges the token of another issuer (RFC 8693). */
export interface GoogleWorkloadIdentity {
  kind: 'workload_identity'
  /** `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER` */
  audience: string
  /** Supplies a JWT of the issuer. */
  token: TokenSource
  /** The e-mail address of a service account to act as. Without one, the identity of the pool itself has the rights. */
  serviceAccount?: string | undefined
  /** Replaces `https://sts.googleapis.com/v1/token`. */
  tokenEndpoint?: string | undefined
  /** Replaces `https://iamcredentials.googleapis.com`. */
  impersonationEndpoint?: string | undefined
}

/** The service account of a machine: Compute Engine, GKE, Cloud Run. */
export interface GoogleInstanceIdentity {
  kind: 'instance'
}

/** How access tokens are obtained. */
export type GoogleCredentials = GoogleServiceAccountKey | GoogleWorkloadIdentity | GoogleInstanceIdentity

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const METADATA_URL = 'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token'
/** The longest lifetime that Google takes, in seconds. */
const ASSERTION_SECONDS = 3600

const Key = z.object({
  client_email: z.string().check(z.regex(/^[^\s@]{1,128}@[^\s@]{1,128}$/)),
  private_key: z.string(),
  private_key_id: z.optional(z.string()),
})
const Token = z.object({
  access_token: z.string().check(z.regex(HEADER_VALUE)),
  expires_in: z.number().check(z.positive()),
})
const Impersonated = z.object({ accessToken: z.string().check(z.regex(HEADER_VALUE)), expireTime: z.string() })
const Problem = z.object({ error: z.union([z.string(), z.object({ status: z.optional(z.string()) })]) })

type Asked = ProviderOptions & { signal: AbortSignal }

/**
 * The access token to use.
 *
 * @throws {PosternError} `bad_request` for a configuration that cannot work.
 */
export function googleToken(config: GoogleCredentials, options: ProviderOptions): Credentials<Redacted<string>> {
  const issue = issuerOf(config, options)
  return new RenewedCredentials((signal) => issue({ ...options, signal }), options)
}

function issuerOf(
  config: GoogleCredentials,
  options: ProviderOptions,
): (asked: Asked) => Promise<Issued<Redacted<string>>> {
  if (config.kind === 'instance') return fromMetadata
  if (config.kind === 'service_account') {
    const endpoint = parseBaseUrl(
      config.tokenEndpoint ?? 'https://oauth2.googleapis.com/token',
      'tokenEndpoint',
      options,
    )
    return (asked) => forKey(config, endpoint, asked)
  }
  checkPoolProvider(config.audience)
  if (config.serviceAccount !== undefined) checkServiceAccount(config.serviceAccount)
  const sts = parseBaseUrl(config.tokenEndpoint ?? 'https://sts.googleapis.com/v1/token', 'tokenEndpoint', options)
  const iam = parseBaseUrl(
    config.impersonationEndpoint ?? 'https://iamcredentials.googleapis.com',
    'impersonationEndpoint',
    options,
  )
  return (asked) => forWorkload(config, { sts, iam }, asked)
}

async function fromMetadata({ signal, ...options }: Asked): Promise<Issued<Redacted<string>>> {
  const received = await askIdentity(METADATA_URL, { headers: { 'metadata-flavor': 'Google' }, signal }, options)
  return issued(received)
}

/** RFC 7523 section 2.1: an assertion that the key signs, for a token. */
async function forKey(
  { key }: GoogleServiceAccountKey,
  endpoint: string,
  { signal, ...options }: Asked,
): Promise<Issued<Redacted<string>>> {
  const assertion = await assertionOf(await tokenFrom(key, signal), endpoint, options.now ?? Date.now)
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }
  return issued(await post(endpoint, form, { ...options, signal }))
}

async function assertionOf(file: string, audience: string, now: () => number): Promise<string> {
  const key = readAnswer(utf8(file), Key)
  if (key === null) throw new ProviderFailure('credentials', { code: 'KeyFile' })
  const { client_email: email, private_key: pem, private_key_id: kid } = key
  // The error of the parser could quote the key.
  const privateKey = await importPKCS8(pem, 'RS256').catch(() => null)
  if (privateKey === null) throw new ProviderFailure('credentials', { code: 'PrivateKey' })
  const at = Math.floor(now() / 1000)
  return new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(kid && { kid }) })
    .setIssuer(email)
    .setAudience(audience)
    .setIssuedAt(at)
    .setExpirationTime(at + ASSERTION_SECONDS)
    .sign(privateKey)
}

async function forWorkload(
  { audience, token, serviceAccount }: GoogleWorkloadIdentity,
  { sts, iam }: { sts: string; iam: string },
  { signal, ...options }: Asked,
): Promise<Issued<Redacted<string>>> {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience,
    scope: SCOPE,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    subject_token: await tokenFrom(token, signal),
  }
  const federated = issued(await post(sts, form, { ...options, signal }))
  if (serviceAccount === undefined) return federated
  const url = `${iam}/v1/projects/-/serviceAccounts/${serviceAccount}:generateAccessToken`
  const headers = { authorization: `Bearer ${federated.value.reveal()}`, 'content-type': 'application/json' }
  const body = utf8(JSON.stringify({ scope: [SCOPE] }))
  const received = await ask(url, { method: 'POST', headers, body, signal }, options)
  if (received.status !== 200) throw tokenFailure(received, options)
  const made = readAnswer(received.body, Impersonated)
  const lifetimeMs = Date.parse(made?.expireTime ?? '') - (options.now ?? Date.now)()
  if (made === null || !(lifetimeMs > 0)) throw new ProviderFailure('unavailable', { code: 'Form' })
  return { value: new Redacted(made.accessToken), lifetimeMs }
}

async function post(endpoint: string, form: Record<string, string>, { signal, ...options }: Asked): Promise<Received> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = utf8(new URLSearchParams(form).toString())
  const received = await ask(endpoint, { method: 'POST', headers, body, signal }, options)
  if (received.status !== 200) throw tokenFailure(received, options)
  return received
}

function issued({ body }: Received): Issued<Redacted<string>> {
  const token = readAnswer(body, Token)
  if (token === null) throw new ProviderFailure('unavailable', { code: 'Form' })
  return { value: new Redacted(token.access_token), lifetimeMs: token.expires_in * 1000 }
}

/** RFC 6749 section 5.2 for tokens, `google.rpc.Status` for impersonation. */
function tokenFailure({ status, headers, body }: Received, options: ProviderOptions): ProviderFailure {
  const error = readAnswer(body, Problem)?.error
  const code = typeof error === 'string' ? error : error?.status
  const detail = { code, retryAfterMs: retryAfterMs(headers, (options.now ?? Date.now)()) }
  if (status === 429) return new ProviderFailure('throttled', detail)
  const isRefused = status >= 400 && status < 500 && code !== undefined
  return new ProviderFailure(isRefused ? 'credentials' : 'unavailable', detail)
}

/** @throws {PosternError} `bad_request` unless a text is the full name of a provider of a pool. */
export function checkPoolProvider(audience: string): void {
  if (!/^\/\/iam\.googleapis\.com\/[\w./-]{1,512}$/.test(audience)) {
    throw badRequest(
      'audience',
      'Audience must be the full name of a provider of a pool: //iam.googleapis.com/projects/…',
    )
  }
}

/** @throws {PosternError} `bad_request` unless a text is the address of a service account. */
export function checkServiceAccount(address: string): void {
  if (!/^[\w.-]{1,128}@[\w.-]{1,128}$/.test(address))
    throw badRequest('serviceAccount', 'Service account must be an e-mail address')
}
