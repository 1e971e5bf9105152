/** The cache as the vault keeps it, on a clock that a test moves. */
import { describe, expect, it } from 'vitest'
import type { Chain } from '../../../../core/providers/chain.ts'
import type { CachedValue } from '../../../../core/vault/chains/cache_store.ts'
import type { ProviderRead, ReadReport } from '../../../../core/vault/chains/read_operations.ts'
import { bytesOf, callOf, openVault } from '../../../support/core.ts'

const CHAIN: Chain = {
  ...{ id: 'c', resource: 'prod/**', members: [{ provider: 'aws' }, { provider: 'azure' }] },
  ...{ onNotFound: 'stop', onDenied: 'stop', cacheSeconds: 60, maxStaleSeconds: 600, replicate: false },
}

function opened(chain: Partial<Chain> = {}) {
  const bench = openVault()
  bench.execute(callOf('admin', 'chain.put', { ...CHAIN, ...chain }))

  function plan(version?: string): ProviderRead {
    const answer = bench.ask('admin', 'secret.read', { name: 'prod/db', ...(version && { version }) })
    if (!answer.ok || !('chain' in answer.value)) throw new Error('Read was not planned')
    return answer.value
  }

  function report(read: ProviderRead, more: Partial<ReadReport> = {}) {
    const { name, version, chain, since } = read
    const outcome = { provider: 'aws', version: 'v1', keep: kept(read) }
    return bench.ask('admin', 'secret.provided', {
      ...{ name, version, revision: chain.revision, since, skipped: [], outcome },
      ...more,
    })
  }

  const stored = (read: ProviderRead, more: Partial<ReadReport> = {}) => {
    const answer = report(read, more)
    return answer.ok && answer.value.stored
  }
  const outage = { outcome: { failure: 'unavailable', provider: null } } as const
  return Object.assign(bench, { plan, report, stored, outage })
}

function kept({ name, version, chain, since }: ProviderRead): CachedValue {
  return {
    ...{ name, asked: version ?? '', revision: chain.revision, provider: 'aws', version: 'v1', kid: 'k' },
    ...{ sealed: bytesOf('sealed'), contentType: null, encoding: 'utf8', createdAt: null, expiresAt: null },
    fetchedAt: since,
  }
}

