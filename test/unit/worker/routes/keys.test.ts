/** The terms of a vault's key, as the HTTP API shows them. */
import { describe, expect, it } from 'vitest'
import { openApp } from '../provider_access/provider_access_fixture.ts'

describe('the terms of a key', () => {
  it('show the older term as in use while its values are rewrapped', async () => {
    const { admin, send, secret } = await openApp(null)
    await send(secret('prod/db'), { method: 'PUT', body: JSON.stringify({ value: 'example-value' }) })
    expect(await admin.rekey()).toMatchObject({ term: 2, state: 'moving' })
    const response = await send('/v1/vaults/default/keys', {})
    const { items } = (await response.json()) as { items: { term: number; state: string }[] }
    expect(items.map(({ term, state }) => [term, state])).toEqual([
      [2, 'moving'],
      [1, 'in_use'],
    ])
    // The client takes the answer.
    expect((await admin.terms()).items.at(-1)?.state).toBe('in_use')
  })
})
