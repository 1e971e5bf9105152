/** Clients that accept no cached value, or none of a certain age (RFC 9111 section 5.2.1). */
import { describe, expect, it } from 'vitest'
import { Redacted } from '../../../../core/redacted.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from './provider_access_fixture.ts'

const CHAIN = { resource: 'prod/**', members: [{ provider: 'aws' as const }], cacheSeconds: 300, maxStaleSeconds: 3600 }

async function opened(environment: Record<string, string> = {}) {
  const store = memoryProvider()
  const bench = await openApp({ aws: store }, { environment })
  await bench.admin.putChain('prod', CHAIN)
  store.set('prod/db', 'old')
  const read = async (headers: Record<string, string> = {}, path = 'prod/db') => {
    const response = await bench.send(bench.secret(path), { headers })
    const body = (await response.json()) as { value?: string; reason?: string; code?: string }
    const status = response.headers.get('Cache-Status') ?? ''
    return {
      status: response.status,
      value: body.value,
      reason: body.reason ?? body.code,
      cache: status.split(';')[1]?.trim(),
      response,
    }
  }
  /** Changes the secret behind the gateway. */
  const change = (text: string) => store.set('prod/db', text)
  return { ...bench, store, read, change }
}

/** Holds the first call of a store until it is released. The store has no versions, and answers all others at once. */
function holdFirst({ provider }: ReturnType<typeof memoryProvider>) {
  const get = provider.get.bind(provider)
  const first = Promise.withResolvers<void>()
  const called = Promise.withResolvers<void>()
  let isFirst = true
  provider.get = async (...args) => {
    const found = { ...(await get(...args)), version: 'unversioned' }
    if (isFirst) {
      isFirst = false
      called.resolve()
      await first.promise
    }
    return found
  }
  return { called: called.promise, release: first.resolve }
}

