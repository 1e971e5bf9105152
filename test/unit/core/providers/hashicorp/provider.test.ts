/**
 * HashiCorp Vault: its engines, versions and errors, and secrets that other programs wrote.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { HashicorpConfig } from '../../../../../core/providers/hashicorp/provider.ts'
import type { FailureKind, ProviderFailure } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { refusalFrom, shownBy } from '../../../../support/core.ts'
import type { Reply } from '../../../../support/fakes/fake.ts'
import type { FakeVault } from '../../../../support/fakes/vault.ts'
import { ADDRESS, open, paths, put, read, signal, textOf } from './vault_fixture.ts'

/** Writes as another program would, with any fields. */
async function writeFields(server: FakeVault, data: unknown, name = 'prod/db'): Promise<void> {
  const headers = { 'x-vault-token': 'root-test-token' }
  await server.fetch(
    new Request(`${ADDRESS}/v1/secret/data/${name}`, { method: 'POST', headers, body: JSON.stringify({ data }) }),
  )
  server.asked.length = 0
}

describe('HashicorpProvider', () => {
  it('reads the mounted engine once, and never uses the LIST method', async () => {
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
    ['address', { address: 'http://vault.example:8200' }],
    ['address', { address: 'https://127.0.0.1:8200' }],
    ['address', { address: 'https://[fd00::1]:8200' }],
    ['address', { address: 'https://vault.example/?canary' }],
  ])('rows 11, 13: refuses a configuration with a wrong %s', (field, more) => {
    const error = refusalFrom(() => open(more))
    expect([error.code, error.detail.field]).toEqual(['bad_request', field])
    expect(shownBy(error)).not.toContain('canary')
  })

  it('row 11: sends no token that would break out of its header', async () => {
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

  it('row 9: lists no folder outside its mount', async () => {
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

  it('row 17: distinguishes absent, deleted and destroyed secrets, and a deletion that is yet to come', async () => {
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

  it('row 19: writes after the expected version, and reports one in between', async () => {
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
    ['a value that is not a string', { value: { a: 1 } }, '{"value":{"a":1}}', 'utf8'],
    ['a field beside the value', { value: 'v', user: 'u' }, '{"value":"v","user":"u"}', 'utf8'],
    ['an encoding that is not ours', { value: 'v', encoding: 'latin1' }, '{"value":"v","encoding":"latin1"}', 'utf8'],
    ['text that is not base64', { value: '*', encoding: 'base64' }, '{"value":"*","encoding":"base64"}', 'utf8'],
    ['no field', {}, '{}', 'utf8'],
  ])('reads %s', async (_, data, text, encoding) => {
    const { server, provider } = open()
    await writeFields(server, data)
    expect([await textOf(provider), (await read(provider)).encoding]).toEqual([text, encoding])
  })

  it('reports a sealed server as an outage of its own kind', async () => {
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
