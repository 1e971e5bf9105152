/**
 * Circuit breakers, on a clock that the tests move.
 *
 * @module
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ANSWERS, type FailureKind, OUTAGES, ProviderFailure } from '../../../../core/providers/provider.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { pair, providerOf, read, replicaOf, settled, trip } from './replicas_fixture.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  vi.spyOn(Math, 'random').mockReturnValue(0.999)
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('a breaker', () => {
  it.each(OUTAGES)('opens after five times %s, and then sends nothing', async (kind) => {
    const { one, other, replicas } = pair()
    one.failing = kind
    for (let i = 0; i < 8; i++) expect(providerOf(await settled(read(replicas)))).toBe('other')
    expect([one.count('get'), other.count('get')]).toEqual([5, 8])
    expect((await settled(read(replicas))).skipped).toEqual([{ provider: 'one', why: 'breaker' }])
  })

  it.each(ANSWERS)('row 50: is not tripped by any number of %s', async (kind) => {
    const { one, replicas } = pair()
    one.failing = kind
    for (let i = 0; i < 100; i++) await settled(read(replicas))
    expect(one.count('get')).toBe(100)
    one.failing = null
    expect(providerOf(await settled(read(replicas)))).toBe('one')
  })

  it('row 50: is not tripped by denials among served requests', async () => {
    const { one, replicas } = pair()
    for (let i = 0; i < 50; i++) {
      one.failing = i % 2 === 0 ? 'denied' : null
      await settled(read(replicas))
    }
    expect(replicas[0]!.guarded.health(Date.now()).state).toBe('up')
  })

  it('opens when half of many requests fail, even without five in a row', async () => {
    const { one, replicas } = pair()
    for (let i = 0; i < 40; i++) {
      one.failing = i % 4 === 0 ? null : 'unavailable'
      await settled(read(replicas))
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(one.count('get')).toBeLessThan(40)
  })

  it('tries one request while half open, closes on an answer, and opens for longer on an outage', async () => {
    const { one, other, replicas } = pair()
    one.failing = 'unavailable'
    await trip(replicas[0]!)
    const before = one.count('get')
    await vi.advanceTimersByTimeAsync(1001)
    one.failing = 'hangs'
    const probe = read(replicas)
    const others = await Promise.all(Array.from({ length: 20 }, () => read(replicas)))
    expect(others.map(providerOf)).toEqual(Array(20).fill('other'))
    expect(one.count('get')).toBe(before + 1)
    expect(providerOf(await settled(probe))).toBe('other')
    // Twice as long now.
    await vi.advanceTimersByTimeAsync(1500)
    await settled(read(replicas))
    expect(one.count('get')).toBe(before + 1)
    await vi.advanceTimersByTimeAsync(600)
    one.failing = 'not_found'
    await settled(read(replicas))
    expect(replicas[0]!.guarded.health(Date.now()).breaker).toBe('closed')
    one.failing = null
    expect(providerOf(await settled(read(replicas)))).toBe('one')
    expect(other.count('get')).toBeGreaterThan(20)
  })

  it('does not stay half open when the platform abandons the trial request', async () => {
    const { one, replicas } = pair()
    one.failing = 'unavailable'
    await trip(replicas[0]!)
    await vi.advanceTimersByTimeAsync(1001)
    const { guarded } = replicas[0]!
    // A probe that never ends, and whose time never comes either: its timer went with its request.
    vi.spyOn(globalThis, 'setTimeout').mockReturnValueOnce(0 as never)
    void guarded.ask(() => new Promise(() => {}), 200)
    vi.mocked(globalThis.setTimeout).mockRestore()
    expect(guarded.rest(Date.now())).toBe('breaker')
    vi.setSystemTime(Date.now() + 2000)
    one.failing = null
    expect(guarded.rest(Date.now())).toBe(null)
    expect(providerOf(await settled(read(replicas)))).toBe('one')
  })

  it('rests for a random time up to its maximum, so that servers do not return together', async () => {
    vi.mocked(Math.random).mockReturnValue(0.1)
    const { one, replicas } = pair()
    one.failing = 'unavailable'
    await trip(replicas[0]!)
    const before = one.count('get')
    await vi.advanceTimersByTimeAsync(101)
    await settled(read(replicas))
    expect(one.count('get')).toBe(before + 1)
  })
})

describe('one odd secret', () => {
  /** A store in which names that begin with `odd` fail as a test says, and all others are served. */
  function store(fail: (signal: AbortSignal) => Promise<never>) {
    const memory = memoryProvider()
    const replica = replicaOf('store', memory)
    const { get } = memory.provider
    memory.provider.get = async (name, options) => {
      if (!name.startsWith('odd')) return get(name, options)
      memory.calls.push(`get ${name}`)
      return fail(options.signal)
    }
    const ask = (name: string) => settled(read([{ ...replica, name }]))
    return { memory, replica, ask }
  }
  const failing = (kind: FailureKind, more: object = {}) =>
    store(async () => {
      throw new ProviderFailure(kind, more)
    })
  const hanging = () =>
    store(
      (signal) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(new ProviderFailure('timeout')), { once: true }),
        ),
    )

  const stores: [string, () => ReturnType<typeof store>][] = [
    ...OUTAGES.map((kind): [string, () => ReturnType<typeof store>] => [kind, () => failing(kind)]),
    ['throttled with Retry-After', () => failing('throttled', { retryAfterMs: 60_000 })],
    ['an answer that never comes', hanging],
  ]

  it.each(stores)(
    'row 69: with the failure %s, four times a second, leaves other secrets of its store served',
    async (_, open) => {
      const { replica, ask } = open()
      for (let second = 0; second < 30; second++) {
        for (let i = 0; i < 4; i++) expect(await ask('odd')).toMatchObject({ provider: null })
        expect(await ask('n')).toMatchObject({ provider: 'store' })
        await vi.advanceTimersByTimeAsync(250)
      }
      expect(replica.guarded.health(Date.now()).breaker).toBe('closed')
    },
  )

  it.each(stores)('row 69: or many such secrets of one reader leave others served: %s', async (_, open) => {
    const { memory, replica, ask } = open()
    for (let round = 0; round < 200; round++) {
      await ask(`odd${round}`)
      if (round % 10 === 9) expect(await ask('n')).toMatchObject({ provider: 'store' })
    }
    expect(replica.guarded.health(Date.now()).breaker).toBe('closed')
    // A look for many failures, and not for each.
    expect(memory.count('health')).toBeGreaterThan(0)
    expect(memory.count('health')).toBeLessThanOrEqual(memory.count('get') / 2)
  })

  it('row 69: is refused alone while its Retry-After holds', async () => {
    const { memory, ask } = failing('throttled', { retryAfterMs: 60_000 })
    await ask('odd')
    const before = memory.count('get')
    expect((await ask('odd')).skipped).toEqual([{ provider: 'store', why: 'retry_after' }])
    expect(memory.count('get')).toBe(before)
    expect(await ask('n')).toMatchObject({ provider: 'store' })
  })

  it('row 69: keeps no breaker open once the store is back', async () => {
    const { memory, replica, ask } = failing('unavailable')
    memory.failing = 'unavailable'
    for (let i = 0; i < 6; i++) await ask('n')
    expect(replica.guarded.health(Date.now()).breaker).toBe('open')
    memory.failing = null
    await vi.advanceTimersByTimeAsync(1001)
    // The one request that tries is for the odd secret.
    await ask('odd')
    expect(replica.guarded.health(Date.now()).breaker).toBe('closed')
    expect(await ask('n')).toMatchObject({ provider: 'store' })
  })

  it('opens the breaker after few requests for any names when the health check of the store fails too', async () => {
    const { memory, replica, ask } = failing('unavailable')
    memory.failing = 'unavailable'
    for (let i = 0; i < 6; i++) await ask(`odd${i}`)
    expect(replica.guarded.health(Date.now()).breaker).toBe('open')
  })

  it('rests a store for all names when it throttles every name', async () => {
    const { memory, replica, ask } = failing('throttled', { retryAfterMs: 30_000 })
    memory.failing = { kind: 'throttled', retryAfterMs: 30_000 }
    await ask('odd1')
    await ask('odd2')
    expect(replica.guarded.rest(Date.now())).toBe('retry_after')
  })
})

describe('Retry-After', () => {
  it('is honoured to the millisecond for all requests, and does not open the breaker', async () => {
    const { one, replicas } = pair()
    one.failing = { kind: 'throttled', retryAfterMs: 30_000 }
    await settled(read(replicas))
    one.failing = null
    expect((await settled(read(replicas))).skipped).toEqual([{ provider: 'one', why: 'retry_after' }])
    await vi.advanceTimersByTimeAsync(30_000)
    expect(providerOf(await settled(read(replicas)))).toBe('one')
  })

  it('is honoured for a minute at most', async () => {
    const { one, replicas } = pair()
    one.failing = { kind: 'throttled', retryAfterMs: 86_400_000 }
    await settled(read(replicas))
    one.failing = null
    await vi.advanceTimersByTimeAsync(60_001)
    expect(providerOf(await settled(read(replicas)))).toBe('one')
  })
})