/** Resolves in another millisecond: two reads of one millisecond have no order. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now()
  while (Date.now() === now) await new Promise((resolve) => setImmediate(resolve))
}

describe('a client with a demand on the cache', () => {
  it('joins no call that began before its request', async () => {
    const { admin, read, change, store } = await opened()
    await admin.putChain('prod', { ...CHAIN, cacheSeconds: 0, maxStaleSeconds: 0 })
    const { called, release } = holdFirst(store)
    const early = read()
    await called
    change('new')
    const fresh = read({ 'Cache-Control': 'no-cache' })
    // Time for the request to join, if it did.
    await nextMillisecond()
    release()
    expect([(await early).value, (await fresh).value]).toEqual(['old', 'new'])
  })

  it('leaves a value in the cache that no earlier call replaces, even at a store without versions', async () => {
    const { read, change, store } = await opened()
    const { called, release } = holdFirst(store)
    const early = read()
    await called
    change('new')
    await nextMillisecond()
    expect(await read({ 'Cache-Control': 'no-cache' })).toMatchObject({ value: 'new' })
    release()
    expect(await early).toMatchObject({ value: 'old' })
    expect(await read()).toMatchObject({ value: 'new', cache: 'hit' })
  })

  it.each([
    { 'Cache-Control': 'no-cache' },
    { 'Cache-Control': 'No-Cache' },
    { 'Cache-Control': 'max-age=0' },
    { 'Cache-Control': 'no-transform, max-age=0' },
    { 'Cache-Control': 'max-age=300, no-cache' },
    { 'Cache-Control': 'max-age=x' },
    { Pragma: 'no-cache' },
  ])('gets the value of the provider with %o, and others get it from then on', async (headers) => {
    const { read, change, log } = await opened()
    await read()
    change('new')
    expect(await read()).toMatchObject({ value: 'old', cache: 'hit' })
    expect(await read(headers)).toMatchObject({ status: 200, value: 'new', cache: 'fwd=request' })
    const [decided, released] = log().slice(-2)
    expect(decided).toMatchObject({ operation: 'secret.read', facts: { chain: 'prod', cache: 'request' } })
    expect(released).toMatchObject({ operation: 'secret.provided', outcome: 'ok', facts: { provider: 'aws' } })
    expect(await read()).toMatchObject({ value: 'new' })
  })

  it.each([
    {},
    { 'Cache-Control': 'max-age=300' },
    { 'Cache-Control': 'no-transform' },
    { 'Cache-Control': 'x-no-cache', Pragma: 'no-cache' },
  ])('gets the cached value with %o', async (headers: Record<string, string>) => {
    const { read, change } = await opened()
    await read()
    change('new')
    expect(await read(headers)).toMatchObject({ value: 'old', cache: 'hit' })
  })

  it('keeps an unchanged value in the cache, with its new age', async () => {
    const { read } = await opened()
    await read()
    expect((await read({ 'Cache-Control': 'no-cache' })).response.headers.get('Cache-Status')).toContain('stored')
    expect(await read()).toMatchObject({ cache: 'hit' })
  })

  it('is answered 503 when no provider answers, and not with an old value', async () => {
    const { read, store } = await opened()
    await read()
    store.failing = 'unavailable'
    expect(await read({ 'Cache-Control': 'no-cache' })).toMatchObject({ status: 503, reason: 'provider_unavailable' })
    expect(await read()).toMatchObject({ value: 'old', cache: 'hit' })
  })

  it('learns at once of a secret that was made after its absence was remembered', async () => {
    const { read, store } = await opened()
    expect((await read({}, 'prod/late')).status).toBe(404)
    store.set('prod/late', 'x')
    expect((await read({}, 'prod/late')).status).toBe(404)
    expect(await read({ 'Cache-Control': 'no-cache' }, 'prod/late')).toMatchObject({ status: 200, value: 'x' })
  })

  it('gets the values of the provider in a hydration and by the client', async () => {
    const { admin, send, change } = await opened()
    await admin.get('prod/db')
    change('new')
    const ask = async (headers: Record<string, string>) => {
      const body = JSON.stringify({ references: ['postern://default/prod/db'] })
      const response = await send('/v1/vaults/default/hydrate', { method: 'POST', body, headers })
      return ((await response.json()) as { items: { secret: { value: string } }[] }).items[0]?.secret.value
    }
    expect(await ask({})).toBe('old')
    expect(await ask({ 'Cache-Control': 'no-cache' })).toBe('new')
    await admin.get('prod/db')
    change('newest')
    expect((await admin.get('prod/db')).value.reveal()).toBe('new')
    expect((await admin.get('prod/db', { fresh: true })).value.reveal()).toBe('newest')
  })

  it('row 14: has a limit of its own, which ordinary reads and other principals do not share', async () => {
    const { read, reader, store, log } = await opened({ POSTERN_SECURITY__REVALIDATION_RATE: '3/h' })
    await read()
    const fresh = { 'Cache-Control': 'no-cache' }
    for (let i = 0; i < 3; i++) expect((await read(fresh)).status).toBe(200)
    const calls = store.calls.length
    const refused = await read(fresh)
    expect(refused).toMatchObject({ status: 429, reason: 'throttled' })
    expect(Number(refused.response.headers.get('Retry-After'))).toBeGreaterThan(60)
    expect((await read(fresh)).status).toBe(429)
    expect(store.calls.length).toBe(calls)
    const throttled = log().filter(({ outcome }) => outcome === 'throttled')
    expect(throttled).toMatchObject([{ operation: 'secret.read', facts: { window: 'revalidations' } }])
    expect(await read()).toMatchObject({ status: 200, cache: 'hit' })
    const ann = await reader('ann', 'prod/*')
    expect((await ann.get('prod/db', { fresh: true })).value.reveal()).toBe('old')
  })

  it('counts only where the cache could have answered', async () => {
    const { admin, send, secret } = await opened({ POSTERN_SECURITY__REVALIDATION_RATE: '1/h' })
    await admin.put('sealed', new Redacted('x'))
    await admin.putChain('prod', { ...CHAIN, cacheSeconds: 0, maxStaleSeconds: 0 })
    for (const name of ['sealed', 'sealed', 'prod/db', 'prod/db', 'prod/db']) {
      expect((await send(secret(name), { headers: { 'Cache-Control': 'no-cache' } })).status).toBe(200)
    }
  })
})
