/** Keys of AWS that the platform hands out to a container, a pod or an instance. */
import { describe, expect, it } from 'vitest'
import type { AwsCredentialsConfig } from '../../../../../core/providers/aws/credentials.ts'
import { AwsProvider } from '../../../../../core/providers/aws/provider.ts'
import type { FailureKind } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { refusalFrom } from '../../../../support/core.ts'
import { NOW, ok, read, SECRET } from './answers_fixture.ts'

const TOKEN = 'canary-of-a-token-for-the-platform-0123456789'
const keys = (more: Record<string, unknown> = {}) => ({
  ...{ AccessKeyId: 'ASIAEXAMPLE', SecretAccessKey: SECRET, Token: 'session-token' },
  ...{ Expiration: new Date(NOW + 6 * 3_600_000).toISOString(), ...more },
})

type Answer = (request: Request) => Response | Promise<Response>

/** A provider whose keys come from a service of the platform, and the requests to that service. */
function open(credentials: AwsCredentialsConfig, answer: Answer) {
  const asked: { method: string; url: string; headers: Headers }[] = []
  const store: Headers[] = []
  const state = { now: NOW }
  const fetch = async (request: Request) => {
    if (new URL(request.url).hostname === 'secretsmanager.eu-west-1.amazonaws.com') {
      store.push(request.headers)
      const { body, status } = ok({ Name: 'prod/db', VersionId: 'v'.repeat(36), SecretString: 'value' })
      return new Response(JSON.stringify(body), { status })
    }
    asked.push({ method: request.method, url: request.url, headers: request.headers })
    return answer(request)
  }
  const provider = new AwsProvider({ region: 'eu-west-1', credentials }, { fetch, now: () => state.now })
  return { asked, store, state, provider }
}

describe('the role of a container', () => {
  const url = 'http://169.254.170.23/v1/credentials'
  const role = { kind: 'container', url, token: async () => new Redacted(TOKEN) } as const

  it('gives keys, which are used until shortly before they end', async () => {
    const { asked, store, state, provider } = open(role, () => Response.json(keys()))
    await Promise.all([read(provider), read(provider)])
    expect(asked.map(({ method, url, headers }) => [method, url, headers.get('authorization')])).toEqual([
      ['GET', url, TOKEN],
    ])
    expect(store[0]?.get('x-amz-security-token')).toBe('session-token')
    state.now += 5 * 3_600_000
    await read(provider)
    expect(asked).toHaveLength(2)
  })

  it.each([
    'http://169.254.170.2/v2/credentials/abc',
    'http://[fd00:ec2::23]/v1/credentials',
    'http://localhost:8080/get',
    'http://127.0.0.1:51679/x',
    'https://credentials.example.com/role',
  ])('may come from %s', async (place) => {
    const { provider } = open({ kind: 'container', url: place }, () => Response.json(keys()))
    expect(Buffer.from((await read(provider)).value.reveal()).toString()).toBe('value')
  })

  it.each([
    'http://10.0.0.1/creds',
    'http://192.168.1.1/creds',
    'http://credentials.example.com/role',
    'https://10.0.0.1/creds',
    'http://user:password@169.254.170.2/x',
    'file:///etc/passwd',
    'nonsense',
  ])('may not come from %s', (place) => {
    const refusal = refusalFrom(() => open({ kind: 'container', url: place }, () => Response.json(keys())))
    expect(refusal.detail.field).toBe('identity')
  })

  it.each<[string, Answer, FailureKind]>([
    ['refuses the token', () => new Response('', { status: 403 }), 'credentials'],
    ['has no role', () => new Response('', { status: 404 }), 'credentials'],
    ['is busy', () => new Response('', { status: 429 }), 'throttled'],
    ['fails', () => new Response('', { status: 500 }), 'unavailable'],
    ['redirects', () => new Response('', { status: 302, headers: { Location: 'http://10.0.0.1/' } }), 'unavailable'],
    ['answers without keys', () => Response.json({ Code: 'Failed' }), 'credentials'],
    ['answers with keys that ended', () => Response.json(keys({ Expiration: '2025-01-01T00:00:00Z' })), 'credentials'],
    ['answers with a key of two lines', () => Response.json(keys({ Token: 'a\r\nb' })), 'credentials'],
  ])('is a failure if the service %s', async (_, answer, kind) => {
    const { store, provider } = open(role, answer)
    expect(await kindOf(read(provider))).toBe(kind)
    expect(store).toEqual([])
  })
})

describe('the role of an instance', () => {
  const ROLE = '/latest/meta-data/iam/security-credentials/'

  /** IMDSv2: every read needs a token of a PUT before it. */
  function imds(role: Answer = () => new Response('web-server\n'), document = () => Response.json(keys())): Answer {
    return (request) => {
      const { pathname } = new URL(request.url)
      if (request.method === 'PUT' && pathname === '/latest/api/token')
        return request.headers.has('x-aws-ec2-metadata-token-ttl-seconds')
          ? new Response(TOKEN)
          : new Response('', { status: 400 })
      if (request.headers.get('x-aws-ec2-metadata-token') !== TOKEN) return new Response('', { status: 401 })
      if (pathname === ROLE) return role(request)
      return pathname === `${ROLE}web-server` ? document() : new Response('', { status: 404 })
    }
  }

  it.each([undefined, 'http://[fd00:ec2::254]'])('gives keys by a token first: %s', async (endpoint) => {
    const { asked, store, provider } = open({ kind: 'instance', endpoint }, imds())
    await read(provider)
    const origin = endpoint ?? 'http://169.254.169.254'
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `PUT ${origin}/latest/api/token`,
      `GET ${origin}${ROLE}`,
      `GET ${origin}${ROLE}web-server`,
    ])
    expect(store[0]?.get('x-amz-security-token')).toBe('session-token')
  })

  it.each<[string, Answer, FailureKind]>([
    ['has no role', imds(() => new Response('', { status: 404 })), 'credentials'],
    ['names a path', imds(() => new Response('../../user-data')), 'credentials'],
    ['names two roles', imds(() => new Response('one\ntwo')), 'credentials'],
    ['is switched off', () => new Response('', { status: 403 }), 'credentials'],
    [
      'gives no token',
      (request) => (request.method === 'PUT' ? new Response('a b\n') : imds()(request)),
      'unavailable',
    ],
  ])('is a failure if the instance %s', async (_, answer, kind) => {
    const { store, provider } = open({ kind: 'instance' }, answer)
    expect(await kindOf(read(provider))).toBe(kind)
    expect(store).toEqual([])
  })

  it.each(['http://10.0.0.1', 'http://169.254.169.254/latest', 'https://10.1.1.1'])(
    'refuses another endpoint: %s',
    (endpoint) => {
      const refusal = refusalFrom(() => open({ kind: 'instance', endpoint }, imds()))
      expect(refusal.detail.field).toBe('metadataEndpoint')
    },
  )
})
