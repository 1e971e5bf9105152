/** Reads through a chain of providers, over the whole app. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import type { ErrorCode, Reason } from '../../../../core/errors.ts'
import { PosternError } from '../../../../core/errors.ts'
import { ANSWERS, OUTAGES, type Provider, ProviderFailure } from '../../../../core/providers/provider.ts'
import { ABSENT } from '../../../../core/providers/skipped.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { providerLines } from '../../../../worker/telemetry/provider_metrics.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp, type TestAppOptions } from './provider_access_fixture.ts'

const hidden = (text: string) => new Redacted(text)
const both = { resource: 'prod/**', members: [{ provider: 'aws' }, { provider: 'azure' }] } as const

async function failure(promise: Promise<unknown>): Promise<{ code: ErrorCode; reason: Reason | undefined }> {
  const error = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(PosternError)
  const { code, detail } = error as PosternError
  return { code, reason: detail.reason }
}

/** An app with a chain of a primary and a replica, which both have `prod/db`. */
async function opened(chain: object = {}, options: TestAppOptions = {}) {
  const primary = memoryProvider()
  const replica = memoryProvider()
  primary.set('prod/db', 'of the primary')
  replica.set('prod/db', 'of the replica')
  const bench = await openApp({ aws: primary, azure: replica }, options)
  await bench.admin.putChain('prod', { ...both, members: [...both.members], ...chain })
  return { ...bench, primary, replica }
}

type Opened = Awaited<ReturnType<typeof opened>>

/** Separates two events that would otherwise share a millisecond. */
const tick = () => new Promise((resolve) => setTimeout(resolve, 3))

