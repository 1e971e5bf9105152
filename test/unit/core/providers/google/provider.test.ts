/** Google Secret Manager: tokens, refusals and versions. */
import { generateKeyPairSync } from 'node:crypto'
import { jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import type { GoogleCredentials } from '../../../../../core/providers/google/credentials.ts'
import { type GoogleConfig, GoogleProvider } from '../../../../../core/providers/google/provider.ts'
import type { FailureKind, Provider, ProviderPutOptions } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { bytesOf, refusalFrom } from '../../../../support/core.ts'
import { fakeSecretManager, PROJECT, SERVICE, STS } from '../../../../support/fakes/secret_manager.ts'

const AUDIENCE = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ours'
const NOW = Date.UTC(2026, 0, 1)
const signal = () => AbortSignal.timeout(5000)
const read = (provider: Provider, version?: string) =>
  provider.get('prod--db', { signal: signal(), ...(version !== undefined && { version }) })
const put = (provider: Provider, value: string, more: Partial<ProviderPutOptions> = {}) =>
  provider.put('prod--db', new Redacted(bytesOf(value)), { signal: signal(), idempotencyKey: 'k'.repeat(32), ...more })

/** A provider of a fake service. */
function open() {
  const server = fakeSecretManager()
  const token = async () => new Redacted(server.subject)
  const credentials = { kind: 'workload_identity', audience: AUDIENCE, token } as const
  const options = { fetch: server.fetch, now: () => server.now }
  return { server, provider: new GoogleProvider({ project: PROJECT, credentials }, options) }
}

describe('GoogleProvider', () => {
  it('exchanges the token of an issuer once for many requests, and again before the access token ends', async () => {
    const { server, provider } = open()
    await put(provider, 'value')
    await Promise.all([read(provider), read(provider)])
    const exchanges = () => server.asked.filter(({ url }) => url.href === STS)
    expect(exchanges().map(({ body }) => Object.fromEntries(new URLSearchParams(String(body))))).toEqual([
      {
        audience: AUDIENCE,
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        scope: 'https://www.googleapis.com/auth/cloud-platform',
        subject_token: server.subject,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      },
    ])
    server.now += 3_000_000
    await read(provider)
    expect(exchanges()).toHaveLength(2)
  })

  it('reads the newest version, or the one asked for', async () => {
    const { provider } = open()
    await put(provider, 'one')
    await put(provider, 'two')
    const [current, first] = [await read(provider), await read(provider, '1')]
    expect([current.version, Buffer.from(current.value.reveal()).toString()]).toEqual(['2', 'two'])
    expect([first.version, Buffer.from(first.value.reveal()).toString()]).toEqual(['1', 'one'])
  })

  it('writes to a secret that was made without a version', async () => {
    const { server, provider } = open()
    server.secrets.set('prod--db', { versions: [], annotations: {}, etag: 1, created: NOW })
    expect(await kindOf(read(provider))).toBe('not_found')
    expect((await put(provider, 'one')).version).toBe('1')
  })

  it('takes a version of another client into account, and keeps the annotations of others', async () => {
    const { server, provider } = open()
    const { version } = await put(provider, 'one')
    const secret = server.secrets.get('prod--db')!
    secret.annotations = { team: 'payments' }
    expect((await put(provider, 'two', { expect: version })).version).toBe('2')
    expect(secret.annotations).toEqual({ team: 'payments', 'postern-write': 'k'.repeat(32) })
    secret.versions.push({ data: 'eA==', state: 'ENABLED', created: NOW })
    expect(await kindOf(put(provider, 'three', { expect: '2' }))).toBe('conflict')
    expect(secret.versions).toHaveLength(3)
  })

  it.each([
    ['DISABLED', 'disabled'],
    ['DESTROYED', 'deleted'],
  ] as const)('reports a version that is %s, and writes over it', async (state, kind) => {
    const { server, provider } = open()
    const { version } = await put(provider, 'one')
    server.secrets.get('prod--db')!.versions[0]!.state = state
    expect(await kindOf(read(provider))).toBe(kind)
    expect(await provider.versions('prod--db', { signal: signal() })).toMatchObject([{ version, enabled: false }])
    expect((await put(provider, 'two', { expect: version })).version).toBe('2')
  })

  it.each<[number, string, string, FailureKind]>([
    [404, 'NOT_FOUND', '', 'not_found'],
    [403, 'PERMISSION_DENIED', '', 'denied'],
    [400, 'INVALID_ARGUMENT', '', 'invalid'],
    [400, 'FAILED_PRECONDITION', 'Something else.', 'invalid'],
    [409, 'ABORTED', '', 'conflict'],
    [429, 'RESOURCE_EXHAUSTED', '', 'throttled'],
    [503, 'UNAVAILABLE', '', 'unavailable'],
    [500, 'INTERNAL', '', 'unavailable'],
    [504, 'DEADLINE_EXCEEDED', '', 'timeout'],
    [400, 'A_NEW_STATUS', '', 'invalid'],
  ])('maps %s %s to its failure', async (status, word, message, kind) => {
    const { server, provider } = open()
    await put(provider, 'value')
    server.next = [{ status, body: { error: { code: status, status: word, message } } }]
    expect(await kindOf(read(provider))).toBe(kind)
  })

  it('asks for a new token when the service rejects the present one', async () => {
    const { server, provider } = open()
    await put(provider, 'value')
    server.next = [{ status: 401, body: { error: { code: 401, status: 'UNAUTHENTICATED' } } }]
    await read(provider)
    expect(server.asked.filter(({ url }) => url.href === STS)).toHaveLength(2)
  })

  it('finds regional secrets at the endpoint of their location', async () => {
    const urls: string[] = []
    const fetch = async ({ url }: Request) => {
      urls.push(url)
      return Response.json(url === STS ? { access_token: 'token', expires_in: 60 } : {})
    }
    const credentials = { kind: 'workload_identity', audience: AUDIENCE, token: async () => new Redacted('t') } as const
    const provider = new GoogleProvider({ project: PROJECT, location: 'europe-west3', credentials }, { fetch })
    await kindOf(read(provider))
    expect(urls[1]).toBe(
      `https://secretmanager.europe-west3.rep.googleapis.com/v1/projects/${PROJECT}/locations/europe-west3/secrets/prod--db/versions/latest:access`,
    )
  })

  it.each<[string, Partial<GoogleConfig>]>([
    ['project', { project: 'a/b' }],
    ['location', { location: 'evil.example/' }],
    ['endpoint', { endpoint: 'https://secretmanager.googleapis.com?x' }],
  ])('refuses a wrong %s', (field, more) => {
    const credentials = { kind: 'instance' } as const
    expect(refusalFrom(() => new GoogleProvider({ project: PROJECT, credentials, ...more }, {})).detail.field).toBe(
      field,
    )
  })
})

describe('the credentials of Google', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const file = { type: 'service_account', client_email: 'postern@project.iam.gserviceaccount.com', private_key: pem }

  /** Reads once with these credentials, and returns what was asked for tokens. */
  function withCredentials(credentials: GoogleCredentials, answer: (request: Request) => Response) {
    const asked: Request[] = []
    const store: (string | null)[] = []
    const fetch = async (request: Request) => {
      if (new URL(request.url).origin === SERVICE) {
        store.push(request.headers.get('authorization'))
        const name = `projects/1/secrets/prod--db/versions/1`
        return Response.json({ name, payload: { data: Buffer.from('value').toString('base64') } })
      }
      asked.push(request.clone() as Request)
      return answer(request)
    }
    return { asked, store, provider: new GoogleProvider({ project: PROJECT, credentials }, { fetch, now: () => NOW }) }
  }
  const granted = () => Response.json({ access_token: 'access-token', expires_in: 3599, token_type: 'Bearer' })
  const keyOf = (given: object | string): GoogleCredentials => {
    const key = async () => new Redacted(typeof given === 'string' ? given : JSON.stringify(given))
    return { kind: 'service_account', key }
  }

  it('sign an assertion with the key of a service account, for the endpoint of Google alone', async () => {
    const { asked, store, provider } = withCredentials(
      keyOf({ ...file, private_key_id: 'kid', token_uri: 'https://evil.example/token' }),
      granted,
    )
    await read(provider)
    expect([asked[0]?.url, store]).toEqual(['https://oauth2.googleapis.com/token', ['Bearer access-token']])
    const form = new URLSearchParams(await asked[0]!.text())
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    const { payload, protectedHeader } = await jwtVerify(form.get('assertion')!, publicKey, {
      issuer: file.client_email,
      audience: 'https://oauth2.googleapis.com/token',
      currentDate: new Date(NOW),
    })
    expect([protectedHeader.alg, protectedHeader.kid]).toEqual(['RS256', 'kid'])
    expect(payload).toMatchObject({ scope: 'https://www.googleapis.com/auth/cloud-platform', exp: NOW / 1000 + 3600 })
  })

  it.each([
    ['no JSON', 'canary of a key file'],
    ['no key', { client_email: file.client_email }],
    ['another key', { ...file, private_key: '-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n' }],
    ['no address', { ...file, client_email: 'postern' }],
  ])('are refused with a key file that has %s, before any request', async (_, given) => {
    const { asked, provider } = withCredentials(keyOf(given), granted)
    expect(await kindOf(read(provider))).toBe('credentials')
    expect(asked).toEqual([])
  })

  it('act as a service account by the token of a pool', async () => {
    const credentials: GoogleCredentials = {
      ...{ kind: 'workload_identity', audience: AUDIENCE, token: async () => new Redacted('subject') },
      serviceAccount: 'postern@project.iam.gserviceaccount.com',
    }
    const expireTime = new Date(NOW + 3_600_000).toISOString()
    const { asked, store, provider } = withCredentials(credentials, ({ url }) =>
      url === STS ? granted() : Response.json({ accessToken: 'impersonated', expireTime }),
    )
    await read(provider)
    expect(asked.map(({ url }) => url)).toEqual([
      STS,
      'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/postern@project.iam.gserviceaccount.com:generateAccessToken',
    ])
    expect([asked[1]?.headers.get('authorization'), store]).toEqual(['Bearer access-token', ['Bearer impersonated']])
  })

  it('come from the metadata service of a machine', async () => {
    const { asked, store, provider } = withCredentials({ kind: 'instance' }, granted)
    await read(provider)
    expect(asked.map(({ url, headers }) => [url, headers.get('metadata-flavor')])).toEqual([
      ['http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token', 'Google'],
    ])
    expect(store).toEqual(['Bearer access-token'])
  })

  it.each<[number, object | string, FailureKind]>([
    [400, { error: 'invalid_grant' }, 'credentials'],
    [403, { error: { status: 'PERMISSION_DENIED' } }, 'credentials'],
    [429, { error: 'slow_down' }, 'throttled'],
    [500, {}, 'unavailable'],
    [200, { access_token: 'a\r\nb', expires_in: 1 }, 'unavailable'],
    [200, '<html>', 'unavailable'],
  ])('fail with %s %j', async (status, body, kind) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const { store, provider } = withCredentials(keyOf(file), () => new Response(text, { status }))
    expect(await kindOf(read(provider))).toBe(kind)
    expect(store).toEqual([])
  })

  it.each<[string, object]>([
    ['audience', { audience: 'https://evil.example' }],
    ['serviceAccount', { serviceAccount: 'a/b' }],
    ['tokenEndpoint', { tokenEndpoint: 'http://10.0.0.1/token' }],
  ])('refuse a wrong %s', (field, more) => {
    const credentials = { kind: 'workload_identity', audience: AUDIENCE, token: async () => new Redacted('t'), ...more }
    const make = () => withCredentials(credentials as GoogleCredentials, granted)
    expect(refusalFrom(make).detail.field).toBe(field)
  })
})
