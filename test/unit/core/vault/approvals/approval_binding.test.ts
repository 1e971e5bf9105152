/** What an approval is given for: this very thing as it is, and not another one that has its name since. */
import { describe, expect, it } from 'vitest'
import type { Input, OperationName } from '../../../../../core/vault/operation_table.ts'
import { writeOf } from '../../../../support/core.ts'
import { byName, guarded } from './approval_fixture.ts'

const chain = {
  ...{ id: 'c', resource: 'cloud/**', members: [{ provider: 'aws' }], onNotFound: 'stop', onDenied: 'stop' },
  ...{ cacheSeconds: 0, maxStaleSeconds: 0, replicate: false },
} as Input<'chain.put'>
const rule = { id: 'r', effect: 'permit', principal: 'carol', actions: ['read'], resource: 'a' } as Input<'rule.put'>
const hook = { id: 'h', url: 'https://one.example/', kid: 'root.1', sealed: Uint8Array.of(1), newSecret: false }
const config = {
  ...{ rotateEvery: 30, jitterSeconds: 0, freeze: [], target: { kind: 'generate' }, graceSeconds: 3600 },
  generate: { kind: 'password', length: 32 },
} as Input<'rotation.put'>['config']
const rotation = { name: 'prod/db', config }
const every = (days: number) => ({ ...rotation, config: { ...config, rotateEvery: days } })
const OTHER_URL = 'https://two.example/'

/** ann may administer everything, if bob approves; admin may without. */
function bound() {
  const all = guarded(1, ['read'])
  const { bench } = all
  bench.rule('ann-admin', 'ann', ['admin'], '**')
  const approvals = { required: 1, from: ['bob'], withinSeconds: 3600 }
  const about = { id: 'bob-too', effect: 'forbid', principal: 'ann', resource: '**' } as const
  bench.granted('admin', 'rule.put', { ...about, actions: ['admin', 'rotate'], unless: { approvals } })
  return all
}

describe('an approval to change or delete something', () => {
  it.each<[string, OperationName, OperationName, object, object, object, object]>([
    ['a chain', 'chain.put', 'chain.delete', chain, { id: 'c' }, { id: 'c' }, { ...chain, resource: 'other/**' }],
    [
      'a chain',
      'chain.put',
      'chain.put',
      chain,
      { ...chain, replicate: true },
      { id: 'c' },
      { ...chain, cacheSeconds: 9 },
    ],
    ['a rule', 'rule.put', 'rule.delete', rule, { id: 'r' }, { id: 'r' }, { ...rule, resource: 'b' }],
    ['a rule', 'rule.put', 'rule.put', rule, { ...rule, actions: ['write'] }, { id: 'r' }, { ...rule, resource: 'b' }],
    ['a hook', 'hook.put', 'hook.put', hook, { ...hook, newSecret: true }, { id: 'h' }, { ...hook, url: OTHER_URL }],
    ['a rotation', 'rotation.put', 'rotation.put', every(30), every(1), byName, every(9)],
  ])('is void for a later %s of the same name (%s, %s)', (_, put, asked, first, input, gone, other) => {
    const { bench, ask, requested, decide, outcome } = bound()
    const change = (operation: OperationName, what: object) => bench.granted('admin', operation, what as never)
    change(put, first)
    const approval = requested('ann', asked, input as never)
    expect(decide('bob', approval)).toBe('ok')
    change(put.replace('.put', '.delete') as OperationName, gone)
    expect(outcome(ask('ann', asked, input as never, approval))).toBe('approval_mismatch')
    change(put, other)
    expect(outcome(ask('ann', asked, input as never, approval))).toBe('approval_mismatch')
    expect(bench.log().at(-1)).toMatchObject({ operation: asked, outcome: 'approval_mismatch' })
  })

  it('shows the content of a rule before its deletion', () => {
    const { bench, ask, requested } = bound()
    bench.granted('admin', 'rule.put', rule)
    const { id } = requested('ann', 'rule.delete', { id: 'r' })
    const shown = ask('bob', 'approval.show', { id })
    expect(shown.ok && JSON.parse(shown.value.body).params.before).toMatchObject({ resource: 'a', version: 1 })
  })

  it('is void for a rule that was changed and changed back', () => {
    const { bench, ask, requested, decide, outcome } = bound()
    bench.granted('admin', 'rule.put', rule)
    const approval = requested('ann', 'rule.delete', { id: 'r' })
    expect(decide('bob', approval)).toBe('ok')
    for (const resource of ['b', 'a']) bench.granted('admin', 'rule.put', { ...rule, resource })
    expect(outcome(ask('ann', 'rule.delete', { id: 'r' }, approval))).toBe('approval_mismatch')
  })
})

