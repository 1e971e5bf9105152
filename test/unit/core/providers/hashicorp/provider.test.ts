/** HashiCorp Vault: tokens and their renewal, engines, what is sealed, and what others wrote. */
import { describe, expect, it } from 'vitest'
import { Upstream } from '../../../../../core/providers/guarded_provider.ts'
import { type HashicorpConfig, hashicorpProvider } from '../../../../../core/providers/hashicorp/provider.ts'
import type { FailureKind, Provider, ProviderFailure } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { bytesOf, refusalFrom, shownBy } from '../../../../support/core.ts'
import type { Reply } from '../../../../support/fakes/fake.ts'
import { type FakeVault, fakeVault } from '../../../../support/fakes/vault.ts'

const ADDRESS = 'https://vault.example:8200'
const ROOT = { kind: 'token', token: new Redacted('root-test-token') } as const
const signal = () => AbortSignal.timeout(5_000)
const read = (provider: Provider, name = 'prod/db', version?: string) =>
  provider.get(name, { signal: signal(), ...(version ? { version } : {}) })
const textOf = async (provider: Provider, name?: string) =>
  Buffer.from((await read(provider, name)).value.reveal()).toString()
const paths = (server: FakeVault) =>
  server.asked.map(({ method, url }) => `${method} ${url.pathname.slice(4)}${url.search}`)

function open(more: Partial<HashicorpConfig> = {}, server = fakeVault()) {
  const config = { address: ADDRESS, mount: 'secret', credentials: ROOT, ...more }
  return { server, provider: hashicorpProvider(config, { fetch: server.fetch, now: () => server.now }) }
}

function put(provider: Provider, value: string | Uint8Array<ArrayBuffer>, name = 'prod/db', expected?: string) {
  const bytes = typeof value === 'string' ? bytesOf(value) : value
  return provider.put(name, new Redacted(bytes), {
    signal: signal(),
    idempotencyKey: 'k'.repeat(32),
    ...(expected ? { expect: expected } : {}),
  })
}

/** Writes as others do, with whatever fields. */
async function writeFields(server: FakeVault, data: unknown, name = 'prod/db'): Promise<void> {
  const headers = { 'x-vault-token': 'root-test-token' }
  await server.fetch(
    new Request(`${ADDRESS}/v1/secret/data/${name}`, { method: 'POST', headers, body: JSON.stringify({ data }) }),
  )
  server.asked.length = 0
}