describe('a read through a chain', () => {
  it('comes from the primary, names it, and is recorded before and after', async () => {
    const { admin, log, send, secret } = await opened()
    const { value, ...rest } = await admin.get('prod/db')
    expect([value.reveal(), rest.provider, rest.version]).toEqual(['of the primary', 'aws', 'v1'])
    expect([rest.passedOver, rest.cached]).toEqual([undefined, undefined])
    const response = await send(secret('prod/db'))
    expect(response.headers.get('Cache-Status')).toBe('Postern; fwd=bypass')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(response.headers.has('Age')).toBe(false)
    const [decided, released] = log().slice(-2)
    expect(decided).toMatchObject({ operation: 'secret.read', outcome: 'ok', facts: { chain: 'prod' } })
    expect(released).toMatchObject({
      operation: 'secret.provided',
      outcome: 'ok',
      rule: 'admin',
      facts: { chain: 'prod', provider: 'aws', version: 'v1', ageSeconds: 0, skipped: [] },
    })
    expect(response.headers.get('Audit-Index')).toBe(String(released!.index))
  })

  it('leaves names that no chain covers to the sealed store', async () => {
    const { admin, primary } = await opened()
    await admin.put('dev/db', hidden('sealed'))
    const { value, provider, version } = await admin.get('dev/db')
    expect([value.reveal(), provider, version, primary.calls]).toEqual(['sealed', 'sealed', 1, []])
  })

  it.each(OUTAGES)('fails over to the replica when the primary is %s, and gives the reason', async (kind) => {
    const { admin, primary, log, send, secret } = await opened()
    primary.failing = kind
    const { value, provider, passedOver, cached } = await admin.get('prod/db')
    expect([value.reveal(), provider]).toEqual(['of the replica', 'azure'])
    expect([passedOver, cached]).toEqual([[{ provider: 'aws', why: kind }], undefined])
    const { headers } = await send(secret('prod/db'))
    expect(headers.get('Cache-Status')).toBe(`Postern; fwd=bypass; detail="aws=${kind}"`)
    expect(log().at(-1)!.facts).toMatchObject({ provider: 'azure', skipped: [`aws:${kind}`] })
  })

  it.each(ANSWERS)('row 16: does not fail over when the primary answers %s', async (kind) => {
    const { admin, primary, replica, log } = await opened()
    primary.failing = kind
    const { code } = await failure(admin.get('prod/db'))
    const codes: Record<(typeof ANSWERS)[number], ErrorCode> = {
      not_found: 'not_found',
      deleted: 'not_found',
      disabled: 'not_found',
      expired: 'not_found',
      denied: 'denied',
      credentials: 'unavailable',
      invalid: 'bad_request',
      conflict: 'conflict',
      name: 'bad_request',
      foreign_shape: 'conflict',
      no_stage: 'bad_request',
    }
    expect([code, replica.calls]).toEqual([codes[kind], []])
    expect(log().at(-1)).toMatchObject({ operation: 'secret.provided', facts: { provider: 'aws', failure: kind } })
  })

  it('fails over after not_found, and no other answer, if the chain says so', async () => {
    const { admin, primary, replica } = await opened({ onNotFound: 'next' })
    primary.failing = 'not_found'
    expect((await admin.get('prod/db')).provider).toBe('azure')
    replica.failing = 'not_found'
    expect((await failure(admin.get('prod/db'))).code).toBe('not_found')
    // The secret may be at the member that is unreachable.
    replica.failing = 'timeout'
    expect((await failure(admin.get('prod/db'))).code).toBe('unavailable')
    primary.failing = 'deleted'
    expect((await failure(admin.get('prod/db'))).reason).toBe('provider_deleted')
  })

  it('leaves a hanging provider in time for the others', async () => {
    const { admin, primary } = await opened()
    primary.failing = 'hangs'
    expect((await admin.get('prod/db')).provider).toBe('azure')
  })

  it('is refused with 503 and Retry-After when no provider answers, and recorded', async () => {
    const { primary, replica, send, secret, log } = await opened()
    primary.failing = 'unavailable'
    replica.failing = 'timeout'
    const response = await send(secret('prod/db'))
    expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '1'])
    expect(await response.json()).toMatchObject({ code: 'unavailable', reason: 'provider_unavailable' })
    expect(log().at(-1)).toMatchObject({ outcome: 'provider_unavailable', facts: { failure: 'unavailable' } })
  })

  it('releases nothing that cannot be recorded', async () => {
    const { sql, send, secret, primary } = await opened()
    primary.delayMs = 20
    const response = send(secret('prod/db'))
    await new Promise((resolve) => setTimeout(resolve, 10))
    // The disk fills up during the fetch.
    sql.all("CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
    expect((await response).status).toBe(503)
    expect(await (await response).text()).not.toContain('of the primary')
  })

  it('decides again after the fetch, and refuses a right that ended meanwhile', async () => {
    const { admin, reader, primary } = await opened()
    const ann = await reader('ann', 'prod/**')
    primary.delayMs = 30
    const pending = failure(ann.get('prod/db'))
    await new Promise((resolve) => setTimeout(resolve, 10))
    await admin.deleteRule('ann')
    expect((await pending).code).toBe('denied')
  })

  it('contacts no provider for a caller that may not read', async () => {
    const { reader, primary } = await opened()
    const ann = await reader('ann', 'open/**')
    expect((await failure(ann.get('prod/db'))).code).toBe('denied')
    expect(primary.calls).toEqual([])
  })

  it('makes one provider call for 1,000 concurrent reads of one cold name, each recorded', {
    timeout: 180_000,
  }, async () => {
    // A busy machine takes its time for 1,000: no limit of an attempt, a request or a client decides here.
    const limits = {
      ...{ POSTERN_PROVIDERS__ATTEMPT_MS: '30000', POSTERN_PROVIDERS__DEADLINE_MS: '60000' },
      POSTERN_REQUEST_TIMEOUT_MS: '120000',
    }
    const { open, token, primary, log } = await opened({ cacheSeconds: 60 }, { environment: limits })
    const admin = open(token, { timeoutMs: 120_000 })
    primary.delayMs = 100
    const all = await Promise.all(Array.from({ length: 1000 }, () => admin.get('prod/db')))
    expect(new Set(all.map(({ value }) => value.reveal()))).toEqual(new Set(['of the primary']))
    expect(primary.count('get')).toBe(1)
    expect(log().filter(({ operation }) => operation === 'secret.provided')).toHaveLength(1000)
  })

  it("reads a version by the provider's id, and refuses an invalid one", async () => {
    const { admin, primary, send, secret } = await opened()
    primary.set('prod/db', 'newer')
    expect((await admin.get('prod/db', { version: 'v1' })).value.reveal()).toBe('of the primary')
    expect((await failure(admin.get('prod/db', { version: 'v9' }))).reason).toBe('no_version')
    expect((await send(`${secret('prod/db')}?version=a%20b`)).status).toBe(400)
  })

  it('hydrates from providers and from the sealed store in one call', async () => {
    const { admin, primary } = await opened()
    await admin.put('dev/db', hidden('sealed'))
    primary.set('prod/json', '{"password":"p"}')
    const references = ['prod/db', 'dev/db', 'prod/json#/password', 'prod/none'].map(
      (one) => `postern://default/${one}`,
    )
    const items = await admin.hydrate(references)
    expect(items.map((item) => ('secret' in item ? item.secret.value.reveal() : item.error.code))).toEqual([
      'of the primary',
      'sealed',
      'p',
      'not_found',
    ])
  })

  it('row 67: hydrates the value at a pointer byte for byte, with its type', async () => {
    const { admin, primary } = await opened()
    const json = '{"id":1234567890123456789,"v":1.10,"big":1e400,"z":-0,"n":null,"o":{ "b":1E2, "a":[] },"s":"\\ud800"}'
    primary.set('prod/json', json)
    await admin.put('dev/json', hidden(json), { contentType: 'application/json' })
    for (const name of ['prod/json', 'dev/json']) {
      const at = (pointer: string) => `postern://default/${name}#${pointer}`
      const items = await admin.hydrate(['', '/id', '/v', '/big', '/z', '/o', '/n', '/s', '/none'].map(at))
      const shown = items.map((item) =>
        'secret' in item ? [item.secret.value.reveal(), item.secret.contentType] : [item.error.detail.reason],
      )
      const text = 'text/plain; charset=utf-8'
      expect(shown).toEqual([
        [json, 'application/json'],
        ...['1234567890123456789', '1.10', '1e400', '-0'].map((number) => [number, text]),
        ['{ "b":1E2, "a":[] }', 'application/json'],
        ...[['no_pointer'], ['no_pointer'], ['no_pointer']],
      ])
    }
  })

  it('answers a hydrate within its deadline if many names are slow', async () => {
    const primary = memoryProvider()
    primary.set('prod/db', 'value')
    let slow = 0
    const get: Provider['get'] = async (name, options) => {
      if (!name.includes('slow')) return primary.provider.get(name, options)
      slow++
      return new Promise((_, reject) => {
        options.signal.addEventListener('abort', () => reject(new ProviderFailure('timeout')), { once: true })
      })
    }
    const bench = await openApp({ aws: { provider: { ...primary.provider, get } } })
    await bench.admin.putChain('prod', { resource: 'prod/**', members: [{ provider: 'aws' }] })
    const names = ['db', ...Array.from({ length: 100 }, (_, i) => `slow/${i}`)]
    const items = await bench.admin.hydrate(names.map((name) => `postern://default/prod/${name}`))
    const reasons = items.map((item) => ('error' in item ? item.error.detail.reason : null))
    expect(reasons).toEqual([null, ...Array.from({ length: 100 }, () => 'provider_unavailable')])
    // Eight at a time, each for a fifth of the deadline.
    expect(slow).toBeLessThanOrEqual(48)
  })

  it('hydrates many in one provider call if the provider can, and fetches failed names alone', async () => {
    const { admin, primary, replica } = await opened()
    for (let i = 0; i < 10; i++) primary.set(`prod/n${i}`, `value ${i}`)
    let batches = 0
    primary.provider.getMany = async (names, options) => {
      batches++
      return Promise.all(names.map((name) => primary.provider.get(name, options).catch((failure) => failure)))
    }
    const items = await admin.hydrate([
      ...Array.from({ length: 10 }, (_, i) => `postern://default/prod/n${i}`),
      'postern://default/prod/none',
    ])
    expect(items.filter((item) => 'secret' in item)).toHaveLength(10)
    expect([batches, primary.count('get')]).toEqual([1, 12])
    primary.failing = 'timeout'
    const again = await admin.hydrate(['postern://default/prod/db', 'postern://default/prod/none'])
    expect(again.map((item) => ('secret' in item ? item.secret.provider : item.error.code))).toEqual([
      'azure',
      'unavailable',
    ])
    expect(replica.count('get')).toBe(2)
  })
})

