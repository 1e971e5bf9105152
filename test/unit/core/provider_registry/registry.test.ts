import { describe, expect, it } from 'vitest'
import { ProviderRegistry } from '../../../../core/provider_registry/registry.ts'
import type { Reach } from '../../../../core/settings/provider_reach.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import { refusalFrom } from '../../../support/core.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'

const { provider } = memoryProvider()
const registryOf = (reaches: Record<string, Reach>, primaryProvider?: string) => {
  const { providers } = parseSettings({ environment: {} })
  const configured = Object.entries(reaches).map(
    ([id, reach]) => [id, { provider, naming: 'hashicorp' as const, reach }] as const,
  )
  return new ProviderRegistry({ ...providers, primaryProvider }, new Map(configured))
}
const chain = (provider: string, prefix?: string) => ({
  resource: '**',
  members: [{ provider, ...(prefix && { prefix }) }],
})

describe('a registry', () => {
  const reaches = {
    one: { vaults: ['a'], namePrefix: 'fixed' },
    two: { vaults: ['a', 'b'], namePrefix: 'x/{vault}' },
    none: { vaults: [] },
  }
  const registry = registryOf(reaches)
  const idsOf = (vault: string) => registry.usableBy(vault).map(({ id }) => id)

  it('shows a vault the providers that list it, and no others', () => {
    expect([idsOf('a'), idsOf('b'), idsOf('default')]).toEqual([['one', 'two'], ['two'], []])
    expect([registry.permits('a'), registry.permits('b'), registry.permits('c')]).toEqual([true, true, false])
    expect(registry.list().map(({ id }) => id)).toEqual(['one', 'two', 'none'])
  })

  it('answers for the provider of another vault as for one that is missing', () => {
    for (const id of ['one', 'none', 'missing', 'constructor']) {
      expect(registry.find('b', id)).toBeNull()
      const check = refusalFrom(() => registry.check('b', chain(id)))
      expect([check.message, check.detail.field]).toEqual([
        'Provider must be one that this vault may use',
        'members.0.provider',
      ])
      expect(refusalFrom(() => registry.resolve('b', chain(id), 'db')).detail.reason).toBe('provider_missing')
      expect(refusalFrom(() => registry.names('b', chain(id), { provider: id })).detail.reason).toBe('provider_missing')
    }
  })

  it('puts the prefix of each provider before the names of each vault', () => {
    const named = (vault: string, id: string) => registry.resolve(vault, chain(id, 'p-'), 'db')[0]!.name
    expect([named('a', 'one'), named('a', 'two'), named('b', 'two')]).toEqual(['fixed/p-db', 'x/a/p-db', 'x/b/p-db'])
  })

  it('gives its default chain to the vaults of the primary only', () => {
    const withDefault = registryOf(reaches, 'one')
    expect(withDefault.defaultChain('a')?.members).toEqual([{ provider: 'one' }])
    expect(withDefault.defaultChain('b')).toBeNull()
  })

  it('closes a provider to a vault whose id forms no name in its prefix', () => {
    const odd = registryOf({ one: { vaults: ['-a', 'b'], namePrefix: '{vault}' }, two: { vaults: ['-a'] } })
    expect(odd.usableBy('-a').map(({ id }) => id)).toEqual(['two'])
  })
})
