/** Azure Key Vault: tokens, challenges, links and times. */
import { describe, expect, it, vi } from 'vitest'
import { type AzureConfig, AzureProvider } from '../../../../../core/providers/azure/provider.ts'
import type { FailureKind, Provider, ProviderFailure } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { bytesOf, refusalFrom, shownBy } from '../../../../support/core.ts'
import type { Reply } from '../../../../support/fakes/fake.ts'
import { type FakeKeyVault, fakeKeyVault, LOGIN, TENANT, VAULT } from '../../../../support/fakes/key_vault.ts'

const JWT = 'canary.of.a-federated-assertion'
const signal = () => AbortSignal.timeout(5_000)
const read = (provider: Provider, name = 'prod--db') => provider.get(name, { signal: signal() })
const list = (provider: Provider, cursor: string | null = null, limit = 1) =>
  provider.list({ prefix: '', cursor, limit, signal: signal() })
const problem = (status: number, code: string, inner?: string, message = ''): Reply => ({
  status,
  body: { error: { code, message, ...(inner ? { innererror: { code: inner } } : {}) } },
})

function open(
  more: Partial<AzureConfig> = {},
  fetch?: typeof globalThis.fetch,
): { server: FakeKeyVault; provider: Provider } {
  const server = fakeKeyVault()
  const credentials = { kind: 'client_secret', clientSecret: new Redacted(server.clientSecret) } as const
  const config = { vaultUrl: VAULT, tenantId: TENANT, clientId: 'client', credentials, ...more }
  return { server, provider: new AzureProvider(config, { fetch: fetch ?? server.fetch, now: () => server.now }) }
}

let keys = 0
function put(
  provider: Provider,
  value: string,
  more: { expect?: string; idempotencyKey?: string; contentType?: string } = {},
) {
  const options = { signal: signal(), idempotencyKey: `key-${keys++}-${'0'.repeat(30)}`, ...more }
  return provider.put('prod--db', new Redacted(bytesOf(value)), options)
}

