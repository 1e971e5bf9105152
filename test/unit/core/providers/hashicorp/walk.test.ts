/**
 * Lists of HashiCorp Vault, which are read folder by folder.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { Provider } from '../../../../../core/providers/provider.ts'
import { open, put, signal } from './vault_fixture.ts'

describe('a list of Vault', () => {
  it('walks folders in pages of any size, in the order of names', async () => {
    const { provider } = open()
    const names = ['a', 'a-b', 'a/x', 'a/y/z', 'a0', 'b/c/d/e', 'b/c/d/f', 'c'].sort()
    for (const name of names) await put(provider, 'v', name)
    for (const limit of [1, 2, 3, 100]) {
      const found: string[] = []
      let cursor: string | null = null
      do {
        const page: Awaited<ReturnType<Provider['list']>> = await provider.list({
          prefix: '',
          cursor,
          limit,
          signal: signal(),
        })
        expect(page.items.length).toBeLessThanOrEqual(limit)
        found.push(...page.items.map(({ name }) => name))
        cursor = page.cursor
      } while (cursor !== null)
      expect(found).toEqual(names)
    }
    const below = await provider.list({ prefix: 'a/', cursor: null, limit: 9, signal: signal() })
    expect(below.items.map(({ name }) => name)).toEqual(['a/x', 'a/y/z'])
  })

  it('reads a bounded number of folders a page, and ends', async () => {
    const { server, provider } = open()
    for (let i = 0; i < 100; i++) await put(provider, 'v', `f${i}/s`)
    const found: string[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      server.asked.length = 0
      const page: Awaited<ReturnType<Provider['list']>> = await provider.list({
        prefix: '',
        cursor,
        limit: 1000,
        signal: signal(),
      })
      expect(server.asked.length).toBeLessThanOrEqual(64)
      found.push(...page.items.map(({ name }) => name))
      cursor = page.cursor
      pages++
    } while (cursor !== null)
    expect([found.length, new Set(found).size, pages]).toEqual([100, 100, 2])
  })
})
