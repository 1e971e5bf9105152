/**
 * Writes that hold for one current version.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { WriteInput } from '../../../../../core/vault/secrets/operations.ts'
import { callOf, openVault, writeOf } from '../../../../support/core.ts'

describe('check-and-set', () => {
  type State = 'absent' | 'there' | 'deleted' | 'destroyed'
  const inState = (state: State) => {
    const bench = openVault()
    if (state !== 'absent') {
      bench.granted('admin', 'secret.write', writeOf('a'))
      bench.granted('admin', 'secret.write', writeOf('a'))
    }
    if (state === 'deleted') bench.granted('admin', 'secret.delete', { name: 'a' })
    if (state === 'destroyed') bench.granted('admin', 'secret.destroy', { name: 'a' })
    return bench
  }

  it.each<[State, WriteInput['expect'], string]>([
    ['absent', undefined, 'ok'],
    ['absent', 'absent', 'ok'],
    ['absent', 1, 'version_mismatch'],
    ['there', undefined, 'ok'],
    ['there', 'absent', 'exists'],
    ['there', 1, 'version_mismatch'],
    ['there', 2, 'ok'],
    ['there', 3, 'version_mismatch'],
    ['deleted', undefined, 'restore_first'],
    ['deleted', 'absent', 'exists'],
    ['deleted', 1, 'version_mismatch'],
    ['deleted', 2, 'restore_first'],
    ['destroyed', undefined, 'ok'],
    ['destroyed', 'absent', 'ok'],
    ['destroyed', 2, 'version_mismatch'],
  ])('for a secret that is %s, and a write that expects %s: %s', (state, expected, outcome) => {
    const bench = inState(state)
    const numbers = () => bench.database.all('SELECT number FROM version').length
    const before = numbers()
    const input = writeOf('a', expected === undefined ? {} : { expect: expected })
    expect(bench.reason('admin', 'secret.write', input)).toBe(outcome)
    expect(numbers() - before).toBe(outcome === 'ok' ? 1 : 0)
  })

  it('on a delete accepts the current version only', () => {
    const { reason } = inState('there')
    expect(reason('admin', 'secret.delete', { name: 'a', expect: 1 })).toBe('version_mismatch')
    expect(reason('admin', 'secret.read', { name: 'a' })).toBe('ok')
    expect(reason('admin', 'secret.delete', { name: 'a', expect: 2 })).toBe('ok')
  })

  it('on a restore and a destroy accepts the current version only', () => {
    for (const operation of ['secret.restore', 'secret.destroy'] as const) {
      const { reason } = inState('deleted')
      expect(reason('admin', operation, { name: 'a', expect: 1 })).toBe('version_mismatch')
      expect(reason('admin', operation, { name: 'a', expect: 2 })).toBe('ok')
    }
  })

  it('lets one of two writers in the same batch win', () => {
    const bench = inState('there')
    const calls = [1, 2].map(() => callOf('admin', 'secret.write', writeOf('a', { expect: 2, version: 3 })))
    expect(bench.execute(...calls).map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual([
      'ok',
      'version_mismatch',
    ])
  })
})
