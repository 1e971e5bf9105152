/** The breaker, the budget and the order of replicas, on a clock that stands still. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { failover, type Replica } from '../../../../core/providers/failover.ts'
import { Upstream } from '../../../../core/providers/guarded_provider.ts'
import { ANSWERS, type FailureKind, OUTAGES, ProviderFailure } from '../../../../core/providers/provider.ts'
import { ABSENT } from '../../../../core/providers/skipped.ts'
import { type MemoryProvider, memoryProvider } from '../../../support/memory_provider.ts'

const times = { deadlineMs: 1000, attemptMs: 200, onNotFound: 'stop' } as const

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  vi.spyOn(Math, 'random').mockReturnValue(0.999)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

function replicaOf(id: string, memory: MemoryProvider): Replica {
  memory.set('n', id)
  return { upstream: new Upstream(id, memory.provider, { recoveryMs: 1000 }), name: 'n' }
}

function pair() {
  const [one, other] = [memoryProvider(), memoryProvider()]
  return { one, other, replicas: [replicaOf('one', one), replicaOf('other', other)] }
}

const read = (replicas: Replica[], more: object = {}) =>
  failover(replicas, (provider, name, signal) => provider.get(name, { signal }), { ...times, ...more })

/** Reads until the timers have nothing to do any more. */
async function settled<T>(promise: Promise<T>): Promise<T> {
  let done = false
  void promise.finally(() => {
    done = true
  })
  while (!done) await vi.advanceTimersByTimeAsync(10)
  return promise
}

const providerOf = (reply: Awaited<ReturnType<typeof read>>) => reply.provider

async function trip(replica: Replica): Promise<void> {
  for (let i = 0; i < 5; i++) await settled(read([replica]))
}

