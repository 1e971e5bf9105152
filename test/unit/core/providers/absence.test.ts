/**
 * When a secret counts as absent, on a clock that the tests move.
 *
 * @module
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OUTAGES } from '../../../../core/providers/provider.ts'
import { ABSENT } from '../../../../core/providers/skipped.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { read, replicaOf, settled, trip } from './replicas_fixture.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  vi.spyOn(Math, 'random').mockReturnValue(0.999)
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('an absence', () => {
  const memories = () => {
    const all = Array.from({ length: 3 }, () => memoryProvider())
    return { all, replicas: all.map((memory, i) => replicaOf(`p${i}`, memory)) }
  }

  it.each(OUTAGES.flatMap((away) => ABSENT.map((absent) => [away, absent] as const)))(
    'row 68: reported by a replica alone is an outage while the primary is %s: %s',
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

  it('row 68: reported by a replica is an outage while the breaker of the primary is open or its Retry-After holds', async () => {
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

  it('row 68: reported by a retried replica is an outage as well', async () => {
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

  it('is final when a retry reaches the primary', async () => {
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

  it('row 68: is unknown for an outdated member, which is skipped', async () => {
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

  it('is decided by the primary alone, with replicas up or down', async () => {
    for (const absent of ABSENT) {
      const { all, replicas } = memories()
      all[0]!.failing = absent
      all[1]!.failing = 'unavailable'
      expect(await settled(read(replicas))).toMatchObject({ failure: absent, provider: 'p0', skipped: [] })
    }
  })
})