describe('unlocking a principal', () => {
  it('takes the approval for principals, which further failures do not void', () => {
    const { bench, ask, requested, decide, outcome } = bound()
    const fail = () =>
      bench.database.all("INSERT OR REPLACE INTO attempt VALUES ('carol', 's', ?, 1, 9e15, NULL)", ++tries)
    let tries = 2
    fail()
    expect(outcome(ask('ann', 'lock.clear', { id: 'carol' }))).toBe('approval_required')
    expect(bench.granted('admin', 'lock.list', {})).toHaveLength(1)
    const approval = requested('ann', 'lock.clear', { id: 'carol' })
    expect(decide('bob', approval)).toBe('ok')
    fail()
    expect(outcome(ask('ann', 'lock.clear', { id: 'dave' }, approval))).toBe('approval_mismatch')
    expect(outcome(ask('ann', 'lock.clear', { id: 'carol' }, approval))).toBe('ok')
    expect(bench.granted('admin', 'lock.list', {})).toEqual([])
  })

  it('needs another approval after the principal was disabled', () => {
    const { bench, ask, requested, decide, outcome } = bound()
    const approval = requested('ann', 'lock.clear', { id: 'carol' })
    expect(decide('bob', approval)).toBe('ok')
    bench.granted('admin', 'principal.put', { id: 'carol', kind: 'user', disabled: true })
    expect(outcome(ask('ann', 'lock.clear', { id: 'carol' }, approval))).toBe('approval_mismatch')
  })
})

describe('to steer a run', () => {
  const running = () => {
    const all = bound()
    all.bench.granted('admin', 'rotation.put', rotation)
    all.bench.granted('admin', 'rotation.start', { ...byName, restores: null, force: false })
    return all
  }

  it.each(['cancel', 'abandon'] as const)('takes the approval that is demanded for rotations: %s', (to) => {
    const { bench, ask, requested, decide, outcome } = running()
    expect(outcome(ask('ann', 'rotation.steer', { ...byName, to }))).toBe('approval_required')
    expect(bench.granted('admin', 'rotation.show', byName).run).toMatchObject({ step: 'create', outcome: null })
    const approval = requested('ann', 'rotation.steer', { ...byName, to })
    expect(decide('bob', approval)).toBe('ok')
    const other = to === 'cancel' ? 'abandon' : 'cancel'
    expect(outcome(ask('ann', 'rotation.steer', { ...byName, to: other }, approval))).toBe('approval_mismatch')
    expect(outcome(ask('ann', 'rotation.steer', { ...byName, to }, approval))).toBe('ok')
  })

  it('is void for the next run, and for another step of the same run', () => {
    const { bench, ask, requested, decide, outcome } = running()
    const step = requested('ann', 'rotation.steer', { ...byName, to: 'abandon' })
    expect(decide('bob', step)).toBe('ok')
    bench.granted('admin', 'rotation.steer', { ...byName, to: 'cancel' })
    expect(outcome(ask('ann', 'rotation.steer', { ...byName, to: 'abandon' }, step))).toBe('approval_mismatch')
    const run = requested('ann', 'rotation.steer', { ...byName, to: 'abandon' })
    expect(decide('bob', run)).toBe('ok')
    bench.granted('admin', 'rotation.steer', { ...byName, to: 'abandon' })
    bench.granted('admin', 'rotation.start', { ...byName, restores: null, force: false })
    expect(outcome(ask('ann', 'rotation.steer', { ...byName, to: 'abandon' }, run))).toBe('approval_mismatch')
  })

  it('takes no approval to retry a step, which happens anyway', () => {
    const { ask, outcome } = running()
    expect(outcome(ask('ann', 'rotation.steer', { ...byName, to: 'retry' }))).toBe('ok')
  })
})

describe('an approval to read', () => {
  it.each<[object, object]>([
    [{ field: '/user' }, { field: '/password' }],
    [{ field: '/user' }, {}],
    [{}, { field: '/user' }],
    [{ field: '' }, {}],
    [
      { version: 1, field: '/user' },
      { version: 2, field: '/user' },
    ],
  ])('opens %j and not %j', (asked, other) => {
    const { ask, requested, decide, outcome } = guarded(1, ['read'])
    const approval = requested('ann', 'secret.read', { ...byName, ...asked })
    expect(decide('bob', approval)).toBe('ok')
    expect(outcome(ask('ann', 'secret.read', { ...byName, ...other }, approval))).toBe('approval_mismatch')
    expect(outcome(ask('ann', 'secret.read', { ...byName, ...asked }, approval))).toBe('ok')
  })

  it('by a stage is for the version that had it', () => {
    const { bench, ask, requested, decide, outcome } = guarded(1, ['read'])
    const previous = { ...byName, version: 'previous' }
    const approval = requested('ann', 'secret.read', previous)
    expect(decide('bob', approval)).toBe('ok')
    bench.granted('ann', 'secret.write', writeOf('prod/db', { version: 4 }))
    expect(outcome(ask('ann', 'secret.read', previous, approval))).toBe('approval_mismatch')
    expect(outcome(ask('ann', 'secret.read', { ...byName, version: 2 }, approval))).toBe('ok')
  })
})