describe('one odd secret of a store', () => {
  const ODD: Record<string, (response: ServerResponse) => void> = {
    large: (response) => response.end(JSON.stringify({ value: 'a'.repeat(1_100_000) })),
    fields: (response) => response.end('{"password":"p"}'),
    cut: (response) => response.end('{"value":"half'),
    failing: (response) => response.writeHead(500).end('{}'),
    locked: (response) => response.writeHead(423).end('{}'),
    reset: (response) => response.destroy(),
  }

  it('row 69: opens no breaker for other secrets, for each flaw and number of reads', async () => {
    const store = createServer((request, response) => {
      response.setHeader('Content-Type', 'application/json')
      const kind = /odd_([a-z]+)/.exec(request.url ?? '')?.[1]
      if (kind !== undefined) ODD[kind]!(response)
      else if (request.url?.endsWith('/good')) response.end('{"value":"g"}')
      else response.writeHead(404).end('{}')
    })
    store.listen(0, '127.0.0.1')
    await once(store, 'listening')
    const { port } = store.address() as AddressInfo
    const environment = {
      POSTERN_PROVIDERS__ALLOW_LOOPBACK: 'true',
      POSTERN_PROVIDERS__CUSTOM_PROVIDER_URL: `http://127.0.0.1:${port}/{name}`,
      POSTERN_PROVIDERS__ATTEMPT_MS: '2000',
      POSTERN_PROVIDERS__DEADLINE_MS: '6000',
    }
    const { admin, reader, send, secret, registry } = await openApp(null, { environment })
    await admin.putChain('h', { resource: 'h/**', members: [{ provider: 'http' }] })
    const mallory = await reader('mallory', 'h/mallory/**')
    const seen = new Map<string, string>()
    for (let round = 0; round < 6; round++) {
      for (const kind of Object.keys(ODD)) {
        // One name repeatedly, and a different name each time.
        for (const name of [`h/mallory/odd_${kind}`, `h/mallory/odd_${kind}_${round}`]) {
          const { code } = await failure(mallory.get(name))
          seen.set(kind, code)
        }
        expect((await admin.get('h/good')).value.reveal()).toBe('g')
      }
    }
    expect(Object.fromEntries(seen)).toEqual({
      ...{ large: 'bad_request', fields: 'bad_request', cut: 'bad_request', locked: 'bad_request' },
      ...{ failing: 'unavailable', reset: 'unavailable' },
    })
    expect(registry.list()[0]!.health(Date.now()).breaker).toBe('closed')
    const response = await send(secret('h/mallory/odd_large'))
    expect(response.status).toBe(400)
    const problem = { reason: 'provider_invalid', limitBytes: 1024 * 1024, detail: expect.stringContaining('1048576') }
    expect(await response.json()).toMatchObject(problem)
    store.closeAllConnections()
    store.close()
  }, 60_000)
})