describe('hashicorpProvider', () => {
  it('asks which engine is mounted, once, and never by the LIST method', async () => {
    const { server, provider } = open()
    await put(provider, 'value')
    await textOf(provider)
    await provider.list({ prefix: 'prod/', cursor: null, limit: 10, signal: signal() })
    expect(paths(server)).toEqual([
      ...[
        'GET auth/token/lookup-self',
        'GET sys/internal/ui/mounts/secret/postern-probe',
        'GET secret/metadata/prod/db',
      ],
      ...['POST secret/data/prod/db', 'GET secret/data/prod/db', 'GET secret/metadata/prod?list=true'],
    ])
    expect(server.asked[3]?.body).toEqual({ options: { cas: 0 }, data: { value: 'value' } })
    for (const { headers } of server.asked)
      expect([headers.get('x-vault-request'), headers.get('x-vault-token')]).toEqual(['true', 'root-test-token'])
  })

  it('names its namespace in a header, and nowhere else', async () => {
    const { server, provider } = open({ namespace: 'team-a/prod' })
    await put(provider, 'value')
    for (const { headers, url } of server.asked) {
      expect(headers.get('x-vault-namespace')).toBe('team-a/prod')
      expect(url.href).not.toContain('team-a')
    }
  })

  it.each<[string, Partial<HashicorpConfig>]>([
    ['namespace', { namespace: 'canary\r\nX-Injected: 1' }],
    ['namespace', { namespace: '../canary' }],
    ['namespace', { namespace: 'a//canary' }],
    ['namespace', { namespace: '' }],
    ['mount', { mount: '../sys' }],
    ['mount', { mount: 'secret/' }],
    ['mount', { mount: 'a%2fcanary' }],
    [
      'mount',
      { credentials: { kind: 'approle', mount: '../canary', roleId: 'r', secretId: async () => new Redacted('s') } },
    ],
    ['token', { credentials: { kind: 'token', token: new Redacted('canary\r\nX-Injected: 1') } }],
    ['token', { credentials: { kind: 'token', token: new Redacted('canary\0') } }],
    ['token', { credentials: { kind: 'token', token: new Redacted('') } }],
    ['url', { address: 'http://vault.example:8200' }],
    ['url', { address: 'https://127.0.0.1:8200' }],
    ['url', { address: 'https://[fd00::1]:8200' }],
    ['address', { address: 'https://vault.example/?canary' }],
  ])('rows 11, 13: refuses a configuration with a wrong %s', (field, more) => {
    const error = refusalFrom(() => open(more))
    expect([error.code, error.detail.field]).toEqual(['bad_request', field])
    expect(shownBy(error)).not.toContain('canary')
  })

  it('row 11: sends no token that a server made to end a header', async () => {
    const { server, provider } = open({
      credentials: { kind: 'jwt', role: 'app', jwt: async () => new Redacted('jwt') },
    })
    server.next.push({
      status: 200,
      body: { auth: { client_token: 'a\r\nX-Injected: 1', lease_duration: 60, renewable: true } },
    })
    expect(await kindOf(read(provider))).toBe('unavailable')
    expect(server.asked).toHaveLength(1)
  })

  it('row 9: lists no folder outside of its mount', async () => {
    const { server, provider } = open()
    for (const prefix of ['../sys/', 'a/../../sys/', './', 'a//b', '/', '%2e%2e/', 'a\r\n/']) {
      expect(await kindOf(provider.list({ prefix, cursor: null, limit: 1, signal: signal() }))).toBe('invalid')
    }
    expect(server.asked).toEqual([])
    const keys: Reply = { status: 200, body: { data: { keys: ['../', './', '..', '', '/', 'a/b', 'ok'] } } }
    await provider.health({ signal: signal() })
    server.next.push(keys)
    expect(
      (await provider.list({ prefix: '', cursor: null, limit: 9, signal: signal() })).items.map(({ name }) => name),
    ).toEqual(['ok'])
  })

  it('row 17: tells what is absent, deleted and destroyed apart, and what will be deleted from what is', async () => {
    const { server, provider } = open()
    expect(await kindOf(read(provider))).toBe('not_found')
    await put(provider, 'first')
    await put(provider, 'second')
    expect(await kindOf(read(provider, 'prod/db', '9'))).toBe('not_found')
    const headers = { 'x-vault-token': 'root-test-token' }
    await server.fetch(
      new Request(`${ADDRESS}/v1/secret/destroy/prod/db`, { method: 'POST', headers, body: '{"versions":[1]}' }),
    )
    expect(await kindOf(read(provider, 'prod/db', '1'))).toBe('deleted')
    expect((await provider.versions!('prod/db', { signal: signal() })).map(({ enabled }) => enabled)).toEqual([
      true,
      false,
    ])
    await provider.remove('prod/db', { signal: signal() })
    expect(await kindOf(read(provider))).toBe('deleted')
    const metadata = { version: 3, created_time: '2026-11-23T19:37:11.716645183Z', destroyed: false }
    const live = (deletion_time: string): Reply => ({
      status: 200,
      body: { data: { data: { value: 'x' }, metadata: { ...metadata, deletion_time } } },
    })
    server.next.push(live('2026-11-24T19:37:11.716645183Z'), live('2026-11-22T19:37:11.716645183Z'))
    const found = await read(provider)
    expect([found.expiresAt, found.createdAt]).toEqual([
      Date.UTC(2026, 10, 24, 19, 37, 11, 716),
      Date.UTC(2026, 10, 23, 19, 37, 11, 716),
    ])
    expect(await kindOf(read(provider))).toBe('deleted')
  })

  it('row 19: follows the version that is expected, and is told of one that came between', async () => {
    const { server, provider } = open()
    await put(provider, 'first', 'prod/db', 'absent')
    expect(await kindOf(put(provider, 'x', 'prod/db', 'absent'))).toBe('conflict')
    expect(await kindOf(put(provider, 'x', 'prod/db', '7'))).toBe('conflict')
    expect(await kindOf(put(provider, 'x', 'prod/db', 'no number'))).toBe('conflict')
    const posts = () => server.asked.filter(({ method }) => method === 'POST').length
    const before = posts()
    server.next.push({ status: 200, body: { data: { current_version: 0, versions: {} } } })
    expect(await kindOf(put(provider, 'x'))).toBe('conflict')
    expect(posts()).toBe(before + 1)
  })

  it.each<[string, unknown, string, 'utf8' | 'base64']>([
    ['one field', { value: 'text' }, 'text', 'utf8'],
    ['bytes', { value: '/wD+', encoding: 'base64' }, Buffer.from([255, 0, 254]).toString(), 'base64'],
    ['fields of others', { user: 'u', password: 'p' }, '{"user":"u","password":"p"}', 'utf8'],
    ['a value that is no text', { value: { a: 1 } }, '{"value":{"a":1}}', 'utf8'],
    ['a field beside the value', { value: 'v', user: 'u' }, '{"value":"v","user":"u"}', 'utf8'],
    ['an encoding that is not ours', { value: 'v', encoding: 'latin1' }, '{"value":"v","encoding":"latin1"}', 'utf8'],
    ['what is not base64', { value: '*', encoding: 'base64' }, '{"value":"*","encoding":"base64"}', 'utf8'],
    ['no field', {}, '{}', 'utf8'],
  ])('reads %s', async (_, data, text, encoding) => {
    const { server, provider } = open()
    await writeFields(server, data)
    expect([await textOf(provider), (await read(provider)).encoding]).toEqual([text, encoding])
  })

  it('takes a sealed server for an outage of its own kind', async () => {
    const { server, provider } = open({ kvVersion: 2 })
    await put(provider, 'value')
    server.sealed = true
    const failure: ProviderFailure = await read(provider).then(
      () => expect.unreachable(),
      (error) => error,
    )
    expect([failure.kind, failure.isOutage]).toEqual(['sealed', true])
  })

  it.each<[number, unknown, FailureKind]>([
    [307, undefined, 'unavailable'],
    [400, { errors: ['no data provided'] }, 'invalid'],
    [404, { errors: ["no handler for route 'x'"] }, 'invalid'],
    [405, { errors: ['unsupported operation'] }, 'invalid'],
    [412, { errors: ['required index state not present'] }, 'unavailable'],
    [429, { errors: ['rate limit quota exceeded'] }, 'throttled'],
    [472, { errors: [] }, 'unavailable'],
    [473, { errors: [] }, 'unavailable'],
    [500, { errors: ['internal error'] }, 'unavailable'],
    [502, undefined, 'unavailable'],
    [503, { errors: ['Vault is sealed'] }, 'sealed'],
    [503, { errors: ['local node not active but active cluster node not found'] }, 'unavailable'],
    [503, undefined, 'unavailable'],
  ])('reads %i %j as %s', async (status, body, kind) => {
    const { server, provider } = open({ kvVersion: 2 })
    await put(provider, 'value')
    server.next.push({ status, ...(body === undefined ? {} : { body }) })
    expect(await kindOf(read(provider))).toBe(kind)
  })
})

