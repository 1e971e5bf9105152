/**
 * The order of providers and the time that they share, on a clock that the tests move.
 *
 * @module
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type FailureKind, ProviderFailure } from '../../../../core/providers/provider.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { pair, providerOf, read, replicaOf, settled } from './replicas_fixture.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  vi.spyOn(Math, 'random').mockReturnValue(0.999)
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('a mistake in an adapter', () => {
  it('is thrown and counted as a mistake: it opens no breaker, and no replica is asked', async () => {
    const { one, other, replicas } = pair()
    one.provider.get = async () => {
      throw new TypeError('with a secret in it')
    }
    for (let i = 0; i < 20; i++) await expect(read(replicas)).rejects.toThrow(TypeError)
    expect(other.calls).toEqual([])
    const { guarded } = replicas[0]!
    expect([guarded.mistakes, guarded.health(Date.now()).breaker, [...guarded.failures]]).toEqual([20, 'closed', []])
  })
})

describe('the budget', () => {
  it('row 50: retries an unreachable provider once, and at most one in ten requests in a storm', async () => {
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

  it('recovers from a brief failure in a chain of one', async () => {
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

  it('ends in time, however many providers hang, and gives each its share', async () => {
    const memories = Array.from({ length: 5 }, () => memoryProvider())
    const replicas = memories.map((memory, i) => replicaOf(`p${i}`, memory))
    for (const memory of memories) memory.failing = 'hangs'
    const start = Date.now()
    const reply = await settled(read(replicas, { deadlineMs: 500, attemptMs: 400 }))
    expect(Date.now() - start).toBeLessThanOrEqual(520)
    expect(memories.map((memory) => memory.count('get'))).toEqual([1, 1, 1, 1, 1])
    expect(reply).toMatchObject({ failure: 'timeout', provider: null })
  })

  it('abandons a provider that ignores its signal', async () => {
    const { one, replicas } = pair()
    one.provider.get = () => new Promise(() => {})
    expect(await settled(read(replicas))).toMatchObject({
      provider: 'other',
      skipped: [{ provider: 'one', why: 'timeout' }],
    })
  })
})

describe('a replica', () => {
  it('row 50: without the secret does not overtake a primary that has yet to answer: members are asked in turn', async () => {
    const { one, other, replicas } = pair()
    one.delayMs = 150
    other.failing = 'not_found'
    expect(providerOf(await settled(read(replicas)))).toBe('one')
    expect(other.calls).toEqual([])
  })

  it('is asked only after the members before it', async () => {
    const { one, other, replicas } = pair()
    one.failing = 'unavailable'
    other.failing = new ProviderFailure('denied').kind
    expect(await settled(read(replicas))).toMatchObject({ failure: 'denied', provider: 'other' })
  })
})
