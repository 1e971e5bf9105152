/** The version of the KV engine: misconfigured, changed at run time, hidden, or of a missing mount. */
import { describe, expect, it } from 'vitest'
import { HashicorpProvider } from '../../../../../core/providers/hashicorp/provider.ts'
import type { FailureKind, ProviderFailure } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { fakeVault } from '../../../../support/fakes/vault.ts'

const signal = () => new AbortController().signal
const hidden = (text: string) => new Redacted(Uint8Array.from(Buffer.from(text)))

function open(mount: string, kvVersion?: 1 | 2) {
  const server = fakeVault()
  const lines: object[] = []
  const report = (level: string, event: string, fields: object) => void lines.push({ level, event, ...fields })
  const credentials = { kind: 'token', token: new Redacted('root-test-token') } as const
  const address = 'https://vault.example:8200'
  const configured = { address, mount, credentials, ...(kvVersion && { kvVersion }) }
  const provider = new HashicorpProvider(configured, { fetch: server.fetch, now: () => server.now, report })
  const read = (name = 'h/a') =>
    provider.get(name, { signal: signal() }).then(
      ({ value }) => Buffer.from(value.reveal()).toString(),
      (error: ProviderFailure): FailureKind => error.kind,
    )
  const write = (text: string, name = 'h/a') =>
    provider.put(name, hidden(text), { signal: signal(), idempotencyKey: 'k'.repeat(32) }).then(
      ({ version }) => version,
      (error: ProviderFailure) => error,
    )
  /** Writes as another client of the server does. */
  const send = async (path: string, body: object) => {
    const headers = { 'x-vault-token': 'root-test-token' }
    await server.fetch(new Request(`${address}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) }))
    server.asked.length = 0
  }
  const looks = () => server.asked.filter(({ url }) => url.pathname.includes('/mounts/')).length
  return { server, provider, lines, read, write, send, looks }
}

const told = (configured: number, found: number) => ({
  ...{ level: 'warn', event: 'provider_misconfigured', code: 'KvVersion' },
  ...{ setting: 'kvVersion', configured, found },
})

describe('a wrong KV version in the settings', () => {
  it('row 68: reports no secret of version 1 as absent, and is logged for the operator once', async () => {
    const { read, send, lines } = open('kv1', 2)
    await send('kv1/h/a', { value: 'one' })
    expect([await read(), await read()]).toEqual(['one', 'one'])
    expect(await read('h/none')).toBe('not_found')
    expect(lines).toEqual([told(2, 1)])
  })

  it('row 68: reports no secret of version 2 as absent', async () => {
    const { read, send, lines } = open('secret', 1)
    await send('secret/data/h/a', { data: { value: 'two' } })
    expect(await read()).toBe('two')
    expect(await read('h/none')).toBe('not_found')
    expect(lines).toEqual([told(1, 2)])
  })

  it.each([
    ['kv1', 2],
    ['secret', 1],
  ] as const)('refuses writes and removals at %s with %i, before anything is sent', async (mount, configured) => {
    const { server, provider, write, lines } = open(mount, configured)
    expect(await write('v')).toMatchObject({ kind: 'invalid', code: 'KvVersion', isUnread: false })
    await expect(provider.remove('h/a', { signal: signal() })).rejects.toMatchObject({ code: 'KvVersion' })
    expect(server.namesAt(mount)).toEqual([])
    expect(server.asked.filter(({ method }) => method !== 'GET')).toEqual([])
    expect(lines).toHaveLength(1)
  })

  it('leaves the outcome of a stray write open where the mount cannot be read', async () => {
    const { server, write, lines } = open('kv1', 2)
    server.showsMounts = false
    expect(await write('v')).toMatchObject({ kind: 'invalid', code: 'KvVersion', isUnread: true })
    expect(lines).toEqual([told(2, 1)])
  })

  it('is checked only when a secret is missing, and once a minute then', async () => {
    const { server, read, send, looks } = open('secret', 2)
    await send('secret/data/h/a', { data: { value: 'two' } })
    for (let i = 0; i < 5; i++) await read()
    expect(looks()).toBe(0)
    for (let i = 0; i < 5; i++) await read('h/none')
    expect(looks()).toBe(1)
    server.now += 60_000
    await read('h/none')
    expect(looks()).toBe(2)
  })

  it('is trusted where the mount cannot be read', async () => {
    const { server, read, write, send } = open('secret', 2)
    server.showsMounts = false
    await send('secret/data/h/a', { data: { value: 'two' } })
    expect([await read(), await read('h/none'), await write('three')]).toEqual(['two', 'not_found', '2'])
  })
})

describe('a mount', () => {
  it('is still read, listed and written after it becomes version 2 at run time', async () => {
    const { server, provider, read, write, lines } = open('kv1')
    expect([await write('one'), await read()]).toEqual(['unversioned', 'one'])
    server.upgrade('kv1')
    const list = () => provider.list({ prefix: '', cursor: null, limit: 9, signal: signal() })
    expect((await list()).items.map(({ name }) => name)).toEqual(['h/a'])
    expect([await read(), await write('two'), await read()]).toEqual(['one', '2', 'two'])
    expect([server.unknown, lines]).toEqual([[], []])
  })

  it('gets a write once when it becomes version 2 right before', async () => {
    const { server, read, write } = open('kv1')
    await write('one')
    server.upgrade('kv1')
    expect([await write('two'), await read()]).toEqual(['2', 'two'])
  })

  it('is named in the operational log once when it is missing', async () => {
    const { read, lines } = open('nomount', 2)
    expect([await read(), await read()]).toEqual(['invalid', 'invalid'])
    const about = { level: 'warn', event: 'provider_misconfigured', code: 'NoMount' }
    expect(lines).toEqual([{ ...about, setting: 'mount' }])
  })

  it('is distinguished from a denied secret when it is hidden from the token', async () => {
    const { server, read, lines } = open('secret', 2)
    const errors = ["preflight capability check returned 403, please ensure client's policies grant access"]
    server.next.push({ status: 200, body: { data: { ttl: 0, renewable: false } } }, { status: 403, body: { errors } })
    expect(await read()).toBe('denied')
    expect(lines).toMatchObject([{ event: 'provider_misconfigured', code: 'HiddenMount' }])
  })
})
