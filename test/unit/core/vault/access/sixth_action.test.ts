/** An action that a later version adds: the first administrator may do it as well. */
import { describe, expect, it, vi } from 'vitest'
import { callOf, openVault } from '../../../../support/core.ts'

vi.mock('../../../../../core/vault/access/rules.ts', async (original) => {
  const policy = await original<typeof import('../../../../../core/vault/access/rules.ts')>()
  return { ...policy, ACTIONS: [...policy.ACTIONS, 'inspect'] }
})

describe('a sixth action', () => {
  it('is permitted for the first administrator', () => {
    const bench = openVault()
    const [rules] = bench.execute(callOf('admin', 'rule.list', {}))
    expect(rules).toMatchObject({ ok: true, value: [{ effect: 'permit', principal: 'admin', resource: '**' }] })
    expect(rules).toMatchObject({ value: [{ actions: expect.arrayContaining(['admin', 'inspect']) }] })
  })
})
