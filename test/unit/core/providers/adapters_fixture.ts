/**
 * Every adapter in front of a server that says what a test wants, with credentials that are canaries.
 *
 * @module
 */

import type { SendOptions } from '../../../../core/http/send.ts'
import { AwsProvider } from '../../../../core/providers/aws/provider.ts'
import { AzureProvider } from '../../../../core/providers/azure/provider.ts'
import { GoogleProvider } from '../../../../core/providers/google/provider.ts'
import { HashicorpProvider } from '../../../../core/providers/hashicorp/provider.ts'
import { HttpProvider } from '../../../../core/providers/http/provider.ts'
import type { Provider } from '../../../../core/providers/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import type { Reply } from '../../../support/fakes/fake.ts'
import { LOGIN, TENANT, VAULT } from '../../../support/fakes/key_vault.ts'
import { SERVICE, STS } from '../../../support/fakes/secret_manager.ts'

/** Found in every encoding, and a valid header. */
export const SECRETS = [
  'canary-secret-of-ours-0123456789abcdef',
  'canary-token-of-a-session-0123456789',
  'canary-value-of-a-secret-0123456789',
]
const [SECRET, TOKEN] = SECRETS as [string, string]

export type Answer = (request: Request) => Promise<Response> | Response

/** A server's answer in its own form. */
export function json({ status, body, headers }: Reply): Response {
  const text = body === undefined ? null : JSON.stringify(body)
  return new Response(text, { status, headers: { 'content-type': 'application/json', ...headers } })
}

/** An adapter, and the answers of its store in its own words. */
export interface Adapter {
  kind: Provider['kind']
  /** The origin of the store. Requests may go there and to `others` only. */
  origin: string
  others: string[]
  open(answer: Answer, options?: SendOptions & { now?: () => number }): Provider
  words: Record<'denied' | 'not_found' | 'invalid' | 'throttled' | 'unavailable' | 'credentials', Reply>
  /** A secret with a value, as it is read. */
  secret: Reply
}

const problem = (code: string, message = SECRETS[2]) => ({ error: { code, message } })
const errors = (...messages: string[]) => ({ errors: messages })
const google = (code: number, status: string): Reply => {
  return { status: code, body: { error: { code, status, message: SECRETS[2] } } }
}
const aws = (status: number, type: string): Reply => ({ status, body: { __type: type, Message: SECRETS[2] } })