describe('a token of Vault', () => {
  const approle = (server: FakeVault) => {
    let made = 0
    // Each is good for one login.
    const secretId = async () => {
      const id = `secret-id-${made++}`
      server.secretIds.add(id)
      return new Redacted(id)
    }
    return { kind: 'approle', roleId: server.roleId, secretId } as const
  }
  const logins = (server: FakeVault) =>
    paths(server).filter((path) => path.startsWith('POST auth/approle/login')).length
  const renewals = (server: FakeVault) => paths(server).filter((path) => path === 'POST auth/token/renew-self').length

  it('comes from one login for all who read together', async () => {
    const server = fakeVault()
    const { provider } = open({ credentials: approle(server) }, server)
    await Promise.all([1, 2, 3].map(() => kindOf(read(provider))))
    expect(logins(server)).toBe(1)
    expect(server.asked[0]?.headers.get('x-vault-token')).toBeNull()
  })

  it('is renewed while the server prolongs it, and replaced when it no longer does', async () => {
    const server = fakeVault()
    const { provider } = open({ credentials: approle(server) }, server)
    await put(provider, 'value')
    // Sixty seconds at a time, a hundred and twenty in all.
    for (const [seconds, renewed, loggedIn] of [
      [50, 1, 1],
      [50, 2, 2],
      [10, 2, 2],
      [45, 3, 2],
    ] as const) {
      server.now += seconds * 1000
      expect(await textOf(provider)).toBe('value')
      expect([seconds, renewals(server), logins(server)]).toEqual([seconds, renewed, loggedIn])
    }
  })

  it('is replaced once when the server no longer knows it', async () => {
    const server = fakeVault()
    const { provider } = open({ credentials: approle(server) }, server)
    await put(provider, 'value')
    for (const token of server.tokens.keys()) if (token !== 'root-test-token') server.tokens.delete(token)
    expect(await textOf(provider)).toBe('value')
    expect(logins(server)).toBe(2)
  })

  it('is not replaced for a path that it may not read', async () => {
    const server = fakeVault()
    const { provider } = open({ credentials: approle(server) }, server)
    await kindOf(read(provider))
    for (const token of server.tokens.values()) token.paths = /^secret\/data\/prod\/other$/
    for (let i = 0; i < 3; i++) expect(await kindOf(read(provider))).toBe('denied')
    expect(logins(server)).toBe(1)
  })

  it('is not asked for again at once with a role that was refused', async () => {
    const server = fakeVault()
    const credentials = { ...approle(server), roleId: 'wrong' }
    const { provider } = open({ credentials }, server)
    for (let i = 0; i < 5; i++) expect(await kindOf(read(provider))).toBe('credentials')
    expect(logins(server)).toBe(1)
  })

  it('comes for an assertion of an identity provider, at whatever mount', async () => {
    const server = fakeVault()
    const credentials = { kind: 'jwt', role: 'app', jwt: async () => new Redacted('header.claims.signature') } as const
    server.assertions.add('header.claims.signature')
    const { provider } = open({ credentials }, server)
    await put(provider, 'value')
    expect(server.asked[0]?.body).toEqual({ role: 'app', jwt: 'header.claims.signature' })
    const kubernetes = open({ credentials: { ...credentials, mount: 'kubernetes' } })
    await kindOf(read(kubernetes.provider))
    expect(paths(kubernetes.server)[0]).toBe('POST auth/kubernetes/login')
  })

  it('that is given is renewed too, where it may be', async () => {
    const server = fakeVault()
    server.tokens.set('periodic', {
      paths: null,
      ttl: 60,
      expiresAt: server.now + 60_000,
      maxAt: Number.POSITIVE_INFINITY,
    })
    const { provider } = open({ credentials: { kind: 'token', token: new Redacted('periodic') } }, server)
    await put(provider, 'value')
    for (let i = 0; i < 5; i++) {
      server.now += 50_000
      expect(await textOf(provider)).toBe('value')
    }
    expect(renewals(server)).toBe(5)
  })

  /** Keeps a token alive for a while without a request, by what `keep` says; counts from the first call on. */
  async function quiet(provider: Provider, server: FakeVault, ms: number) {
    const end = server.now + ms
    let calls = 0
    for (let at: number | null = server.now; at !== null && at < end; calls++) {
      server.now = Math.max(server.now, at)
      at = await provider.keep!({ signal: signal() })
    }
    server.now = end
    return calls
  }
  const periodic = (server: FakeVault, ttl = 60, maxMs = Number.POSITIVE_INFINITY) =>
    server.tokens.set('periodic', { paths: null, ttl, expiresAt: server.now + ttl * 1000, maxAt: server.now + maxMs })
  const given = { kind: 'token', token: new Redacted('periodic') } as const

  it('that is given lives on while nothing is asked', async () => {
    const server = fakeVault()
    periodic(server)
    const { provider } = open({ credentials: given }, server)
    const calls = await quiet(provider, server, 3_600_000)
    expect(await put(provider, 'value')).toBeDefined()
    // Every 70 to 80 % of a minute.
    expect(calls).toBeGreaterThanOrEqual(75)
    expect(calls).toBeLessThanOrEqual(87)
  })

  it('of AppRole whose secret id is good for one login lives on once there is one', async () => {
    const server = fakeVault()
    server.secretIds.add('once')
    const credentials = { kind: 'approle', roleId: server.roleId, secretId: async () => new Redacted('once') } as const
    const { provider } = open({ credentials }, server)
    expect(await provider.keep!({ signal: signal() })).toBeNull()
    await put(provider, 'value')
    for (const token of server.tokens.values()) token.maxAt = Number.POSITIVE_INFINITY
    await quiet(provider, server, 3_600_000)
    expect(await textOf(provider)).toBe('value')
  })

  it('that comes for an assertion is not kept alive: it can be had anew', () => {
    const credentials = { kind: 'jwt', role: 'app', jwt: async () => new Redacted('a.b.c') } as const
    expect(open({ credentials }).provider.keep).toBeUndefined()
  })

  it('is renewed at different times by servers that began together', async () => {
    const times = new Set<number>()
    for (let i = 0; i < 20; i++) {
      const server = fakeVault()
      periodic(server, 3600)
      const at = (await open({ credentials: given }, server).provider.keep!({ signal: signal() }))! - server.now
      expect(at).toBeGreaterThanOrEqual(0.7 * 3_600_000)
      expect(at).toBeLessThanOrEqual(0.8 * 3_600_000)
      times.add(at)
    }
    expect(times.size).toBeGreaterThan(15)
  })

  it('is renewed by a process that finds most of its life over', async () => {
    const server = fakeVault()
    periodic(server)
    // As an object on Workers, which holds nothing when its alarm rings.
    for (let i = 0; i < 20; i++) {
      const at = await open({ credentials: given }, server).provider.keep!({ signal: signal() })
      server.now = at!
    }
    expect(renewals(server)).toBeGreaterThan(10)
    expect(server.tokens.get('periodic')!.expiresAt).toBeGreaterThan(server.now)
  })

  it('that lasts no longer for being renewed is said to, before it ends', async () => {
    const server = fakeVault()
    periodic(server, 60, 60_000)
    const lines: object[] = []
    const report = (_: string, event: string, fields: object) => void lines.push({ event, ...fields })
    const { provider } = open({ credentials: given }, server)
    const upstream = new Upstream('hashicorp', provider, { recoveryMs: 1000, report })
    server.now = (await upstream.keep(1000))!
    await upstream.keep(1000)
    await upstream.keep(1000)
    const about = { event: 'provider_credentials_not_renewed', provider: 'hashicorp' }
    expect(lines).toEqual([{ ...about, kind: 'credentials', code: 'NotRenewable' }])
    expect(server.now).toBeLessThan(server.tokens.get('periodic')!.expiresAt)
  })

  it('that cannot be renewed is tried again, and told of when it can', async () => {
    const server = fakeVault()
    periodic(server)
    const events: string[] = []
    const report = (_: string, event: string) => void events.push(event)
    const { provider } = open({ credentials: given }, server)
    const upstream = new Upstream('hashicorp', provider, { recoveryMs: 1000, report })
    server.now = (await upstream.keep(1000))!
    server.sealed = true
    for (let i = 0; i < 3; i++) {
      expect(await upstream.keep(1000)).toBeGreaterThan(Date.now())
      server.now += 1000
    }
    server.sealed = false
    server.now += 5000
    await upstream.keep(1000)
    expect(events).toEqual(['provider_credentials_not_renewed', 'provider_credentials_renewed'])
    expect(await put(provider, 'value')).toBeDefined()
  })

  it('that ends is not said to be renewed, nor one whose login failed', async () => {
    const server = fakeVault()
    periodic(server, 60, 60_000)
    server.secretIds.add('once')
    const approle = { kind: 'approle', roleId: server.roleId, secretId: async () => new Redacted('once') } as const
    for (const credentials of [given, approle]) {
      const events: string[] = []
      const report = (_: string, event: string) => void events.push(event)
      const { provider } = open({ credentials }, server)
      const upstream = new Upstream('hashicorp', provider, { recoveryMs: 1000, report })
      await textOf(provider).catch(() => {})
      for (const token of server.tokens.values()) token.maxAt = token.expiresAt
      server.now = (await upstream.keep(1000))!
      // By then its end has passed.
      for (let i = 0; i < 5; i++) {
        await upstream.keep(1000)
        server.now += 3_600_000
      }
      expect(events).toEqual(['provider_credentials_not_renewed'])
    }
  })

  it('that has ended is said to have, apart from a path that is forbidden', async () => {
    const server = fakeVault()
    const { provider } = open({ credentials: { kind: 'token', token: new Redacted('s.ended') } }, server)
    expect(await kindOf(read(provider))).toBe('credentials')
    server.tokens.set('s.narrow', { paths: /^nothing$/, ttl: 0, expiresAt: Number.POSITIVE_INFINITY, maxAt: 0 })
    const narrow = open({ kvVersion: 2, credentials: { kind: 'token', token: new Redacted('s.narrow') } }, server)
    expect(await kindOf(read(narrow.provider))).toBe('denied')
  })
})

