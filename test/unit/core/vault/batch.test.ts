/**
 * Calls that are executed in one transaction.
 *
 * @module
 */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { OperationName } from '../../../../core/vault/operation_table.ts'
import type { Call } from '../../../../core/vault/rpc.ts'
import { callerFor, callOf, openVault, writeOf } from '../../../support/core.ts'

describe('a batch', () => {
  // A transaction ends when its calls take long, and a busy machine must not decide how many there are.
  beforeEach(() => void vi.spyOn(performance, 'now').mockReturnValue(0))
  afterEach(() => void vi.mocked(performance.now).mockRestore())

  const broken: Call = { operation: 'no.such' as OperationName, caller: callerFor('admin'), input: {} }

  it('answers in order, and each call sees the effects of the previous ones', () => {
    const bench = openVault()
    const answers = bench.execute(
      callOf('admin', 'secret.read', { name: 'a' }),
      callOf('admin', 'secret.write', writeOf('a')),
      callOf('admin', 'secret.read', { name: 'a' }),
      callOf('admin', 'secret.delete', { name: 'a' }),
      callOf('admin', 'secret.read', { name: 'a' }),
    )
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual([
      'no_secret',
      'ok',
      'ok',
      'ok',
      'deleted',
    ])
  })

  it('has no answers and no entries when it is empty', () => {
    const bench = openVault()
    const before = bench.log().length
    expect(bench.execute()).toEqual([])
    expect(bench.log()).toHaveLength(before)
  })

  it('executes the other calls exactly once when one throws', () => {
    const bench = openVault()
    const before = bench.log().length
    const answers = bench.execute(
      callOf('admin', 'secret.write', writeOf('a')),
      broken,
      callOf('admin', 'secret.write', writeOf('a', { version: 2 })),
      callOf('admin', 'secret.read', { name: 'a' }),
    )
    expect(answers[0]).toMatchObject({ ok: true, index: before, value: { version: 1 } })
    expect(answers[1]).toEqual({ ok: false, index: null, quota: null, reason: 'failed' })
    expect(answers[2]).toMatchObject({ ok: true, index: before + 1, value: { version: 2 } })
    expect(answers[3]).toMatchObject({ ok: true, index: before + 2, value: { version: 2 } })
    expect(bench.log()).toHaveLength(before + 3)
  })

  it('executes the calls before a throwing one in one transaction, and those behind it in another', () => {
    const bench = openVault()
    const calls = Array.from({ length: 20 }, (_, i) => callOf('admin', 'secret.write', writeOf(`n${i}`)))
    calls[12] = broken
    const atomic = vi.spyOn(bench.sql, 'atomic')
    const answers = bench.execute(...calls)
    expect(answers.map(({ ok }) => ok)).toEqual(calls.map((call) => call !== broken))
    // All, those before, the rest, it alone, and the rest again.
    expect(atomic).toHaveBeenCalledTimes(5)
  })

  it('with slow calls takes several transactions, and answers the same', () => {
    const bench = openVault()
    const calls = Array.from({ length: 6 }, (_, i) => callOf('admin', 'secret.write', writeOf(`n${i}`)))
    let now = 0
    vi.mocked(performance.now).mockImplementation(() => (now += 9))
    const atomic = vi.spyOn(bench.sql, 'atomic')
    expect(bench.execute(...calls).map(({ ok }) => ok)).toEqual(calls.map(() => true))
    expect(atomic).toHaveBeenCalledTimes(2)
  })

  it('row 42: releases and keeps nothing when the log cannot be written', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', writeOf('a'))
    const before = bench.log().length
    bench.fails = (query) => query.startsWith('INSERT INTO entry')
    const answers = bench.execute(
      callOf('admin', 'secret.read', { name: 'a' }),
      callOf('admin', 'secret.write', writeOf('a', { version: 2 })),
      callOf('admin', 'secret.delete', { name: 'a' }),
    )
    expect(answers).toEqual(Array(3).fill({ ok: false, index: null, quota: null, reason: 'storage' }))
    bench.fails = () => false
    expect(bench.log()).toHaveLength(before)
    expect(bench.granted('admin', 'secret.read', { name: 'a' }).version).toBe(1)
  })

  it('does not decide by a rule whose write was rolled back', () => {
    const bench = openVault()
    bench.enrol('bob')
    bench.granted('admin', 'secret.write', writeOf('a'))
    const permit = { id: 'r', effect: 'permit', principal: 'bob', actions: ['read'], resource: 'a' } as const
    // The third entry fails; then each call is tried alone, and the rule cannot be written at all.
    let entries = 0
    let ended = false
    bench.fails = (query) => {
      if (query.startsWith('INSERT INTO entry') && ++entries === 3) ended = true
      return ended && query.startsWith('INSERT')
    }
    const readByBob = callOf('bob', 'secret.read', { name: 'a' })
    bench.execute(callOf('admin', 'rule.put', permit), readByBob, readByBob)
    expect(entries).toBeGreaterThan(2)
    bench.fails = () => false
    expect(bench.granted('admin', 'rule.list', {} as never).some(({ id }) => id === 'r')).toBe(false)
    expect(bench.execute(readByBob)[0]).toMatchObject({ ok: false, reason: 'denied' })
  })

  it('answers as its calls would one by one', { timeout: 180_000 }, () => {
    const name = fc.constantFrom('a', 'b', 'c/d')
    const version = fc.integer({ min: 1, max: 3 })
    const call = fc.oneof(
      fc.tuple(name, version, fc.constantFrom(undefined, 'absent' as const, 1, 2)).map(([one, next, expected]) => {
        const input = writeOf(one, { version: next, ...(expected === undefined ? {} : { expect: expected }) })
        return callOf('admin', 'secret.write', input)
      }),
      name.map((one) => callOf('admin', 'secret.read', { name: one })),
      name.map((one) => callOf('admin', 'secret.delete', { name: one })),
      name.map((one) => callOf('admin', 'secret.restore', { name: one })),
      fc.tuple(name, version).map(([one, number]) => callOf('admin', 'secret.destroy', { name: one, version: number })),
      fc.constant(callOf('eve', 'secret.read', { name: 'a' })),
      fc.constant(broken),
    )
    fc.assert(
      fc.property(fc.array(call, { maxLength: 12 }), (calls) => {
        const [together, apart] = [openVault(), openVault()]
        const answers = together.execute(...calls)
        expect(answers).toEqual(calls.flatMap((one) => apart.execute(one)))
        expect(together.log()).toHaveLength(apart.log().length)
        together.database.close()
        apart.database.close()
      }),
      { numRuns: 60 },
    )
  })
})