export const ADAPTERS: readonly Adapter[] = [
  {
    kind: 'aws',
    origin: 'https://secretsmanager.eu-west-1.amazonaws.com',
    others: [],
    open(answer, options = {}) {
      const keys = {
        accessKeyId: 'AKIAEXAMPLE',
        secretAccessKey: new Redacted(SECRET),
        sessionToken: new Redacted(TOKEN),
      }
      const config = { region: 'eu-west-1', credentials: { kind: 'static', ...keys } as const }
      return new AwsProvider(config, { fetch: async (request) => answer(request), ...options })
    },
    words: {
      denied: aws(400, 'AccessDeniedException'),
      not_found: aws(400, 'ResourceNotFoundException'),
      invalid: aws(400, 'InvalidParameterException'),
      throttled: aws(400, 'ThrottlingException'),
      unavailable: aws(500, 'InternalServiceError'),
      credentials: aws(400, 'UnrecognizedClientException'),
    },
    secret: {
      status: 200,
      body: { Name: 'prod-db', VersionId: 'v'.repeat(32), SecretString: SECRETS[2], CreatedDate: 1.5 },
    },
  },
  {
    kind: 'azure',
    origin: VAULT,
    others: [new URL(LOGIN).origin],
    open(answer, options = {}) {
      const credentials = { kind: 'client_secret', clientSecret: new Redacted(SECRET) } as const
      const config = { vaultUrl: VAULT, tenantId: TENANT, clientId: 'client', credentials }
      const fetch = async (request: Request) => {
        const isLogin = request.url === `${LOGIN}/oauth2/v2.0/token`
        return isLogin ? json({ status: 200, body: { access_token: TOKEN, expires_in: 3600 } }) : answer(request)
      }
      return new AzureProvider(config, { fetch, ...options })
    },
    words: {
      denied: { status: 403, body: problem('Forbidden') },
      not_found: { status: 404, body: problem('SecretNotFound') },
      invalid: { status: 400, body: problem('BadParameter') },
      throttled: { status: 429, body: problem('Throttled') },
      unavailable: { status: 500, body: problem('InternalServerError') },
      credentials: { status: 401, body: problem('Unauthorized') },
    },
    secret: {
      status: 200,
      body: { id: `${VAULT}/secrets/prod--db/${'a'.repeat(32)}`, value: SECRETS[2], attributes: { enabled: true } },
    },
  },
  {
    kind: 'google',
    origin: SERVICE,
    others: [new URL(STS).origin],
    open(answer, options = {}) {
      const audience = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ours'
      const credentials = { kind: 'workload_identity', audience, token: async () => new Redacted(SECRET) } as const
      const fetch = async (request: Request) => {
        const isExchange = request.url === STS
        return isExchange ? json({ status: 200, body: { access_token: TOKEN, expires_in: 3600 } }) : answer(request)
      }
      return new GoogleProvider({ project: 'project', credentials }, { fetch, ...options })
    },
    words: {
      denied: google(403, 'PERMISSION_DENIED'),
      not_found: google(404, 'NOT_FOUND'),
      invalid: google(400, 'INVALID_ARGUMENT'),
      throttled: google(429, 'RESOURCE_EXHAUSTED'),
      unavailable: google(500, 'INTERNAL'),
      credentials: google(401, 'UNAUTHENTICATED'),
    },
    secret: {
      status: 200,
      body: {
        name: 'projects/1/secrets/prod--db/versions/1',
        payload: { data: Buffer.from(SECRETS[2]!).toString('base64') },
      },
    },
  },
  {
    kind: 'hashicorp',
    origin: 'https://vault.example:8200',
    others: [],
    open(answer, options = {}) {
      const credentials = { kind: 'token', token: new Redacted(TOKEN) } as const
      const config = { address: 'https://vault.example:8200', mount: 'secret', kvVersion: 2 as const, credentials }
      const fetch = async (request: Request) => {
        const isLookup = request.url.endsWith('/v1/auth/token/lookup-self')
        return isLookup ? json({ status: 200, body: { data: { ttl: 0, renewable: false } } }) : answer(request)
      }
      return new HashicorpProvider(config, { fetch, ...options })
    },
    words: {
      denied: { status: 403, body: errors(`1 error occurred: permission denied ${SECRETS[2]}`) },
      not_found: { status: 404, body: errors() },
      invalid: { status: 400, body: errors(SECRETS[2]!) },
      throttled: { status: 429, body: errors('request path "secret": rate limit quota exceeded') },
      unavailable: { status: 500, body: errors(SECRETS[2]!) },
      credentials: { status: 400, body: errors('missing client token') },
    },
    secret: {
      status: 200,
      body: {
        data: {
          data: { value: SECRETS[2] },
          metadata: { version: 1, created_time: '2026-01-01T00:00:00.123456789Z', deletion_time: '', destroyed: false },
        },
      },
    },
  },
  {
    kind: 'http',
    origin: 'https://store.example',
    others: [],
    open(answer, options = {}) {
      const headers = { Authorization: new Redacted(`Bearer ${TOKEN}`) }
      const config = { url: 'https://store.example/{name}', headers, pointer: '/value' }
      return new HttpProvider(config, { fetch: async (request) => answer(request), ...options })
    },
    words: {
      denied: { status: 403, body: { message: SECRETS[2] } },
      not_found: { status: 404, body: { message: SECRETS[2] } },
      invalid: { status: 400, body: { message: SECRETS[2] } },
      throttled: { status: 429, body: { message: SECRETS[2] } },
      unavailable: { status: 500, body: { message: SECRETS[2] } },
      credentials: { status: 401, body: { message: SECRETS[2] } },
    },
    secret: { status: 200, body: { value: SECRETS[2] } },
  },
]