describe('a list of Vault', () => {
  it('goes through folders in pages, in the order of names, whatever the page', async () => {
    const { provider } = open()
    const names = ['a', 'a-b', 'a/x', 'a/y/z', 'a0', 'b/c/d/e', 'b/c/d/f', 'c'].sort()
    for (const name of names) await put(provider, 'v', name)
    for (const limit of [1, 2, 3, 100]) {
      const found: string[] = []
      let cursor: string | null = null
      do {
        const page: Awaited<ReturnType<Provider['list']>> = await provider.list({
          prefix: '',
          cursor,
          limit,
          signal: signal(),
        })
        expect(page.items.length).toBeLessThanOrEqual(limit)
        found.push(...page.items.map(({ name }) => name))
        cursor = page.cursor
      } while (cursor !== null)
      expect(found).toEqual(names)
    }
    const below = await provider.list({ prefix: 'a/', cursor: null, limit: 9, signal: signal() })
    expect(below.items.map(({ name }) => name)).toEqual(['a/x', 'a/y/z'])
  })

  it('asks for a bounded number of folders a page, and comes to an end', async () => {
    const { server, provider } = open()
    for (let i = 0; i < 100; i++) await put(provider, 'v', `f${i}/s`)
    const found: string[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      server.asked.length = 0
      const page: Awaited<ReturnType<Provider['list']>> = await provider.list({
        prefix: '',
        cursor,
        limit: 1000,
        signal: signal(),
      })
      expect(server.asked.length).toBeLessThanOrEqual(64)
      found.push(...page.items.map(({ name }) => name))
      cursor = page.cursor
      pages++
    } while (cursor !== null)
    expect([found.length, new Set(found).size, pages]).toEqual([100, 100, 2])
  })
})
