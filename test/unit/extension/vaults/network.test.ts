/** The way to a server, and what is noted of its answers. */
import { afterEach, expect, it, vi } from 'vitest'
import { networkTo } from '../../../../extension/vaults/network.ts'

// The editor's API is there in an editor only; nothing of it is needed here.
vi.mock('vscode', () => ({}))

afterEach(() => vi.unstubAllGlobals())

it('notes the last entry that an answer named, and nothing that is not an index', async () => {
  const indices = ['5', '4', null, '1e9', '-1', '9999999999999999', '12', '7']
  vi.stubGlobal('fetch', async () => {
    const index = indices.shift() ?? null
    return new Response('', { headers: index === null ? {} : { 'Audit-Index': index } })
  })
  const network = networkTo('https://secrets.example', { isCertificateFailure: () => false })
  expect(network.recorded).toBe(-1)
  const recorded: number[] = []
  while (indices.length > 0) {
    await network.fetch(new Request('https://secrets.example/'))
    recorded.push(network.recorded)
  }
  expect(recorded).toEqual([5, 5, 5, 5, 5, 5, 12, 12])
})
