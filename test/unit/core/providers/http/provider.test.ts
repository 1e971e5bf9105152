/** The HTTP contract, and what a configuration of it may not say. */
import { describe, expect, it } from 'vitest'
import { type HttpConfig, HttpProvider } from '../../../../../core/providers/http/provider.ts'
import type { FailureKind, Provider } from '../../../../../core/providers/provider.ts'
import { Redacted } from '../../../../../core/redacted.ts'
import { kindOf } from '../../../../support/codes.ts'
import { bytesOf, refusalFrom, shownBy } from '../../../../support/core.ts'
import { fake, type Reply } from '../../../../support/fakes/fake.ts'

const CONFIG: HttpConfig = {
  url: 'https://store.example/v1/{name}/value?raw=1',
  headers: { Authorization: new Redacted('Bearer canary-token'), 'X-Tenant': new Redacted('a b') },
  pointer: '/data/value',
}
const signal = () => AbortSignal.timeout(5_000)
const read = (provider: Provider, version?: string) =>
  provider.get('prod/db', { signal: signal(), ...(version ? { version } : {}) })

function open(reply: Reply, more: Partial<HttpConfig> = {}) {
  const server = fake(() => reply)
  return { server, provider: new HttpProvider({ ...CONFIG, ...more }, { fetch: server.fetch, now: () => 1_000 }) }
}