describe('a breaker', () => {
  it.each(OUTAGES)('opens after five of %s, and nothing is sent then', async (kind) => {
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

  it('row 50: is not tripped by denials between which others are served', async () => {
    const { one, replicas } = pair()
    for (let i = 0; i < 50; i++) {
      one.failing = i % 2 === 0 ? 'denied' : null
      await settled(read(replicas))
    }
    expect(replicas[0]!.upstream.health(Date.now()).state).toBe('up')
  })

  it('opens when half of many fail, though never five together', async () => {
    const { one, replicas } = pair()
    for (let i = 0; i < 40; i++) {
      one.failing = i % 4 === 0 ? null : 'unavailable'
      await settled(read(replicas))
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(one.count('get')).toBeLessThan(40)
  })

  it('lets one request try, and no other wait for it; closes on an answer, opens for longer on an outage', async () => {
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
    expect(replicas[0]!.upstream.health(Date.now()).breaker).toBe('closed')
    one.failing = null
    expect(providerOf(await settled(read(replicas)))).toBe('one')
    expect(other.count('get')).toBeGreaterThan(20)
  })

  it('does not stay half open when the request that tried was given up by the platform', async () => {
    const { one, replicas } = pair()
    one.failing = 'unavailable'
    await trip(replicas[0]!)
    await vi.advanceTimersByTimeAsync(1001)
    const { upstream } = replicas[0]!
    // A probe that never ends, and whose time never comes either: its timer went with its request.
    vi.spyOn(globalThis, 'setTimeout').mockReturnValueOnce(0 as never)
    void upstream.ask(() => new Promise(() => {}), 200)
    vi.mocked(globalThis.setTimeout).mockRestore()
    expect(upstream.rest(Date.now())).toBe('breaker')
    vi.setSystemTime(Date.now() + 2000)
    one.failing = null
    expect(upstream.rest(Date.now())).toBe(null)
    expect(providerOf(await settled(read(replicas)))).toBe('one')
  })

  it('rests at random up to the longest, so that not all servers come back together', async () => {
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

  it.each(stores)('row 69: that ends in %s, four times a second, closes its store for no other', async (_, open) => {
    const { replica, ask } = open()
    for (let second = 0; second < 30; second++) {
      for (let i = 0; i < 4; i++) expect(await ask('odd')).toMatchObject({ provider: null })
      expect(await ask('n')).toMatchObject({ provider: 'store' })
      await vi.advanceTimersByTimeAsync(250)
    }
    expect(replica.upstream.health(Date.now()).breaker).toBe('closed')
  })

  it.each(stores)('row 69: or many such secrets of one reader: %s', async (_, open) => {
    const { memory, replica, ask } = open()
    for (let round = 0; round < 200; round++) {
      await ask(`odd${round}`)
      if (round % 10 === 9) expect(await ask('n')).toMatchObject({ provider: 'store' })
    }
    expect(replica.upstream.health(Date.now()).breaker).toBe('closed')
    // A look for many failures, and not for each.
    expect(memory.count('health')).toBeGreaterThan(0)
    expect(memory.count('health')).toBeLessThanOrEqual(memory.count('get') / 2)
  })

  it('row 69: is refused alone for as long as it asked to be left alone', async () => {
    const { memory, ask } = failing('throttled', { retryAfterMs: 60_000 })
    await ask('odd')
    const before = memory.count('get')
    expect((await ask('odd')).skipped).toEqual([{ provider: 'store', why: 'retry_after' }])
    expect(memory.count('get')).toBe(before)
    expect(await ask('n')).toMatchObject({ provider: 'store' })
  })

  it('row 69: keeps no open breaker open once the store is back', async () => {
    const { memory, replica, ask } = failing('unavailable')
    memory.failing = 'unavailable'
    for (let i = 0; i < 6; i++) await ask('n')
    expect(replica.upstream.health(Date.now()).breaker).toBe('open')
    memory.failing = null
    await vi.advanceTimersByTimeAsync(1001)
    // The one request that tries is for the odd secret.
    await ask('odd')
    expect(replica.upstream.health(Date.now()).breaker).toBe('closed')
    expect(await ask('n')).toMatchObject({ provider: 'store' })
  })

  it('opens the breaker for a store whose health fails too, by few requests, whatever names they are for', async () => {
    const { memory, replica, ask } = failing('unavailable')
    memory.failing = 'unavailable'
    for (let i = 0; i < 6; i++) await ask(`odd${i}`)
    expect(replica.upstream.health(Date.now()).breaker).toBe('open')
  })

  it('makes a store that is throttled for every name rest for all', async () => {
    const { memory, replica, ask } = failing('throttled', { retryAfterMs: 30_000 })
    memory.failing = { kind: 'throttled', retryAfterMs: 30_000 }
    await ask('odd1')
    await ask('odd2')
    expect(replica.upstream.rest(Date.now())).toBe('retry_after')
  })
})

describe('a mistake in an adapter', () => {
  it('is thrown and counted: it is no outage, opens no breaker, and no replica is asked', async () => {
    const { one, other, replicas } = pair()
    one.provider.get = async () => {
      throw new TypeError('with a secret in it')
    }
    for (let i = 0; i < 20; i++) await expect(read(replicas)).rejects.toThrow(TypeError)
    expect(other.calls).toEqual([])
    const { upstream } = replicas[0]!
    expect([upstream.mistakes, upstream.health(Date.now()).breaker, [...upstream.failures]]).toEqual([20, 'closed', []])
  })
})

describe('Retry-After', () => {
  it('is honoured to the millisecond, by everybody, and is no reason to open the breaker', async () => {
    const { one, replicas } = pair()
    one.failing = { kind: 'throttled', retryAfterMs: 30_000 }
    await settled(read(replicas))
    one.failing = null
    expect((await settled(read(replicas))).skipped).toEqual([{ provider: 'one', why: 'retry_after' }])
    await vi.advanceTimersByTimeAsync(30_000)
    expect(providerOf(await settled(read(replicas)))).toBe('one')
  })

  it('is believed for a minute at most', async () => {
    const { one, replicas } = pair()
    one.failing = { kind: 'throttled', retryAfterMs: 86_400_000 }
    await settled(read(replicas))
    one.failing = null
    await vi.advanceTimersByTimeAsync(60_001)
    expect(providerOf(await settled(read(replicas)))).toBe('one')
  })
})

describe('the budget', () => {
  it('row 50: retries what could not be reached once, and in a storm no more than one in ten', async () => {
    const lone = memoryProvider()
    const replica = replicaOf('lone', lone)
    let served = 0
    // Not five together: the breaker stays out of it. Every fourth request fails, and so would its retry.
    for (let i = 0; i < 400; i++) {
      lone.failing = i % 4 === 3 ? 'unavailable' : null
      const reply = await settled(read([replica]))
      if ('value' in reply) served++
    }
    expect(served).toBe(300)
    expect(lone.count('get')).toBeGreaterThan(400)
    // Ten that were saved up, and one for ten that were served.
    expect(lone.count('get')).toBeLessThanOrEqual(400 + 10 + 300 * 0.1 + 1)
  })

  it('mends a failure of a moment for a chain of one', async () => {
    const lone = memoryProvider()
    const replica = replicaOf('lone', lone)
    lone.failing = 'unavailable'
    const reading = read([replica])
    await vi.advanceTimersByTimeAsync(50)
    lone.failing = null
    expect(await settled(reading)).toMatchObject({
      provider: 'lone',
      skipped: [{ provider: 'lone', why: 'unavailable' }],
    })
  })

  it.each(['timeout', 'throttled', 'sealed'] as FailureKind[])('spends nothing on %s', async (kind) => {
    const lone = memoryProvider()
    const replica = replicaOf('lone', lone)
    lone.failing = kind
    expect(await settled(read([replica]))).toMatchObject({ failure: kind, provider: null })
    expect(lone.count('get')).toBe(1)
  })

  it('ends in its time, however many hang, and gives each its share', async () => {
    const memories = Array.from({ length: 5 }, () => memoryProvider())
    const replicas = memories.map((memory, i) => replicaOf(`p${i}`, memory))
    for (const memory of memories) memory.failing = 'hangs'
    const start = Date.now()
    const reply = await settled(read(replicas, { deadlineMs: 500, attemptMs: 400 }))
    expect(Date.now() - start).toBeLessThanOrEqual(520)
    expect(memories.map((memory) => memory.count('get'))).toEqual([1, 1, 1, 1, 1])
    expect(reply).toMatchObject({ failure: 'timeout', provider: null })
  })

  it('cuts off a provider that does not heed its signal', async () => {
    const { one, replicas } = pair()
    one.provider.get = () => new Promise(() => {})
    expect(await settled(read(replicas))).toMatchObject({
      provider: 'other',
      skipped: [{ provider: 'one', why: 'timeout' }],
    })
  })
})

describe('an absence', () => {
  const memories = () => {
    const all = Array.from({ length: 3 }, () => memoryProvider())
    return { all, replicas: all.map((memory, i) => replicaOf(`p${i}`, memory)) }
  }

  it.each(OUTAGES.flatMap((away) => ABSENT.map((absent) => [away, absent] as const)))(
    'row 68: that only a replica reports is an outage while the primary is %s: %s',
    async (away, absent) => {
      const { all, replicas } = memories()
      all[0]!.failing = away
      all[1]!.failing = absent
      const reply = await settled(read(replicas))
      expect(reply).toMatchObject({ failure: away, provider: null })
      expect(reply.skipped).toContainEqual({ provider: 'p1', why: absent })
      // One that has not heard of a revocation is not asked either.
      expect(all[2]!.calls).toEqual([])
    },
  )

  it('row 68: that a replica reports is none while the breaker of the primary is open, or it asked to be left alone', async () => {
    const { all, replicas } = memories()
    all[0]!.failing = 'unavailable'
    await trip(replicas[0]!)
    all[1]!.failing = 'not_found'
    expect(await settled(read(replicas))).toMatchObject({
      ...{ failure: 'unavailable', provider: null },
      skipped: [
        { provider: 'p0', why: 'breaker' },
        { provider: 'p1', why: 'not_found' },
      ],
    })
    const other = memories()
    other.all[0]!.failing = { kind: 'throttled', retryAfterMs: 5000 }
    other.all[1]!.failing = 'deleted'
    await settled(read(other.replicas))
    expect(await settled(read(other.replicas))).toMatchObject({
      ...{ failure: 'unavailable', provider: null },
      skipped: [
        { provider: 'p0', why: 'retry_after' },
        { provider: 'p1', why: 'deleted' },
      ],
    })
  })

  it('row 68: that a retried replica reports is an outage all the same', async () => {
    const { all, replicas } = memories()
    all[0]!.failing = 'timeout'
    all[1]!.failing = 'unavailable'
    all[2]!.failing = 'unavailable'
    const reading = read(replicas)
    await vi.advanceTimersByTimeAsync(50)
    all[1]!.failing = 'not_found'
    expect(await settled(reading)).toMatchObject({ failure: 'unavailable', provider: null })
    expect(all[1]!.calls).toHaveLength(2)
  })

  it('is final when a second try reaches the primary', async () => {
    const { all, replicas } = memories()
    all[0]!.failing = 'unavailable'
    all[1]!.failing = 'not_found'
    const reading = read(replicas)
    await vi.advanceTimersByTimeAsync(50)
    all[0]!.failing = 'not_found'
    expect(await settled(reading)).toMatchObject({ failure: 'not_found', provider: 'p0' })
  })

  it('row 68: is final with onNotFound "next" only when every member reports it', async () => {
    const next = { onNotFound: 'next' as const }
    for (const [kinds, failure, provider] of [
      [['not_found', 'not_found', 'not_found'], 'not_found', 'p0'],
      [['not_found', 'deleted', 'not_found'], 'deleted', 'p1'],
      [['timeout', 'not_found', 'not_found'], 'timeout', null],
      [['not_found', 'not_found', 'sealed'], 'sealed', null],
      [['sealed', 'deleted', 'not_found'], 'sealed', null],
    ] as const) {
      const { all, replicas } = memories()
      for (const [i, kind] of kinds.entries()) all[i]!.failing = kind
      expect(await settled(read(replicas, next))).toMatchObject({ failure, provider })
    }
  })

  it('row 68: is not known of a member that is not asked since it is outdated', async () => {
    const { all, replicas } = memories()
    for (const memory of all) memory.failing = 'not_found'
    const outdated = ['p1']
    expect(await settled(read(replicas, { onNotFound: 'next', outdated }))).toMatchObject({
      ...{ failure: 'unavailable', provider: null },
      skipped: [{ provider: 'p0' }, { provider: 'p1', why: 'outdated' }, { provider: 'p2' }],
    })
    expect(all[1]!.calls).toEqual([])
    expect(await settled(read(replicas, { outdated }))).toMatchObject({ failure: 'not_found', provider: 'p0' })
  })

  it('stays what the primary says, whatever replicas are away', async () => {
    for (const absent of ABSENT) {
      const { all, replicas } = memories()
      all[0]!.failing = absent
      all[1]!.failing = 'unavailable'
      expect(await settled(read(replicas))).toMatchObject({ failure: absent, provider: 'p0', skipped: [] })
    }
  })
})

describe('a replica', () => {
  it('row 50: that has no such secret does not beat a primary that is still to answer: nobody is asked at once', async () => {
    const { one, other, replicas } = pair()
    one.delayMs = 150
    other.failing = 'not_found'
    expect(providerOf(await settled(read(replicas)))).toBe('one')
    expect(other.calls).toEqual([])
  })

  it('is asked only after those before it', async () => {
    const { one, other, replicas } = pair()
    one.failing = 'unavailable'
    other.failing = new ProviderFailure('denied').kind
    expect(await settled(read(replicas))).toMatchObject({ failure: 'denied', provider: 'other' })
  })
})