describe('a cached value', () => {
  it('is fresh for cacheSeconds, stale for maxStaleSeconds more, and gone afterwards', () => {
    const bench = opened()
    expect(bench.plan().cache).toBe('miss')
    expect(bench.stored(bench.plan())).toBe(true)
    bench.now += 59_999
    expect(bench.plan().cache).toBe('hit')
    bench.now += 1
    expect([bench.plan().cache, bench.plan().cached]).toEqual(['stale', null])
    bench.now += 599_999
    const last = bench.report(bench.plan(), bench.outage)
    expect(last.ok && last.value.stale?.version).toBe('v1')
    bench.now += 1
    expect(bench.report(bench.plan(), bench.outage)).toMatchObject({ ok: false, reason: 'provider_unavailable' })
  })

  it('row 52: keeps its age when the clock goes back, by the time of the vault', () => {
    const bench = opened()
    bench.stored(bench.plan())
    bench.now -= 600_000
    expect(bench.plan().cache).toBe('hit')
    bench.now += 59_999
    expect(bench.plan().cache).toBe('hit')
    bench.now += 1
    expect(bench.plan().cached).toBe(null)
  })

  it('row 52: is forgotten when the vault opens with a clock behind its log, since its age is unknown', () => {
    const bench = opened()
    bench.stored(bench.plan())
    bench.now -= 600_000
    bench.reopen({})
    expect(bench.plan().cached).toBe(null)
    expect(bench.report(bench.plan(), bench.outage)).toMatchObject({ ok: false, reason: 'provider_unavailable' })
  })

  it('row 52: is not kept after a read that took longer than the longest deadline', () => {
    const bench = opened()
    const slow = bench.plan()
    bench.now += 11 * 60_000
    expect(bench.stored(slow)).toBe(false)
  })

  it('expires with the secret, even where the chain allows more', () => {
    const bench = opened()
    const read = bench.plan()
    const keep = { ...kept(read), expiresAt: bench.now + 1000 }
    bench.report(read, { outcome: { provider: 'aws', version: 'v1', keep } })
    bench.now += 999
    expect(bench.plan().cache).toBe('hit')
    bench.now += 1
    expect(bench.plan().cached).toBe(null)
    expect(bench.report(bench.plan(), bench.outage)).toMatchObject({ ok: false })
  })

  it('is kept under the name of its read, not under one from the report', () => {
    for (const change of [{ name: 'prod/other' }, { asked: 'v1' }, { revision: 'r' }, { fetchedAt: 2_000_000 }]) {
      const bench = opened()
      const read = bench.plan()
      const keep = { ...kept(read), ...change }
      expect(bench.stored(read, { outcome: { provider: 'aws', version: 'v1', keep } })).toBe(false)
      expect(bench.database.all('SELECT name FROM cached')).toEqual([])
    }
  })

  it('row 51: is not kept when the secret was written, denied or deleted during the read', () => {
    const purges = [
      (bench: ReturnType<typeof opened>) => bench.ask('admin', 'secret.prepare', { name: 'prod/db' }),
      (bench: ReturnType<typeof opened>) => bench.ask('admin', 'secret.delete', { name: 'prod/db' }),
      (bench: ReturnType<typeof opened>) =>
        bench.report(bench.plan(), { outcome: { failure: 'denied', provider: 'aws' } }),
    ]
    for (const purge of purges) {
      const bench = opened()
      const read = bench.plan()
      bench.now += 5
      purge(bench)
      bench.now += 5
      expect(bench.stored(read)).toBe(false)
      expect(bench.stored(bench.plan())).toBe(true)
    }
  })

  it('is not released after a change of the chain', () => {
    const bench = opened()
    const read = bench.plan()
    bench.execute(callOf('admin', 'chain.put', { ...CHAIN, members: [{ provider: 'azure' }] }))
    expect(bench.report(read)).toMatchObject({ ok: false, reason: 'chain_changed' })
    bench.execute(callOf('admin', 'chain.delete', { id: 'c' }))
    expect(bench.report(read)).toMatchObject({ ok: false, reason: 'chain_changed' })
  })

  it('stays when another version is absent, and goes when that version is denied', () => {
    const bench = opened()
    bench.stored(bench.plan())
    bench.now += 1
    bench.report(bench.plan('v9'), { outcome: { failure: 'not_found', provider: 'aws' } })
    expect(bench.plan().cache).toBe('hit')
    expect(bench.ask('admin', 'secret.read', { name: 'prod/db', version: 'v9' })).toMatchObject({
      reason: 'no_version',
    })
    bench.report(bench.plan('v8'), { outcome: { failure: 'denied', provider: 'aws' } })
    expect(bench.plan().cache).toBe('miss')
  })
})

describe('an answer of absence', () => {
  it('is cached for five seconds, from the primary only, and not at all without a cache', () => {
    const missing = (bench: ReturnType<typeof opened>, provider: string) =>
      bench.report(bench.plan(), { outcome: { failure: 'not_found', provider } })
    const bench = opened()
    missing(bench, 'aws')
    expect(bench.ask('admin', 'secret.read', { name: 'prod/db' })).toMatchObject({ reason: 'no_secret' })
    bench.now += 5000
    expect(bench.plan().cache).toBe('miss')
    bench.now += 1
    missing(bench, 'azure')
    expect(bench.plan().cache).toBe('miss')
    const none = opened({ cacheSeconds: 0 })
    missing(none, 'aws')
    expect(none.plan().cache).toBe('miss')
  })
})

describe('the room of the cache', () => {
  it('is bounded, and evicts the values that expire first', () => {
    const bench = opened()
    const insert = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
      INSERT INTO cached (name, asked, revision, provider, fetched_at, keep_until) SELECT 'x/' || i, '', 'r', 'aws', 0, 2000000000 + i FROM n`
    bench.database.all(insert)
    bench.stored(bench.plan())
    const [row] = bench.database.all<{ n: number }>('SELECT COUNT(*) AS n FROM cached')
    expect(row!.n).toBeLessThanOrEqual(10_000)
    expect(bench.database.all("SELECT name FROM cached WHERE name = 'x/1'")).toEqual([])
  })
})
