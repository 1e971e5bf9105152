/** Which reads may share a fetch. */
import { describe, expect, it } from 'vitest'
import type { VersionedChain } from '../../../../core/providers/chain.ts'
import type { ProviderRead } from '../../../../core/vault/chains/read_operations.ts'
import { SharedFetches } from '../../../../worker/provider_access/shared_fetch.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from './provider_access_fixture.ts'

async function opened(shared = true) {
  const aws = memoryProvider()
  aws.set('db', 'x')
  const { keyring, settings, registry } = await openApp({ aws })
  const fetches = new SharedFetches({ keyring, settings, registry, shared })
  const chain: VersionedChain = {
    ...{
      id: 'c',
      resource: '**',
      members: [{ provider: 'aws' }],
      revision: 'r',
      version: 1,
      updatedAt: 0,
      updatedBy: 'a',
    },
    ...{ onNotFound: 'stop', onDenied: 'stop', cacheSeconds: 60, maxStaleSeconds: 0, replicate: false },
  }
  const about = { name: 'db', version: null, chain, outdated: [] }
  const plan: ProviderRead = { ...about, since: 1, barrier: 0, cached: null, maxAgeSeconds: undefined, cache: 'miss' }
  const fetch = (index: number | null, more: Partial<ProviderRead> = {}) =>
    fetches.fetch('default', { ...plan, ...more }, index)
  const fetchAll = (...names: string[]) =>
    fetches.fetchAll(
      'default',
      names.map((name) => ({ index: 1, quota: null, value: { ...plan, name } })),
    )
  return { aws, fetch, fetchAll }
}

describe('a shared fetch', () => {
  it('is shared by all reads permitted before it is recorded, and gives the cache one value', async () => {
    const { aws, fetch } = await opened()
    const all = await Promise.all([fetch(1), fetch(2), fetch(3)])
    expect([aws.count('get'), all.map(({ collapsed }) => collapsed)]).toEqual([1, [false, true, true]])
    expect(all.map(({ keep }) => keep !== null)).toEqual([true, false, false])
    const late = await fetch(4)
    expect([late.collapsed, aws.count('get')]).toEqual([true, 1])
  })

  it('is not shared by a read permitted after it is recorded', async () => {
    const { aws, fetch } = await opened()
    const first = await fetch(1)
    first.recorded(5)
    expect((await fetch(4)).collapsed).toBe(true)
    expect((await fetch(6)).collapsed).toBe(false)
    expect(aws.count('get')).toBe(2)
  })

  it('ends once it is recorded, and is not shared when recording fails', async () => {
    const { aws, fetch } = await opened()
    ;(await fetch(1)).recorded(null)
    expect((await fetch(2)).collapsed).toBe(false)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await fetch(1)).collapsed).toBe(true)
    expect(aws.count('get')).toBe(2)
  })

  it('in a batch is not shared once it arrived: its value may be replaced while the batch waits', async () => {
    const { aws, fetch, fetchAll } = await opened()
    aws.set('slow', 'y')
    const [began, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const get = aws.provider.get
    aws.provider.get = async (name, options) => {
      if (name === 'slow') {
        began.resolve()
        await released.promise
      }
      return get(name, options)
    }
    const all = fetchAll('db', 'slow')
    await began.promise
    // It is shared while it is in flight.
    expect((await fetch(2)).collapsed).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 0))
    aws.set('db', 'replaced')
    const { reply, collapsed } = await fetch(7)
    expect(collapsed).toBe(false)
    expect('value' in reply && Buffer.from(reply.value.value.reveal()).toString()).toBe('replaced')
    released.resolve()
    expect(await all).toHaveLength(2)
  })

  it('concerns one name, one version, one chain, and one state of the secret', async () => {
    const { aws, fetch } = await opened()
    await fetch(1)
    aws.set('other', 'y')
    await Promise.all([fetch(2, { name: 'other' }), fetch(2, { version: 'v1' }), fetch(2, { barrier: 7 })])
    expect(aws.count('get')).toBe(4)
  })

  it('is not shared where requests must not wait for each other', async () => {
    const { aws, fetch } = await opened(false)
    await Promise.all([fetch(1), fetch(2)])
    expect(aws.count('get')).toBe(2)
  })
})