describe('HttpProvider', () => {
  it('requests its address with its headers, and finds the value by its pointer', async () => {
    const { server, provider } = open({ status: 200, body: { data: { value: 'v' } }, headers: { etag: 'W/"7"' } })
    const secret = await read(provider)
    expect([Buffer.from(secret.value.reveal()).toString(), secret.version, secret.encoding]).toEqual(['v', '7', 'utf8'])
    const { url, headers } = server.asked[0]!
    expect([url.href, headers.get('authorization'), headers.get('x-tenant')]).toEqual([
      'https://store.example/v1/prod/db/value?raw=1',
      'Bearer canary-token',
      'a b',
    ])
  })

  it('reads bytes, a version, a type and an expiry where the store has them', async () => {
    const body = {
      data: { value: '/wD+', version: 3 },
      encoding: 'base64',
      contentType: 'application/x-pem-file',
      expiresAt: 2_000,
    }
    const { provider } = open(
      { status: 200, body, headers: { etag: '"ignored"' } },
      { versionPointer: '/data/version' },
    )
    const secret = await read(provider)
    expect([[...secret.value.reveal()], secret.version, secret.contentType, secret.expiresAt]).toEqual([
      [255, 0, 254],
      '3',
      'application/x-pem-file',
      2_000,
    ])
    expect(await kindOf(read(provider, '3'))).toBe('ok')
    expect(await kindOf(read(provider, '2'))).toBe('not_found')
  })

  it('row 17: does not return an expired value', async () => {
    expect(await kindOf(read(open({ status: 200, body: { data: { value: 'v' }, expiresAt: 1_000 } }).provider))).toBe(
      'expired',
    )
  })

  it('row 17: reads an expiry in either form, and refuses any other', async () => {
    const withEnd = (expiresAt: unknown) =>
      read(open({ status: 200, body: { data: { value: 'v' }, expiresAt } }).provider)
    expect((await withEnd('2026-01-01T00:00:00Z')).expiresAt).toBe(Date.UTC(2026, 0, 1))
    expect((await withEnd(null)).expiresAt).toBeNull()
    expect(await kindOf(withEnd('1970-01-01T00:00:00.500Z'))).toBe('expired')
    expect(await kindOf(withEnd('tomorrow'))).toBe('invalid')
    const encoded = { status: 200, body: { data: { value: 'v' }, encoding: 'hex' } }
    expect(await kindOf(read(open(encoded).provider))).toBe('invalid')
  })

  it('reads a value out of an array, or a whole text', async () => {
    const inArray = await read(open({ status: 200, body: [{ value: 'v' }] }, { pointer: '/0/value' }).provider)
    const whole = await read(open({ status: 200, body: 'v' }, { pointer: '' }).provider)
    expect([inArray, whole].map(({ value }) => Buffer.from(value.reveal()).toString())).toEqual(['v', 'v'])
  })

  it.each([
    '{"user":"u","expiresAt":1,"encoding":"latin-1"}',
    '{"encoding":"base64","contentType":"image/png","expiresAt":"never"}',
    '[{"encoding":"base64"}]',
    '12345678901234567890',
    'true',
  ])('row 66: does not read metadata from a member of the value itself: %s', async (document) => {
    const headers = { 'content-type': 'application/json', etag: '"7"' }
    const sent: string[] = []
    const config = { url: 'https://store.example/{name}', headers: {}, pointer: '' }
    const provider = new HttpProvider(config, {
      fetch: async (request) => {
        if (request.method === 'PUT') sent.push(await request.text())
        return new Response(request.method === 'PUT' ? '{}' : document, { headers })
      },
    })
    const { value, expiresAt, encoding } = await read(provider)
    expect([Buffer.from(value.reveal()).toString(), expiresAt, encoding]).toEqual([document, null, 'utf8'])
    await provider.put('prod/db', value, { signal: signal(), idempotencyKey: 'k'.repeat(32) })
    expect(sent).toEqual([document])
  })

  it.each<[number, FailureKind]>([
    [400, 'invalid'],
    [401, 'credentials'],
    [403, 'denied'],
    [404, 'not_found'],
    [409, 'conflict'],
    [410, 'deleted'],
    [412, 'conflict'],
    [405, 'invalid'],
    [407, 'unavailable'],
    [408, 'timeout'],
    [418, 'invalid'],
    [423, 'invalid'],
    [428, 'invalid'],
    [451, 'invalid'],
    [429, 'throttled'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('reads %i as %s', async (status, kind) => {
    expect(await kindOf(read(open({ status, body: {} }).provider))).toBe(kind)
  })

  const html = { 'Content-Type': 'text/html' }
  it.each<[string, FailureKind, Response]>([
    ['404 in HTML', 'unavailable', new Response('<h1>Not Found</h1>', { status: 404, headers: html })],
    ['404 in HTML without a body', 'unavailable', new Response(null, { status: 404, headers: html })],
    ['404 in HTML that parses as JSON', 'unavailable', new Response('{"error":1}', { status: 404, headers: html })],
    ['404 in plain text', 'unavailable', new Response('404 page not found', { status: 404 })],
    ['404 that is a number', 'unavailable', new Response('404', { status: 404 })],
    ['410 in HTML', 'unavailable', new Response('<h1>Gone</h1>', { status: 410, headers: html })],
    ['404 of the store without a body', 'not_found', new Response(null, { status: 404 })],
    ['404 of the store in another type', 'not_found', new Response('{"error":1}', { status: 404 })],
    [
      '404 of the store as a problem',
      'not_found',
      new Response('{}', { status: 404, headers: { 'Content-Type': 'application/problem+json' } }),
    ],
    ['200 in HTML', 'unavailable', new Response('<h1>Sign in</h1>', { status: 200, headers: html })],
    [
      '200 of the store that is cut',
      'invalid',
      new Response('{"data": {"val', { status: 200, headers: { 'Content-Type': 'application/json' } }),
    ],
  ])('row 68: distinguishes the store from a proxy before it: %s is %s', async (_, kind, response) => {
    const config = { url: 'https://store.example/{name}', headers: {}, pointer: '/data/value' }
    expect(await kindOf(read(new HttpProvider(config, { fetch: async () => response })))).toBe(kind)
  })

  it('writes with its key, its condition and its type', async () => {
    const { server, provider } = open({ status: 200, body: {}, headers: { etag: '"8"' } })
    const write = { signal: signal(), idempotencyKey: 'k'.repeat(32), contentType: 'text/plain' }
    expect(await provider.put('prod/db', new Redacted(bytesOf('v')), { ...write, expect: '7' })).toEqual({
      version: '8',
    })
    await provider.put('prod/db', new Redacted(bytesOf('v')), { ...write, expect: 'absent' })
    expect(
      server.asked.map(({ method, headers, body }) => [
        method,
        headers.get('if-match'),
        headers.get('if-none-match'),
        body,
      ]),
    ).toEqual([
      ['GET', null, null, null],
      ['PUT', '"7"', null, { value: 'v', contentType: 'text/plain' }],
      ['PUT', null, '*', { value: 'v', contentType: 'text/plain' }],
    ])
    expect(server.asked[1]?.headers.get('idempotency-key')).toBe('k'.repeat(32))
  })

  it.each(['a"b', 'a\r\nX: y', '', 'ä', 'x'.repeat(300)])(
    'row 11: sends no condition of the version %j',
    async (version) => {
      const { server, provider } = open({ status: 200, body: {} })
      const write = { signal: signal(), idempotencyKey: 'k'.repeat(32), expect: version }
      expect(await kindOf(provider.put('prod/db', new Redacted(bytesOf('v')), write))).toBe('conflict')
      expect(server.asked).toEqual([])
    },
  )

  it('row 66: makes the store refuse a concurrent write, and recognises its own', async () => {
    const write = { signal: signal(), idempotencyKey: 'k'.repeat(32) }
    const conflicting = (there: string, etag: string) =>
      fake(({ method }) => {
        const headers = { etag }
        return method === 'GET' ? { status: 200, body: { data: { value: there } }, headers } : { status: 412, body: {} }
      })
    const put = (server: ReturnType<typeof fake>, expect?: string) =>
      new HttpProvider(CONFIG, { fetch: server.fetch }).put('prod/db', new Redacted(bytesOf('v')), {
        ...write,
        ...(expect && { expect }),
      })
    const lost = conflicting('v', '"8"')
    expect(await put(lost)).toEqual({ version: '8' })
    expect(lost.asked.map(({ method, headers }) => [method, headers.get('if-match')])).toEqual([
      ['GET', null],
      ['PUT', '"8"'],
      ['GET', null],
    ])
    expect(await kindOf(put(conflicting('of others', '"8"')))).toBe('conflict')
    // What the caller expects is the caller's to repeat.
    expect(await kindOf(put(conflicting('v', '"8"'), '8'))).toBe('conflict')
    // A weak tag cannot be a condition (RFC 9110 section 13.1.1).
    const weak = conflicting('v', 'W/"8"')
    expect(await kindOf(put(weak))).toBe('conflict')
    expect(weak.asked.map(({ headers }) => headers.get('if-match'))).toEqual([null, null])
  })

  it('lists only where configured, and no page twice', async () => {
    const list = (provider: Provider, cursor: string | null) =>
      provider.list({ prefix: 'a&b=', cursor, limit: 5, signal: signal() })
    expect(await kindOf(list(open({ status: 200 }).provider, null))).toBe('invalid')
    const page = { status: 200, body: { items: [{ name: 'a&b=1', updatedAt: 5 }, { name: 'other' }], cursor: 'next' } }
    const { server, provider } = open(page, { listUrl: 'https://store.example/list?kind=secret' })
    expect(await list(provider, null)).toEqual({ items: [{ name: 'a&b=1', updatedAt: 5 }], cursor: 'next' })
    expect(Object.fromEntries(server.asked[0]!.url.searchParams)).toEqual({
      kind: 'secret',
      prefix: 'a&b=',
      limit: '5',
    })
    expect(await kindOf(list(provider, 'next'))).toBe('unavailable')
  })

  it.each<[string, Partial<HttpConfig>]>([
    ['url', { url: 'https://store.example/v1/' }],
    ['url', { url: 'https://{name}.example/' }],
    ['url', { url: 'https://store.example{name}' }],
    ['url', { url: 'https://store.example/?name={name}' }],
    ['url', { url: 'https://store.example/{name}/{name}' }],
    ['url', { url: 'https://store.example/#{name}' }],
    ['url', { url: 'https://store.example/{name}#x' }],
    ['url', { url: 'http://store.example/{name}' }],
    ['url', { url: 'https://169.254.169.254/{name}' }],
    ['url', { url: 'https://2852039166/{name}' }],
    ['url', { url: 'https://[::ffff:7f00:1]/{name}' }],
    ['url', { url: 'https://localhost./{name}' }],
    ['url', { url: 'https://user:canary@store.example/{name}' }],
    ['listUrl', { listUrl: 'https://10.0.0.1/list' }],
    ['headers', { headers: { 'X-A': new Redacted('canary\r\nX-Injected: 1') } }],
    ['headers', { headers: { 'X-A\r\nX-B': new Redacted('canary') } }],
    ['headers', { headers: { Host: new Redacted('canary.example') } }],
    ['headers', { headers: { 'If-Match': new Redacted('canary') } }],
    ['headers', { headers: { 'X-A': new Redacted('') } }],
    ['pointer', { pointer: 'value' }],
    ['pointer', { pointer: '/a~2' }],
    ['pointer', { versionPointer: 'version' }],
  ])('rows 11, 13: refuses a configuration with a wrong %s: %j', (field, more) => {
    const error = refusalFrom(() => open({ status: 200 }, more))
    expect([error.code, error.detail.field]).toEqual(['bad_request', field])
    expect(shownBy(error)).not.toContain('canary')
  })

  it('row 10: finds no value in the prototype of an answer', async () => {
    for (const pointer of ['/__proto__', '/constructor', '/constructor/name', '/toString', '/data/length']) {
      expect(await kindOf(read(open({ status: 200, body: { data: [] } }, { pointer }).provider))).toBe('invalid')
    }
  })
})
