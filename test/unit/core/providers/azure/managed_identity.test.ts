/** Tokens of Entra ID for a managed identity. */
import { describe, expect, it } from 'vitest'
import type { AzureManagedIdentity } from '../../../../../core/providers/azure/managed_identity.ts'
import { type AzureConfig, AzureProvider } from '../../../../../core/providers/azure/provider.ts'
import type { FailureKind, Provider } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { refusalFrom } from '../../../../support/core.ts'
import { VAULT } from '../../../../support/fakes/key_vault.ts'

const NOW = Date.UTC(2026, 0, 1)
const HEADER = 'canary-of-an-identity-header-0123456789'
const read = (provider: Provider) => provider.get('prod--db', { signal: AbortSignal.timeout(5000) })

type Answer = (request: Request) => Response

function open(credentials: AzureManagedIdentity, answer: Answer, more: Partial<AzureConfig> = {}) {
  const asked: { url: URL; headers: Headers }[] = []
  const store: { authorization: string | null }[] = []
  const state = { now: NOW, challenge: null as string | null }
  const fetch = async (request: Request) => {
    const url = new URL(request.url)
    if (url.origin === VAULT) {
      store.push({ authorization: request.headers.get('authorization') })
      const headers = state.challenge === null ? undefined : { 'WWW-Authenticate': state.challenge }
      if (headers !== undefined) return Response.json({ error: { code: 'Unauthorized' } }, { status: 401, headers })
      const id = `${VAULT}/secrets/prod--db/${'a'.repeat(32)}`
      return Response.json({ value: 'value', id, attributes: { enabled: true, created: 1, updated: 1 } })
    }
    asked.push({ url, headers: request.headers })
    return answer(request)
  }
  const provider = new AzureProvider({ vaultUrl: VAULT, credentials, ...more }, { fetch, now: () => state.now })
  return { asked, store, state, provider }
}

const token = (more: object) => () => Response.json({ access_token: 'access-token', token_type: 'Bearer', ...more })

describe('the identity of a virtual machine', () => {
  it('gives one token for many reads, and another before it ends', async () => {
    const { asked, store, state, provider } = open({ kind: 'instance' }, token({ expires_in: '3600' }))
    await Promise.all([read(provider), read(provider)])
    expect(asked.map(({ url, headers }) => [url.href, headers.get('metadata')])).toEqual([
      [
        'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net',
        'true',
      ],
    ])
    expect(store[0]?.authorization).toBe('Bearer access-token')
    state.now += 3_000_000
    await read(provider)
    expect(asked).toHaveLength(2)
  })

  it('may be one that a user assigned', async () => {
    const { asked, provider } = open({ kind: 'instance' }, token({ expires_in: 60 }), { clientId: 'client' })
    await read(provider)
    expect(asked[0]?.url.searchParams.get('client_id')).toBe('client')
  })

  it.each<[string, Answer, FailureKind]>([
    ['knows no identity', () => Response.json({ error: 'invalid_request' }, { status: 400 }), 'credentials'],
    ['is busy', () => new Response('', { status: 429 }), 'throttled'],
    ['is being updated', () => new Response('', { status: 410 }), 'unavailable'],
    ['fails', () => new Response('', { status: 500 }), 'unavailable'],
    ['answers in another form', () => new Response('<html>'), 'unavailable'],
    ['answers with a token that ended', token({ expires_in: '0' }), 'unavailable'],
    ['answers with a token of two lines', token({ access_token: 'a\r\nb', expires_in: '60' }), 'unavailable'],
  ])('is a failure if the service %s', async (_, answer, kind) => {
    const { store, provider } = open({ kind: 'instance' }, answer)
    expect(await kindOf(read(provider))).toBe(kind)
    expect(store).toEqual([])
  })

  it('compares the challenge of a vault with the tenant, where one is configured', async () => {
    const elsewhere =
      'Bearer authorization="https://login.microsoftonline.com/other", resource="https://vault.azure.net"'
    const other = open({ kind: 'instance' }, token({ expires_in: 60 }), { tenantId: 'ours' })
    other.state.challenge = elsewhere
    expect(await kindOf(read(other.provider))).toBe('credentials')
    const resource = open({ kind: 'instance' }, token({ expires_in: 60 }))
    resource.state.challenge = 'Bearer authorization="https://x/y", resource="https://other.example"'
    expect(await kindOf(read(resource.provider))).toBe('credentials')
  })
})

describe('the identity of an app', () => {
  const app = (endpoint: string): AzureManagedIdentity => {
    return { kind: 'app_service', endpoint, header: new Redacted(HEADER) }
  }

  it('gives a token that says when it ends', async () => {
    const until = String(NOW / 1000 + 3600)
    const { asked, state, provider } = open(app('http://169.254.130.3:8081/msi/token'), token({ expires_on: until }))
    await read(provider)
    expect(asked[0]?.url.href).toBe(
      'http://169.254.130.3:8081/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net',
    )
    expect(asked[0]?.headers.get('x-identity-header')).toBe(HEADER)
    state.now += 3_000_000
    await read(provider)
    expect(asked).toHaveLength(2)
  })

  it.each(['http://10.0.0.4/msi', 'http://identity.example/msi', 'nonsense'])('may not come from %s', (endpoint) => {
    expect(refusalFrom(() => open(app(endpoint), token({}))).detail.field).toBe('identity')
  })

  it('needs neither a tenant nor a client, which an application does', () => {
    const credentials = { kind: 'client_secret', clientSecret: new Redacted(HEADER) } as const
    const make = (more: object) => new AzureProvider({ vaultUrl: VAULT, credentials, ...more }, {})
    expect(refusalFrom(() => make({ clientId: 'client' })).detail.field).toBe('tenantId')
    expect(refusalFrom(() => make({ tenantId: 'tenant' })).detail.field).toBe('clientId')
  })
})
