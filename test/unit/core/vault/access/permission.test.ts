/**
 * Callers without a permission: what they are refused, and what they learn.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { Action } from '../../../../../core/vault/access/rules.ts'
import type { OperationName } from '../../../../../core/vault/operation_table.ts'
import { callerFor, openVault, writeOf } from '../../../../support/core.ts'
import { versionsOf, withSecret } from '../secrets_fixture.ts'

describe('a caller without permission', () => {
  const asks: [OperationName, (name: string) => unknown][] = [
    ['secret.read', (name) => ({ name })],
    ['secret.read', (name) => ({ name, version: 1 })],
    ['secret.write', (name) => writeOf(name, { expect: 'absent' })],
    ['secret.versions', versionsOf],
    ['secret.delete', (name) => ({ name })],
    ['secret.restore', (name) => ({ name })],
    ['secret.destroy', (name) => ({ name })],
    ['secret.prepare', (name) => ({ name })],
    ['secret.unopened', (name) => ({ name, version: 1, reason: 'tampered' })],
  ]

  it.each(asks)('is denied %s identically whether or not the secret exists', (operation, inputFor) => {
    const bench = openVault()
    bench.enrol('eve')
    bench.rule('elsewhere', 'eve', ['read', 'write', 'delete', 'admin'], 'elsewhere/**')
    for (const name of ['there', 'deleted', 'destroyed']) bench.granted('admin', 'secret.write', writeOf(name))
    bench.granted('admin', 'secret.delete', { name: 'deleted' })
    bench.granted('admin', 'secret.destroy', { name: 'destroyed' })
    const seen = ['there', 'deleted', 'destroyed', 'never'].map((name) => {
      const [answer] = bench.execute({ operation, caller: callerFor('eve'), input: inputFor(name) })
      const { index, previous, resource, ...entry } = bench.log().at(-1)! as never as Record<string, unknown>
      expect([answer!.index, resource]).toEqual([index, name])
      expect(previous).toEqual(expect.any(String))
      return { answer: { ...answer, index: null }, entry }
    })
    expect(seen[0]!.answer).toEqual({ ok: false, index: null, quota: null, reason: 'denied' })
    expect(seen[0]!.entry).toMatchObject({ outcome: 'denied', rule: null })
    for (const other of seen.slice(1)) expect(other).toEqual(seen[0])
  })

  it('changes nothing', () => {
    const { bench } = withSecret()
    bench.enrol('eve')
    const state = () =>
      ['secret', 'version', 'idempotency', 'rule', 'token', 'principal'].map((table) =>
        bench.database.all(`SELECT * FROM ${table}`),
      )
    const before = state()
    for (const [operation, inputFor] of asks) {
      bench.execute({ operation, caller: callerFor('eve'), input: inputFor('prod/db') })
    }
    bench.ask('eve', 'rule.put', { id: 'r', effect: 'permit', principal: 'eve', actions: ['admin'], resource: '**' })
    bench.ask('eve', 'principal.put', { id: 'eve2', kind: 'user', disabled: false })
    expect(state()).toEqual(before)
  })

  it.each<[OperationName, Action, unknown]>([
    ['secret.read', 'read', { name: 'a/b' }],
    ['secret.versions', 'read', versionsOf('a/b')],
    ['secret.write', 'write', writeOf('a/b', { version: 2 })],
    ['secret.delete', 'delete', { name: 'a/b' }],
    ['secret.restore', 'delete', { name: 'a/b' }],
    ['secret.destroy', 'delete', { name: 'a/b' }],
  ])('needs for %s exactly the right to %s on that name', (operation, action, input) => {
    const bench = openVault()
    bench.enrol('bob')
    bench.granted('admin', 'secret.write', writeOf('a/b'))
    const others = (['read', 'write', 'delete', 'rotate', 'admin'] as const).filter((one) => one !== action)
    const outcome = () => {
      const [answer] = bench.execute({ operation, caller: callerFor('bob'), input })
      return answer!.ok ? 'ok' : answer!.reason
    }
    bench.rule('others', 'bob', others, '**')
    bench.rule('elsewhere', 'bob', [action], 'a/c')
    expect(outcome()).toBe('denied')
    bench.rule('right', 'bob', [action], 'a/*')
    expect(outcome()).toBe('ok')
    expect(bench.log().at(-1)).toMatchObject({ rule: 'right', action, resource: 'a/b' })
    bench.rule('z-forbid', '*', [action], 'a/b', 'forbid')
    expect(outcome()).toBe('denied')
    expect(bench.log().at(-1)).toMatchObject({ rule: 'z-forbid', outcome: 'denied' })
  })

  it.each<[OperationName, string, unknown]>([
    ['principal.list', 'principals', {}],
    ['principal.put', 'principals', { id: 'x', kind: 'user', disabled: false }],
    ['token.list', 'tokens', {}],
    ['token.revoke', 'tokens', { accessor: 'none' }],
    ['rule.list', 'rules', {}],
    ['rule.put', 'rules', { id: 'x', effect: 'permit', principal: 'x', actions: ['read'], resource: 'x' }],
    ['rule.delete', 'rules', { id: 'none' }],
    ['audit.entries', 'audit', { from: 0, limit: 1 }],
  ])('needs for %s the right to administer %s', (operation, resource, input) => {
    const bench = openVault()
    bench.enrol('bob')
    const reasonNow = () => {
      const [answer] = bench.execute({ operation, caller: callerFor('bob'), input })
      return answer!.ok ? 'ok' : answer!.reason
    }
    bench.rule('others', 'bob', ['read', 'write', 'delete', 'rotate'], '**')
    for (const other of ['principals', 'tokens', 'rules', 'audit'].filter((one) => one !== resource)) {
      bench.rule(`admin-${other}`, 'bob', ['admin'], other)
    }
    expect(reasonNow()).toBe('denied')
    bench.rule('right', 'bob', ['admin'], resource)
    expect(reasonNow()).not.toBe('denied')
  })
})
