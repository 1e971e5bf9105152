/** The main job over HTTP, the same black box on every runtime. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { base64 } from '../../../core/bytes.ts'
import { type Client, connect } from '../../../core/client/client.ts'
import { PosternError } from '../../../core/errors.ts'
import { Redacted } from '../../../core/redacted.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'

const hidden = (text: string) => new Redacted(text)

/** The error that a promise rejects with, as code and reason. */
async function failure(promise: Promise<unknown>): Promise<Pick<PosternError, 'code' | 'detail'>> {
  const error = await promise.then(
    () => 'resolved',
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(PosternError)
  return error as PosternError
}

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let admin: Client

  // Of 200 that ask at once some wait for long, on a machine that has much else to do.
  const patience = { timeoutMs: 60_000 }
  const patient = { POSTERN_REQUEST_TIMEOUT_MS: '60000', POSTERN_BODY_TIMEOUT_MS: '50000' }
  const open = (token = site.token) => connect({ endpoint: server.endpoint, vault: site.vault, token, ...patience })
  const send = (path: string, init: RequestInit = {}) => {
    const headers = { Authorization: `Bearer ${site.token.reveal()}`, ...init.headers }
    return fetch(server.endpoint + path, { ...init, headers })
  }

  beforeAll(async () => {
    site = await makeSite()
    server = await startServer(runtime, site, patient)
    admin = open()
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('tells that it lives and is ready', async () => {
    expect(await (await send('/healthz')).json()).toEqual({ status: 'up' })
    expect(await (await send('/readyz')).json()).toEqual({ status: 'up' })
  })

  it('stores a secret, returns it, and returns an old version', async () => {
    expect(await admin.put('prod/db', hidden('one'))).toEqual({ name: 'prod/db', version: 1 })
    expect(await admin.put('prod/db', hidden('two'), { tags: { team: 'core' } })).toEqual({
      name: 'prod/db',
      version: 2,
    })
    const current = await admin.get('prod/db')
    expect(current).toMatchObject({ version: 2, tags: { team: 'core' }, provider: 'sealed' })
    expect(current.value.reveal()).toBe('two')
    expect((await admin.get('prod/db', { version: 1 })).value.reveal()).toBe('one')
    const { items } = await admin.versions('prod/db')
    expect(items.map(({ version, stage }) => [version, stage])).toEqual([
      [2, 'current'],
      [1, 'previous'],
    ])
  })

  it('answers 404, 403 and 401 as problem+json with a stable code', async () => {
    const missing = await send('/v1/vaults/default/secrets/prod/none')
    expect(missing.status).toBe(404)
    expect(missing.headers.get('Content-Type')).toBe('application/problem+json')
    expect(await missing.json()).toMatchObject({
      code: 'not_found',
      reason: 'no_secret',
      auditIndex: expect.any(Number),
    })
    const stranger = await fetch(`${server.endpoint}/v1/vaults/default/secrets/prod/db`)
    expect([stranger.status, (await stranger.json()).code]).toEqual([401, 'unauthenticated'])
    await admin.putPrincipal('reader', { kind: 'service' })
    await admin.putRule('reader', { effect: 'permit', principal: 'reader', actions: ['read'], resource: 'open/*' })
    const { token } = await admin.createToken({ principal: 'reader' })
    const reader = open(token)
    const [there, notThere] = [await failure(reader.get('prod/db')), await failure(reader.get('prod/none'))]
    expect(there.code).toBe('denied')
    expect({ ...notThere.detail, auditIndex: 0 }).toEqual({ ...there.detail, auditIndex: 0 })
  })

  it('lists only the names that the caller may read', async () => {
    await admin.put('open/a', hidden('a'))
    await admin.put('open/b', hidden('b'))
    const { token } = await admin.createToken({ principal: 'reader' })
    const names = async (client: Client, limit: number) => {
      const found: string[] = []
      for (let cursor: string | undefined; ; ) {
        const page = await client.list({ limit, ...(cursor === undefined ? {} : { cursor }) })
        found.push(...page.items.map(({ name }) => name))
        cursor = page.cursor
        if (cursor === undefined) return found
      }
    }
    expect(await names(open(token), 1)).toEqual(['open/a', 'open/b'])
    expect(await names(admin, 2)).toEqual(['open/a', 'open/b', 'prod/db'])
  })

  it('deletes, restores and destroys', async () => {
    await admin.put('gone', hidden('x'))
    await admin.delete('gone')
    expect((await failure(admin.get('gone'))).detail.reason).toBe('deleted')
    expect((await failure(admin.put('gone', hidden('y')))).detail.reason).toBe('restore_first')
    await admin.restore('gone')
    expect((await admin.get('gone')).value.reveal()).toBe('x')
    await admin.destroy('gone', 'all')
    expect((await failure(admin.get('gone'))).code).toBe('not_found')
    expect((await failure(admin.get('gone', { version: 1 }))).code).toBe('not_found')
    expect(await admin.put('gone', hidden('z'))).toEqual({ name: 'gone', version: 2 })
  })

  it('checks and sets, and does a repeated write once', async () => {
    const exists = await failure(admin.put('prod/db', hidden('no'), { expect: 'absent' }))
    expect(exists.detail).toMatchObject({ reason: 'exists', precondition: true })
    expect((await failure(admin.put('prod/db', hidden('no'), { expect: 1 }))).detail.reason).toBe('version_mismatch')
    const again = () => admin.put('prod/once', hidden('1'), { idempotencyKey: 'k1' })
    expect(await Promise.all([again(), again(), again()])).toEqual(Array(3).fill({ name: 'prod/once', version: 1 }))
    const other = await failure(admin.put('prod/once', hidden('2'), { idempotencyKey: 'k1' }))
    expect(other.detail.reason).toBe('key_reused')
    const racers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => admin.put('prod/raced', hidden(String(i)), { expect: 'absent' })),
    )
    expect(racers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('row 20: takes any value up to 64 KiB as it is, and not one byte more', async () => {
    const full = 'é'.repeat(32 * 1024)
    for (const value of ['', ' \r\n\u0000\u2028', '{"a":1}', full]) {
      await admin.put('size', hidden(value))
      expect((await admin.get('size')).value.reveal()).toBe(value)
    }
    const bytes = Uint8Array.from({ length: 65536 }, (_, i) => i * 7)
    await admin.put('size', new Redacted(bytes))
    const binary = await admin.get('size')
    expect([binary.encoding, binary.contentType]).toEqual(['base64', 'application/octet-stream'])
    expect(binary.value.reveal()).toBe(base64(bytes))
    const tooMuch = await failure(admin.put('size', hidden(`${full}a`)))
    expect([tooMuch.code, tooMuch.detail.limitBytes]).toEqual(['bad_request', 65536])
    expect((await admin.get('size')).version).toBe(binary.version)
  })

  it('hydrates references, each with its own outcome', async () => {
    await admin.put('json', hidden('{"db":{"password":"p"}}'))
    const references = [
      'postern://default/prod/db?version=1',
      'postern://default/json#/db/password',
      'postern://default/nope',
      'postern://other/x',
      'junk',
    ]
    const items = await admin.hydrate(references)
    expect(items.map(({ reference }) => reference)).toEqual(references)
    expect(items.map((item) => ('secret' in item ? item.secret.value.reveal() : item.error.code))).toEqual([
      'one',
      'p',
      'not_found',
      'bad_request',
      'bad_request',
    ])
  })

  it('hydrates no more than it can hold, and lets one odd secret spoil no other', async () => {
    await admin.put('large', hidden('x'.repeat(64 * 1024)))
    await admin.put('deep', hidden(`${'['.repeat(30_000)}${']'.repeat(30_000)}`))
    const many = await admin.hydrate([...Array(80).fill('postern://default/large'), 'postern://default/prod/db'])
    const codes = many.map((item) => ('secret' in item ? 'ok' : item.error.code))
    expect(codes.filter((code) => code === 'ok').length).toBeGreaterThan(50)
    expect(codes.filter((code) => code === 'bad_request').length).toBeGreaterThan(10)
    const [deep, other] = await admin.hydrate(['postern://default/deep#', 'postern://default/prod/db'])
    expect(deep && 'error' in deep ? deep.error.code : 'ok').toMatch(/^(?:ok|not_found)$/)
    expect(other && 'secret' in other && other.secret.value.reveal()).toBe('two')
  })

  it('row 12: refuses bad requests by field, and keeps serving', async () => {
    const json = { 'Content-Type': 'application/json' }
    const put = (body: BodyInit, headers: Record<string, string> = json) =>
      send('/v1/vaults/default/secrets/bad', { method: 'PUT', body, headers })
    const cases: [Promise<Response>, number, string][] = [
      [put('{'), 400, 'body'],
      [put('{"value":1}'), 400, 'value'],
      [put('{"value":"a","extra":1}'), 400, 'body'],
      [put('{"value":"a","value":"b"}'), 400, 'body'],
      [put('{"value":"a","__proto__":{}}'), 400, 'body'],
      [put('{"value":"a"}', { 'Content-Type': 'text/plain' }), 415, 'Content-Type'],
      [put('{"value":"a"}', { ...json, 'If-Match': '3' }), 400, 'If-Match'],
      [put(`{"value":"${'a'.repeat(128 * 1024)}"}`), 413, 'value'],
      [put(`{"value":"${'a'.repeat(512 * 1024)}"}`), 413, 'body'],
      [put(`${'['.repeat(50)}${']'.repeat(50)}`), 400, 'body'],
      [send('/v1/vaults/default/secrets/Bad%20name'), 400, 'name'],
      [send('/v1/vaults/default/secrets/a%252fb'), 400, 'name'],
      [send('/v1/vaults/default/%73ecrets/a'), 400, 'path'],
      [send('/v1/vaults/default/secrets/a?version=0'), 400, 'version'],
      [send('/v1/vaults/default/secrets/a?version=1&version=2'), 400, 'query'],
    ]
    for (const [pending, status, field] of cases) {
      const response = await pending
      const body = await response.json()
      expect([response.status, body.code, body.field]).toEqual([status, 'bad_request', field])
    }
    expect((await failure(admin.get('bad'))).code).toBe('not_found')
  })

  it('row 48: puts the security headers on every answer', async () => {
    const paths: [string, string][] = [
      ['GET', '/healthz'],
      ['GET', '/nowhere'],
      ['GET', '/v1/vaults/default/secrets/prod/db'],
      ['GET', '/v1/vaults/default/secrets/prod/none'],
      ['POST', '/v1/vaults/default/secrets/prod/db'],
      ['OPTIONS', '/v1/vaults/default/secrets/prod/db'],
      ['HEAD', '/v1/vaults/default/secrets/prod/db'],
    ]
    for (const [method, path] of paths) {
      const { headers, status } = await send(path, { method })
      expect([path, headers.get('Cache-Control')]).toEqual([path, 'no-store'])
      expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
      expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'")
      expect(headers.get('Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
      if (['OPTIONS', 'HEAD'].includes(method)) expect(status).toBe(405)
    }
  })

  it('row 47: lets no page of another origin in', async () => {
    for (const Origin of ['null', 'https://evil.example', `${server.endpoint}.evil.example`]) {
      const headers = { Origin, 'Access-Control-Request-Method': 'GET' }
      for (const method of ['GET', 'OPTIONS']) {
        const { headers: answered } = await send('/v1/vaults/default/secrets/prod/db', { method, headers })
        expect([...answered.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
      }
    }
    // What a form or a page can send without asking first.
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '']) {
      const body = '{"value":"forged"}'
      const forged = await send('/v1/vaults/default/secrets/forged', {
        method: 'PUT',
        body,
        headers: { 'Content-Type': type },
      })
      expect(forged.status).toBe(415)
    }
    expect((await failure(admin.get('forged'))).code).toBe('not_found')
  })

  it('serves 200 clients at once, and its log is the tree that RFC 6962 defines', async () => {
    const rounds = 5
    let repeated = 0
    // wrangler's proxy drops an idle connection now and then, just as a client takes it: that request is sent again.
    const connected = async <T>(send: () => Promise<T>): Promise<T> => {
      try {
        return await send()
      } catch (error) {
        const isDropped = error instanceof PosternError && error.message === 'The server cannot be reached'
        if (runtime !== 'workerd' || !isDropped || ++repeated > 10) throw error
        return send()
      }
    }
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const client = open()
        for (let round = 1; round <= rounds; round++) {
          const name = `load/c${i}`
          const options = { idempotencyKey: `${i}.${round}` }
          const written = await connected(() => client.put(name, hidden(`${i}.${round}`), options))
          expect(written).toEqual({ name, version: round })
          expect((await connected(() => client.get(name))).value.reveal()).toBe(`${i}.${round}`)
        }
      }),
    )
    const { entries, root, expectedRoot } = await wholeLog(admin)
    expect(root).toBe(expectedRoot)
    expect(entries.map(({ index }) => index)).toEqual(entries.map((_, i) => i))
    for (const operation of ['secret.read', 'secret.write']) {
      const loads = entries.filter((entry) => entry.operation === operation && entry.resource.startsWith('load/'))
      expect(loads.length).toBeGreaterThanOrEqual(200 * rounds)
      expect(loads.length).toBeLessThanOrEqual(200 * rounds + repeated)
    }
  })

  it('still has everything after a restart', async () => {
    const before = await admin.auditEntries({ limit: 1000 })
    const exitCode = await server.stop()
    // wrangler passes the signal on and dies of it.
    if (runtime !== 'workerd') expect(exitCode).toBe(0)
    server = await startServer(runtime, site, patient)
    admin = open()
    expect((await admin.get('prod/db')).value.reveal()).toBe('two')
    const after = await admin.auditEntries({ limit: 1000 })
    expect(after.entries.slice(0, before.entries.length)).toEqual(before.entries)
    // The second look at the log, the one before the restart, and what the server is configured to do.
    expect(after.size).toBe(before.size + 3)
  })
})