describe('the cache', () => {
  it('serves a fresh value without a fetch, with its age', async () => {
    const { admin, primary, send, secret, log } = await opened({ cacheSeconds: 60 })
    await admin.get('prod/db')
    const { headers } = await send(secret('prod/db'))
    expect([headers.get('Cache-Status'), headers.get('Age')]).toEqual(['Postern; hit; ttl=60', '0'])
    const { cached, passedOver } = await admin.get('prod/db')
    expect([cached, passedOver]).toEqual([{ ageSeconds: 0 }, undefined])
    expect(primary.count('get')).toBe(1)
    expect(log().at(-1)).toMatchObject({
      operation: 'secret.read',
      facts: { cache: 'hit', provider: 'aws', version: 'v1', ageSeconds: 0 },
    })
  })

  it('survives a restart, and holds nothing in clear', async () => {
    const secretText = canary()
    const first = await opened({ cacheSeconds: 60 })
    first.primary.set('prod/db', secretText)
    await first.admin.get('prod/db')
    const [row] = first.sql.all<{ sealed: Uint8Array }>('SELECT sealed FROM cached')
    expect(leaks(row!.sealed, [secretText])).toEqual([])
    const dead = memoryProvider()
    dead.failing = 'unavailable'
    const again = await openApp({ aws: dead, azure: dead }, { sql: first.sql })
    const client = again.open((await first.admin.createToken({ principal: 'admin' })).token)
    expect((await client.get('prod/db')).value.reveal()).toBe(secretText)
    expect(dead.calls).toEqual([])
  })

  it('row 51: decides at every hit', async () => {
    const { admin, reader, open } = await opened({ cacheSeconds: 60 })
    const ann = await reader('ann', 'prod/**')
    await ann.get('prod/db')
    await admin.deleteRule('ann')
    expect((await failure(ann.get('prod/db'))).code).toBe('denied')
    // A value cached for one caller is neither served nor revealed to another.
    const bob = await reader('bob', 'dev/**')
    expect((await admin.get('prod/db')).cached).toBeDefined()
    expect((await failure(bob.get('prod/db'))).code).toBe('denied')
    const { accessor, token } = await admin.createToken({ principal: 'admin' })
    const revoked = open(token)
    expect((await revoked.get('prod/db')).cached).toBeDefined()
    await admin.revokeToken(accessor)
    expect((await failure(revoked.get('prod/db'))).code).toBe('unauthenticated')
  })

  it('row 51: drops a secret that is written or deleted', async () => {
    const { admin, primary } = await opened({ cacheSeconds: 60 })
    await admin.get('prod/db')
    await admin.put('prod/db', hidden('new'))
    expect((await admin.get('prod/db')).value.reveal()).toBe('new')
    await tick()
    await admin.get('prod/db')
    await admin.delete('prod/db')
    expect((await failure(admin.get('prod/db'))).code).toBe('not_found')
    expect(primary.secrets.has('prod/db')).toBe(false)
  })

  it('row 51: stores no value that was in flight while the secret changed', async () => {
    // The first read is held for as long as a busy machine takes: no limit of an attempt may end it.
    const environment = {
      ...{ POSTERN_PROVIDERS__ATTEMPT_MS: '30000', POSTERN_PROVIDERS__DEADLINE_MS: '60000' },
      POSTERN_REQUEST_TIMEOUT_MS: '120000',
    }
    const { admin, primary } = await opened({ cacheSeconds: 60 }, { environment })
    const { get } = primary.provider
    const [read, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let isFirst = true
    primary.provider.get = async (...asked) => {
      const found = await get(...asked)
      if (!isFirst) return found
      isFirst = false
      read.resolve()
      await released.promise
      return found
    }
    const slow = admin.get('prod/db')
    await read.promise
    await admin.put('prod/db', hidden('new'))
    // A read that begins after the write must not share the answer of one that began before.
    expect((await admin.get('prod/db')).value.reveal()).toBe('new')
    released.resolve()
    expect((await slow).value.reveal()).toBe('of the primary')
    expect((await admin.get('prod/db')).value.reveal()).toBe('new')
  })

  it.each(['denied', 'deleted', 'not_found', 'disabled'] as const)(
    'row 51: drops a value when the provider answers %s',
    async (kind) => {
      const { admin, primary, sql } = await opened({ cacheSeconds: 1, maxStaleSeconds: 3600 })
      await admin.get('prod/db')
      primary.failing = kind
      // As if a second had passed.
      sql.all('UPDATE cached SET fetched_at = fetched_at - 2000')
      await failure(admin.get('prod/db'))
      expect(sql.all('SELECT name FROM cached WHERE sealed IS NOT NULL')).toEqual([])
    },
  )

  it('serves a stale value when no provider is reachable, as long as the chain allows', async () => {
    const moved = await openStale({ cacheSeconds: 1, maxStaleSeconds: 100 })
    const { admin, send, secret, log, age } = moved
    await age(50_000)
    const response = await send(secret('prod/db'))
    const { headers, status } = response
    expect([status, headers.get('Age')]).toEqual([200, '50'])
    expect(headers.get('Cache-Status')).toBe(
      'Postern; fwd=stale; ttl=-49; detail="stale-if-error, aws=unavailable, azure=unavailable"',
    )
    expect(log().at(-1)!.facts).toMatchObject({ cache: 'stale', ageSeconds: 50, provider: 'aws' })
    // Each was tried twice, and is named once.
    expect(((await response.json()) as { passedOver: unknown }).passedOver).toEqual([
      { provider: 'aws', why: 'unavailable' },
      { provider: 'azure', why: 'unavailable' },
    ])
    // A batch has one set of headers, so each item has its own facts.
    const [item] = await admin.hydrate(['postern://default/prod/db'])
    expect(item).toMatchObject({ secret: { provider: 'aws', cached: { ageSeconds: 50, stale: true } } })
    expect(item).toHaveProperty('secret.passedOver')
    await age(52_000)
    expect((await send(secret('prod/db'))).status).toBe(503)
  })

  it('row 51: serves no stale value unless the chain allows it', async () => {
    const { send, secret, age } = await openStale({ cacheSeconds: 1 })
    await age(2000)
    expect((await send(secret('prod/db'))).status).toBe(503)
  })

  it('row 51: opens no value that was moved, changed or backdated, but fetches it and reports that', async () => {
    for (const change of [
      "UPDATE cached SET name = 'prod/other' WHERE name = 'prod/db'",
      'UPDATE cached SET fetched_at = fetched_at + 1',
      "UPDATE cached SET provider = 'azure'",
      "UPDATE cached SET version = 'v2'",
      'UPDATE cached SET expires_at = 9999999999999',
    ]) {
      const { admin, sql, primary, log } = await opened({ cacheSeconds: 60 })
      primary.set('prod/other', 'other')
      await admin.get('prod/db')
      sql.all(change)
      const name = change.includes('prod/other') ? 'prod/other' : 'prod/db'
      expect((await admin.get(name)).value.reveal()).toBe(name === 'prod/db' ? 'of the primary' : 'other')
      expect(primary.count('get')).toBe(2)
      expect(log().at(-1)!.facts).toMatchObject({ cache: 'tampered' })
    }
  })

  it('remembers briefly that a secret does not exist, until it is written', async () => {
    const { admin, primary } = await opened({ cacheSeconds: 60 })
    expect((await failure(admin.get('prod/none'))).code).toBe('not_found')
    expect((await failure(admin.get('prod/none'))).code).toBe('not_found')
    expect(primary.count('get')).toBe(1)
    await admin.put('prod/none', hidden('now'))
    expect((await admin.get('prod/none')).value.reveal()).toBe('now')
  })

  it.each(ABSENT)('row 68: does not take %s of a replica for absence while the primary is down', async (absent) => {
    const { admin, primary, replica, send, secret, log } = await opened({ cacheSeconds: 60 })
    primary.failing = 'timeout'
    replica.failing = absent
    const passedOver = [
      { provider: 'aws', why: 'timeout' },
      { provider: 'azure', why: absent },
    ]
    const response = await send(secret('prod/db'))
    expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '1'])
    expect(await response.json()).toMatchObject({ code: 'unavailable', reason: 'provider_unavailable', passedOver })
    const skipped = expect.arrayContaining(['aws:timeout', `azure:${absent}`])
    expect(log().at(-1)!.facts).toMatchObject({ skipped })
    const body = JSON.stringify({ references: ['postern://default/prod/db'] })
    const hydrated = await send('/v1/vaults/default/hydrate', { method: 'POST', body })
    const { items } = (await hydrated.json()) as { items: { error: object }[] }
    expect(items[0]!.error).toMatchObject({ code: 'unavailable', reason: 'provider_unavailable', passedOver })
    expect((await send(`/v1/vaults/default/versions/prod/db`)).status).toBe(503)
    // The answer is not remembered.
    primary.failing = null
    expect((await admin.get('prod/db')).provider).toBe('aws')
  })

  it('row 68: serves a stale value if the replica never had the secret, but not if it reports a revocation', async () => {
    const stale = { maxStaleSeconds: 60 }
    const { admin, replica } = await openStale(stale)
    replica.failing = 'not_found'
    expect((await admin.get('prod/db')).cached).toMatchObject({ stale: true })
    replica.failing = 'deleted'
    expect((await failure(admin.get('prod/db'))).code).toBe('unavailable')
    // It is not kept for later either.
    replica.failing = 'not_found'
    expect((await failure(admin.get('prod/db'))).code).toBe('unavailable')
  })

  it('row 68: serves no stale value of a provider that no longer has it', async () => {
    const { admin, primary, replica } = await openStale({ maxStaleSeconds: 60, onNotFound: 'next' })
    primary.failing = 'not_found'
    replica.failing = 'unavailable'
    expect((await failure(admin.get('prod/db'))).code).toBe('unavailable')
  })

  it('skips a replica that cannot have the name, for reads and for writes', async () => {
    const primary = memoryProvider('aws')
    const replica = memoryProvider('azure')
    primary.set('prod/db_password', 'of the primary')
    const { admin, send, secret } = await openApp({ aws: primary, azure: replica })
    await admin.putChain('prod', { ...both, members: [...both.members] })
    expect((await admin.get('prod/db_password')).provider).toBe('aws')
    await admin.put('prod/db_password', hidden('v'))
    primary.failing = 'timeout'
    expect((await send(secret('prod/db_password'))).status).toBe(503)
    expect(replica.calls).toEqual([])
    await admin.putChain('prod', { ...both, members: [{ provider: 'azure' }, { provider: 'aws' }] })
    expect((await failure(admin.get('prod/db_password'))).code).toBe('bad_request')
  })

  it('drops everything when a chain changes', async () => {
    const { admin, primary } = await opened({ cacheSeconds: 60 })
    await admin.get('prod/db')
    await admin.putChain('prod', { ...both, members: [{ provider: 'azure' }], cacheSeconds: 60 })
    expect((await admin.get('prod/db')).provider).toBe('azure')
    expect(primary.count('get')).toBe(1)
  })

  async function openStale(chain: object) {
    const bench = await opened(chain)
    const { admin, sql, keyring, primary, replica } = bench
    await admin.get('prod/db')
    primary.failing = 'unavailable'
    replica.failing = 'unavailable'
    /** Makes cached values older, which only a holder of the keys can do. */
    const age = async (ms: number) => {
      const { openCached, sealCached } = await import('../../../../core/sealing/cached_value.ts')
      const { dekCache } = await import('../../../../core/crypto/envelope.ts')
      const { CacheStore } = await import('../../../../core/vault/chains/cache_store.ts')
      const kept = new CacheStore(sql).value('prod/db', '')!
      const value = (await openCached(keyring, dekCache(), 'default', kept))!
      const { kid: _, sealed: __, ...place } = kept
      const older = await sealCached(keyring, 'default', value, { ...place, fetchedAt: kept.fetchedAt - ms })
      new CacheStore(sql).keep(older, Number.MAX_SAFE_INTEGER)
    }
    return { ...bench, age }
  }
})

