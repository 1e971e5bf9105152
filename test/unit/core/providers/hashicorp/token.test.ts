/**
 * Tokens of HashiCorp Vault: logging in and renewing.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { GuardedProvider } from '../../../../../core/providers/guarded_provider.ts'
import type { Provider } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { type FakeVault, fakeVault } from '../../../../support/fakes/vault.ts'
import { open, paths, put, read, signal, textOf } from './vault_fixture.ts'

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

  it('comes from one login for simultaneous reads', async () => {
    const server = fakeVault()
    const { provider } = open({ credentials: approle(server) }, server)
    await Promise.all([1, 2, 3].map(() => kindOf(read(provider))))
    expect(logins(server)).toBe(1)
    expect(server.asked[0]?.headers.get('x-vault-token')).toBeNull()
  })

  it('is renewed while the server extends it, and replaced afterwards', async () => {
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

  it('is not replaced after a forbidden path', async () => {
    const server = fakeVault()
    const { provider } = open({ credentials: approle(server) }, server)
    await kindOf(read(provider))
    for (const token of server.tokens.values()) token.paths = /^secret\/data\/prod\/other$/
    for (let i = 0; i < 3; i++) expect(await kindOf(read(provider))).toBe('denied')
    expect(logins(server)).toBe(1)
  })

  it('is not requested again at once after a refused role', async () => {
    const server = fakeVault()
    const credentials = { ...approle(server), roleId: 'wrong' }
    const { provider } = open({ credentials }, server)
    for (let i = 0; i < 5; i++) expect(await kindOf(read(provider))).toBe('credentials')
    expect(logins(server)).toBe(1)
  })

  it('is issued for an assertion of an identity provider, at any mount', async () => {
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

  it('is renewed when it is configured and renewable, too', async () => {
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

  it('stays alive without requests when it is configured', async () => {
    const server = fakeVault()
    periodic(server)
    const { provider } = open({ credentials: given }, server)
    const calls = await quiet(provider, server, 3_600_000)
    expect(await put(provider, 'value')).toBeDefined()
    // Every 70 to 80 % of a minute.
    expect(calls).toBeGreaterThanOrEqual(75)
    expect(calls).toBeLessThanOrEqual(87)
  })

  it('stays alive when the secret id of its AppRole is good for one login only', async () => {
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

  it('is not kept alive when an assertion can replace it', () => {
    const credentials = { kind: 'jwt', role: 'app', jwt: async () => new Redacted('a.b.c') } as const
    expect(open({ credentials }).provider.keep).toBeUndefined()
  })

  it('is renewed at different times by servers that started together', async () => {
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

  it('is renewed by a process that starts late in its lifetime', async () => {
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

  it('is reported before it expires when renewals stop extending it', async () => {
    const server = fakeVault()
    periodic(server, 60, 60_000)
    const lines: object[] = []
    const report = (_: string, event: string, fields: object) => void lines.push({ event, ...fields })
    const { provider } = open({ credentials: given }, server)
    const guarded = new GuardedProvider('hashicorp', provider, { recoveryMs: 1000, report })
    server.now = (await guarded.keep(1000))!
    await guarded.keep(1000)
    await guarded.keep(1000)
    const about = { event: 'provider_credentials_not_renewed', provider: 'hashicorp' }
    expect(lines).toEqual([{ ...about, kind: 'credentials', code: 'NotRenewable' }])
    expect(server.now).toBeLessThan(server.tokens.get('periodic')!.expiresAt)
  })

  it('is retried when a renewal fails, and reported when one succeeds', async () => {
    const server = fakeVault()
    periodic(server)
    const events: string[] = []
    const report = (_: string, event: string) => void events.push(event)
    const { provider } = open({ credentials: given }, server)
    const guarded = new GuardedProvider('hashicorp', provider, { recoveryMs: 1000, report })
    server.now = (await guarded.keep(1000))!
    server.sealed = true
    for (let i = 0; i < 3; i++) {
      expect(await guarded.keep(1000)).toBeGreaterThan(Date.now())
      server.now += 1000
    }
    server.sealed = false
    server.now += 5000
    await guarded.keep(1000)
    expect(events).toEqual(['provider_credentials_not_renewed', 'provider_credentials_renewed'])
    expect(await put(provider, 'value')).toBeDefined()
  })

  it('is not reported as renewed when it expires or its login fails', async () => {
    const server = fakeVault()
    periodic(server, 60, 60_000)
    server.secretIds.add('once')
    const approle = { kind: 'approle', roleId: server.roleId, secretId: async () => new Redacted('once') } as const
    for (const credentials of [given, approle]) {
      const events: string[] = []
      const report = (_: string, event: string) => void events.push(event)
      const { provider } = open({ credentials }, server)
      const guarded = new GuardedProvider('hashicorp', provider, { recoveryMs: 1000, report })
      await textOf(provider).catch(() => {})
      for (const token of server.tokens.values()) token.maxAt = token.expiresAt
      server.now = (await guarded.keep(1000))!
      // By then its end has passed.
      for (let i = 0; i < 5; i++) {
        await guarded.keep(1000)
        server.now += 3_600_000
      }
      expect(events).toEqual(['provider_credentials_not_renewed'])
    }
  })

  it('is reported as expired, as distinct from a forbidden path', async () => {
    const server = fakeVault()
    const { provider } = open({ credentials: { kind: 'token', token: new Redacted('s.ended') } }, server)
    expect(await kindOf(read(provider))).toBe('credentials')
    server.tokens.set('s.narrow', { paths: /^nothing$/, ttl: 0, expiresAt: Number.POSITIVE_INFINITY, maxAt: 0 })
    const narrow = open({ kvVersion: 2, credentials: { kind: 'token', token: new Redacted('s.narrow') } }, server)
    expect(await kindOf(read(narrow.provider))).toBe('denied')
  })
})
