import { expect, it } from 'vitest'
import { openVault } from '../../../../support/core.ts'

it('row 39: a chain is not put or deleted without its required approval', () => {
  const bench = openVault()
  const chain = {
    id: 'c',
    resource: 'prod/**',
    members: [{ provider: 'aws' }],
    onNotFound: 'stop',
    onDenied: 'stop',
  } as const
  const whole = { ...chain, cacheSeconds: 0, maxStaleSeconds: 0, replicate: false }
  for (const who of ['ann', 'bob']) bench.enrol(who)
  bench.granted('admin', 'chain.put', whole)
  const approvals = { required: 1, from: ['ann', 'bob'], withinSeconds: 3600 }
  const rule = {
    id: 'four-eyes',
    effect: 'forbid',
    principal: 'admin',
    actions: ['admin'],
    resource: 'chains',
  } as const
  bench.granted('admin', 'rule.put', { ...rule, unless: { approvals } })
  expect(bench.reason('admin', 'chain.put', { ...whole, resource: 'dev/**' })).toBe('approval_required')
  expect(bench.reason('admin', 'chain.delete', { id: 'c' })).toBe('approval_required')
  expect(bench.granted('admin', 'rule.list', {}).some(({ id }) => id === 'four-eyes')).toBe(true)
})