describe('a mistake in an adapter', () => {
  it.each([
    ['get', (at: Opened) => at.send(at.secret('prod/db'))],
    ['put', (at: Opened) => at.send(at.secret('prod/db'), { method: 'PUT', body: '{"value":"new"}' })],
    ['remove', (at: Opened) => at.send(at.secret('prod/db'), { method: 'DELETE' })],
  ] as const)('in %s is answered 500, counted, and not failed over', async (method, request) => {
    const fixture = await opened()
    const value = canary()
    const written: string[] = []
    for (const level of ['log', 'info', 'warn', 'error'] as const) {
      vi.spyOn(console, level).mockImplementation((...line) => void written.push(line.join(' ')))
    }
    Object.assign(fixture.primary.provider, { [method]: async () => Promise.reject(new RangeError(`at ${value}`)) })
    fixture.replica.calls.length = 0
    const answers = [await request(fixture), await request(fixture)]
    vi.restoreAllMocks()
    for (const answer of answers) {
      expect(answer.status).toBe(500)
      expect(await answer.json()).toMatchObject({ code: 'internal' })
    }
    expect(fixture.replica.calls).toEqual([])
    const metrics = providerLines(fixture.services, Date.now())
    expect(metrics).toContain('postern_provider_mistakes_total{provider="aws"} 2')
    expect(metrics).toContain('postern_provider_breaker_open{provider="aws"} 0')
    expect(written.filter((line) => line.includes('"RangeError"'))).not.toEqual([])
    expect(leaks(JSON.stringify([written, fixture.log()]), [value])).toEqual([])
  })
})
