/**
 * Calls whose credential names no principal.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { callOf, openVault, writeOf } from '../../../../support/core.ts'

describe('an unauthenticated call', () => {
  const refused = { ok: false, index: null, quota: null, reason: 'unauthenticated' }
  const read = (who: string) => callOf(who, 'secret.read', { name: 'a' })

  it.each<[string, (bench: ReturnType<typeof openVault>) => void]>([
    ['is unknown', () => {}],
    ['has expired', (bench) => bench.enrol('bob', bench.now)],
    [
      'is revoked',
      (bench) => {
        bench.enrol('bob')
        bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-bob' })
      },
    ],
    [
      'is of a principal that is disabled',
      (bench) => {
        bench.enrol('bob')
        bench.granted('admin', 'principal.put', { id: 'bob', kind: 'user', disabled: true })
      },
    ],
  ])('gets one constant answer and at most one entry when its token %s', (state, arrange) => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', writeOf('a'))
    arrange(bench)
    bench.rule('all', '*', ['read'], '**')
    const before = bench.log().length
    expect(bench.execute(read('bob'))).toEqual([refused])
    expect(bench.execute(callOf('bob', 'rule.list', {} as never))).toEqual([refused])
    expect(bench.log()).toHaveLength(before + (state === 'is unknown' ? 0 : 1))
  })

  it('ends at once, in the middle of a batch', () => {
    const bench = openVault()
    bench.enrol('bob')
    bench.rule('bob', 'bob', ['read'], '**')
    bench.granted('admin', 'secret.write', writeOf('a'))
    const [before, , after] = bench.execute(
      read('bob'),
      callOf('admin', 'token.revoke', { accessor: 'accessor-of-bob' }),
      read('bob'),
    )
    expect(before!.ok).toBe(true)
    expect(after).toEqual(refused)
  })

  it('is authenticated until the token expires, to the millisecond, and again when its principal is enabled', () => {
    const bench = openVault()
    bench.enrol('bob', bench.now + 1)
    expect(bench.execute(read('bob'))[0]).toMatchObject({ reason: 'denied' })
    bench.now += 1
    expect(bench.execute(read('bob'))).toEqual([refused])
    bench.enrol('carol')
    for (const [disabled, reason] of [
      [true, 'unauthenticated'],
      [false, 'denied'],
    ] as const) {
      bench.granted('admin', 'principal.put', { id: 'carol', kind: 'user', disabled })
      expect(bench.execute(read('carol'))[0]).toMatchObject({ reason })
    }
  })
})