describe('AzureProvider', () => {
  it('requests a token once, for its own resource, and sends it in a header', async () => {
    const { server, provider } = open()
    await Promise.all([kindOf(read(provider)), kindOf(read(provider))])
    const logins = server.asked.filter(({ url }) => url.href.startsWith(LOGIN))
    expect(logins.map(({ body }) => Object.fromEntries(new URLSearchParams(String(body))))).toEqual([
      {
        client_id: 'client',
        client_secret: server.clientSecret,
        grant_type: 'client_credentials',
        scope: 'https://vault.azure.net/.default',
      },
    ])
    const others = server.asked.filter((asked) => !logins.includes(asked))
    expect(new Set(others.map(({ headers }) => headers.get('authorization')))).toEqual(
      new Set(['Bearer access-token-0']),
    )
    expect(others.map(({ url }) => url.search).every((search) => search === '?api-version=7.5')).toBe(true)
  })

  it('needs no client secret with a federated identity', async () => {
    const assertion = async () => new Redacted(JWT)
    const { server, provider } = open({ credentials: { kind: 'federated', assertion } })
    expect(await kindOf(read(provider))).toBe('credentials')
    server.assertions.add(JWT)
    server.now += 5_000
    await put(provider, 'value')
    const form = Object.fromEntries(new URLSearchParams(String(server.asked[0]?.body)))
    expect(form.client_assertion_type).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    expect([form.client_assertion, 'client_secret' in form]).toEqual([JWT, false])
  })

  it('requests a new token once when the vault rejects the old one', async () => {
    const { server, provider } = open()
    await put(provider, 'value')
    server.tokens.clear()
    expect(Buffer.from((await read(provider)).value.reveal()).toString()).toBe('value')
    server.next.push(problem(401, 'Unauthorized'), problem(401, 'Unauthorized'), problem(401, 'Unauthorized'))
    expect(await kindOf(read(provider))).toBe('credentials')
    expect(server.next).toHaveLength(1)
  })

  it('row 11: sends no token that would break out of its header', async () => {
    const fetch = vi.fn(async () => Response.json({ access_token: 'a\r\nX-Injected: 1', expires_in: 60 }))
    const { provider } = open({}, fetch)
    expect(await kindOf(read(provider))).toBe('unavailable')
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  it.each([
    'Bearer authorization="https://evil.example/tenant", resource="https://vault.azure.net"',
    `Bearer authorization="${LOGIN}.evil.example", resource="https://vault.azure.net"`,
    `Bearer authorization="${LOGIN}", resource="https://evil.example"`,
    'Bearer authorization="https://login.microsoftonline.com/99999999-1111-1111-1111-111111111111", resource="https://vault.azure.net"',
  ])('row 14: sends no request to a server that a challenge names: %s', async (challenge) => {
    const { server, provider } = open()
    server.challenge = challenge
    await kindOf(read(provider))
    for (const token of server.tokens.keys()) server.tokens.set(token, 0)
    server.asked.length = 0
    // A new token, from where tokens come from, and the vault takes it.
    expect(await kindOf(read(provider))).toBe('not_found')
    expect(new Set(server.asked.map(({ url }) => url.origin))).toEqual(new Set([VAULT, new URL(LOGIN).origin]))
    expect(server.unknown).toEqual([])
  })

  it('row 14: reports a challenge for another resource', async () => {
    const { server, provider } = open()
    const challenge = {
      'www-authenticate': 'Bearer authorization="https://evil.example/t", resource="https://vault.azure.net"',
    }
    server.next.push(
      { ...problem(401, 'Unauthorized'), headers: challenge },
      { ...problem(401, 'Unauthorized'), headers: challenge },
    )
    const failure: ProviderFailure = await read(provider).then(
      () => expect.unreachable(),
      (error) => error,
    )
    expect([failure.kind, failure.code]).toEqual(['credentials', 'Challenge'])
  })

  it.each([
    'https://evil.example',
    'http://myvault.vault.azure.net',
    `${VAULT}:444`,
    `${VAULT}.evil.example`,
    'https://user@myvault.vault.azure.net',
  ])('row 14: does not follow a next link to %s', async (origin) => {
    const { server, provider } = open()
    await put(provider, 'value')
    await provider.put('second', new Redacted(bytesOf('x')), { signal: signal(), idempotencyKey: 'k'.repeat(32) })
    server.linkOrigin = origin
    const failure: ProviderFailure = await list(provider).then(
      () => expect.unreachable(),
      (error) => error,
    )
    expect([failure.kind, failure.code]).toEqual(['unavailable', 'NextLink'])
    expect(server.unknown).toEqual([])
  })

  it('row 14: never uses a cursor as an address', async () => {
    const { server, provider } = open()
    for (const cursor of [
      'https://evil.example/',
      '@evil.example',
      '#x',
      '&api-version=1.0',
      '$skiptoken=0&maxresults=9999',
      '/../keys',
    ]) {
      await kindOf(list(provider, cursor))
      const { url } = server.asked.at(-1)!
      expect([url.origin, url.pathname, url.searchParams.getAll('api-version')]).toEqual([VAULT, '/secrets', ['7.5']])
      expect(Number(url.searchParams.get('maxresults'))).toBeLessThanOrEqual(25)
    }
  })

  it.each<[string, Partial<AzureConfig>]>([
    ['vaultUrl', { vaultUrl: 'https://evil.example' }],
    ['vaultUrl', { vaultUrl: 'https://vault.azure.net' }],
    ['vaultUrl', { vaultUrl: 'https://evilvault.azure.net' }],
    ['vaultUrl', { vaultUrl: 'https://myvault.vault.azure.cn' }],
    ['vaultUrl', { vaultUrl: `${VAULT}/path` }],
    ['vaultUrl', { vaultUrl: 'http://myvault.vault.azure.net' }],
    ['vaultUrl', { vaultUrl: 'https://localhost:8444' }],
    ['vaultUrl', { vaultUrl: 'https://169.254.169.254' }],
    ['tokenEndpoint', { tokenEndpoint: 'https://[::ffff:a9fe:a9fe]/token' }],
    ['tokenEndpoint', { tokenEndpoint: 'http://metadata.google.internal/token' }],
    ['tenantId', { tenantId: '../canary' }],
    ['tenantId', { tenantId: 'a/b' }],
    ['clientId', { clientId: 'canary\r\n' }],
  ])('rows 11, 13: refuses a configuration with a wrong %s: %j', (field, more) => {
    const error = refusalFrom(() => open(more))
    expect([error.code, error.detail.field]).toEqual(['bad_request', field])
    expect(shownBy(error)).not.toContain('canary')
  })

  it('uses the resource of each cloud for its vaults', () => {
    expect(() => open({ vaultUrl: 'https://myvault.vault.azure.cn', resource: 'https://vault.azure.cn' })).not.toThrow()
  })

  it.each<[string, Reply, FailureKind]>([
    ['a denial by policy', problem(403, 'Forbidden', 'ForbiddenByPolicy'), 'denied'],
    ['a denial by role', problem(403, 'Forbidden', 'ForbiddenByRbac'), 'denied'],
    ['a denial by firewall', problem(403, 'Forbidden', 'ForbiddenByFirewall'), 'denied'],
    ['a disabled secret', problem(403, 'Forbidden', 'SecretDisabled'), 'disabled'],
    [
      'a disabled secret, by its message',
      problem(403, 'Forbidden', undefined, 'Operation get is not allowed on a disabled secret.'),
      'disabled',
    ],
    [
      'an expired secret, by its message',
      problem(403, 'Forbidden', undefined, 'Operation get is not allowed on an expired secret.'),
      'expired',
    ],
    [
      'a secret to come',
      problem(403, 'Forbidden', undefined, "Operation get is not allowed before the secret's nbf."),
      'disabled',
    ],
    ['a secret that is being deleted', problem(409, 'Conflict', 'ObjectIsBeingDeleted'), 'deleted'],
    ['a secret that is being recovered', problem(409, 'Conflict', 'ObjectIsBeingRecovered'), 'conflict'],
    ['a wrong parameter', problem(400, 'BadParameter'), 'invalid'],
    ['an inner failure', problem(500, 'InternalServerError'), 'unavailable'],
    ['a busy service', problem(503, 'ServiceUnavailable'), 'unavailable'],
  ])('row 17: reads %s as what it is', async (_, reply, kind) => {
    const { server, provider } = open()
    server.next.push(reply)
    expect(await kindOf(read(provider))).toBe(kind)
  })

  it('row 17: distinguishes absent, deleted, disabled, expired and not yet valid, by its own clock', async () => {
    const { server, provider } = open()
    const seconds = server.now / 1000
    const bundle = (attributes: object): Reply => ({
      status: 200,
      body: { id: `${VAULT}/secrets/prod--db/${'a'.repeat(32)}`, value: 'canary', attributes },
    })
    const kinds: [object, string][] = [
      [{ enabled: true, exp: seconds }, 'expired'],
      [{ enabled: true, exp: seconds + 1 }, 'ok'],
      [{ enabled: true, nbf: seconds + 1 }, 'disabled'],
      [{ enabled: true, nbf: seconds }, 'ok'],
      [{ enabled: false }, 'disabled'],
      [{}, 'ok'],
    ]
    for (const [attributes, kind] of kinds) {
      server.next.push(bundle(attributes))
      expect([attributes, await kindOf(read(provider))]).toEqual([attributes, kind])
    }
    expect(await kindOf(read(provider))).toBe('not_found')
    await put(provider, 'value')
    await provider.remove('prod--db', { signal: signal() })
    expect(await kindOf(read(provider))).toBe('deleted')
    expect(await kindOf(provider.versions!('prod--db', { signal: signal() }))).toBe('deleted')
  })

  it('row 17: does not report a secret as deleted where it may not list deleted ones', async () => {
    const { server, provider } = open()
    await kindOf(read(provider))
    server.next.push(problem(404, 'SecretNotFound'), problem(403, 'Forbidden', 'ForbiddenByPolicy'))
    expect(await kindOf(read(provider))).toBe('not_found')
  })

  it('row 19: recognises a repeated write by its tag, and refuses its key for another value', async () => {
    const { server, provider } = open()
    const write = { idempotencyKey: 'w'.repeat(40), contentType: 'text/plain' }
    const { version } = await put(provider, 'value', write)
    expect((await put(provider, 'value', write)).version).toBe(version)
    expect(await kindOf(put(provider, 'another', write))).toBe('conflict')
    expect(server.asked.filter(({ method }) => method === 'PUT')).toHaveLength(1)
    expect((await read(provider)).contentType).toBe('text/plain')
  })

  it('keeps tags that others set', async () => {
    const { server, provider } = open()
    await put(provider, 'value')
    const id = (await read(provider)).version
    const headers = { authorization: `Bearer ${[...server.tokens.keys()][0]}` }
    const body = JSON.stringify({ tags: { owner: 'team-a' } })
    await server.fetch(
      new Request(`${VAULT}/secrets/prod--db/${id}?api-version=7.5`, {
        method: 'PATCH',
        headers,
        body: JSON.stringify({ attributes: JSON.parse(body) }),
      }),
    )
    await put(provider, 'second')
    const written = server.asked.filter(({ method }) => method === 'PUT').at(-1)?.body as {
      tags: Record<string, string>
    }
    expect(Object.keys(written.tags).sort()).toEqual(['owner', 'postern-write'])
    expect((await read(provider)).tags).toEqual({ owner: 'team-a' })
  })

  it.each<[number, string, FailureKind]>([
    [401, 'invalid_client', 'credentials'],
    [400, 'unauthorized_client', 'credentials'],
    [400, 'invalid_grant', 'credentials'],
    [400, 'temporarily_unavailable', 'unavailable'],
    [503, 'server_error', 'unavailable'],
    [429, 'slow_down', 'throttled'],
  ])('reads %i %s of the token endpoint as %s', async (status, error, kind) => {
    const credentials = { kind: 'client_secret', clientSecret: new Redacted('canary-client-secret') } as const
    const fetch = async () => new Response(JSON.stringify({ error, error_description: 'canary' }), { status })
    const provider = new AzureProvider(
      { vaultUrl: VAULT, tenantId: TENANT, clientId: 'client', credentials },
      { fetch },
    )
    const failure: ProviderFailure = await read(provider).then(
      () => expect.unreachable(),
      (thrown) => thrown,
    )
    expect([failure.kind, failure.code]).toEqual([kind, error])
    expect(`${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}`).not.toContain('canary')
  })
})
