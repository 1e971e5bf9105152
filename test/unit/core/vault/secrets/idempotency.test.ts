/**
 * Writes that carry an idempotency key.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { DAY_MS } from '../../../../../core/durations.ts'
import { openVault, writeOf } from '../../../../support/core.ts'

describe('an idempotency key', () => {
  const keyed = (key = 'k', fingerprint = 'f', name = 'a') => writeOf(name, { idempotency: { key, fingerprint } })
  const countOf = (bench: ReturnType<typeof openVault>) => bench.database.all('SELECT number FROM version').length

  it('row 19: gives a repeated write the answer of the first, and writes nothing', () => {
    const bench = openVault()
    const first = bench.granted('admin', 'secret.write', keyed())
    expect(first).toEqual({ name: 'a', version: 1, replayed: false })
    bench.granted('admin', 'secret.write', writeOf('a'))
    expect(bench.granted('admin', 'secret.write', keyed())).toEqual({ name: 'a', version: 1, replayed: true })
    expect(countOf(bench)).toBe(2)
    expect(bench.log().at(-1)).toMatchObject({ outcome: 'ok', facts: { version: 1, replayed: true } })
  })

  it('answers a repeat even where a new write would be refused', () => {
    const bench = openVault()
    const input = { ...keyed(), expect: 'absent' as const }
    bench.granted('admin', 'secret.write', input)
    expect(bench.granted('admin', 'secret.write', input).replayed).toBe(true)
    expect(bench.reason('admin', 'secret.write', { ...keyed('k2'), expect: 'absent' })).toBe('exists')
  })

  it('row 19: refuses another request under the same key', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', keyed('k', 'f'))
    expect(bench.reason('admin', 'secret.write', keyed('k', 'g'))).toBe('key_reused')
    expect(bench.reason('admin', 'secret.write', keyed('k', 'g', 'other'))).toBe('key_reused')
    expect(countOf(bench)).toBe(1)
  })

  it('belongs to one principal: another may use the same', () => {
    const bench = openVault()
    bench.enrol('bob')
    bench.rule('bob', 'bob', ['write'], '**')
    bench.granted('admin', 'secret.write', keyed())
    expect(bench.granted('bob', 'secret.write', keyed('k', 'other'))).toEqual({
      name: 'a',
      version: 2,
      replayed: false,
    })
  })

  it('is not used up by a refused write', () => {
    const bench = openVault()
    expect(bench.reason('admin', 'secret.write', { ...keyed(), expect: 7 })).toBe('version_mismatch')
    expect(bench.granted('admin', 'secret.write', keyed()).replayed).toBe(false)
  })

  it('gives no answer to a caller who may no longer write', () => {
    const bench = openVault()
    bench.enrol('bob')
    bench.rule('bob', 'bob', ['write'], '**')
    bench.granted('bob', 'secret.write', keyed())
    bench.granted('admin', 'rule.delete', { id: 'bob' })
    expect(bench.reason('bob', 'secret.write', keyed())).toBe('denied')
  })

  it('is remembered for a day', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', keyed())
    bench.now += DAY_MS - 1
    bench.granted('admin', 'secret.write', keyed('later', 'g'))
    expect(bench.granted('admin', 'secret.write', keyed()).replayed).toBe(true)
    bench.now += 1
    expect(bench.granted('admin', 'secret.write', keyed())).toEqual({ name: 'a', version: 3, replayed: false })
    expect(bench.granted('admin', 'secret.write', keyed()).replayed).toBe(true)
  })

  it('is forgotten when its value is destroyed, since its fingerprint covers it', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', keyed())
    bench.granted('admin', 'secret.write', keyed('other', 'g', 'b'))
    bench.granted('admin', 'secret.destroy', { name: 'a' })
    expect(bench.database.all('SELECT name FROM idempotency')).toEqual([{ name: 'b' }])
    expect(bench.granted('admin', 'secret.write', keyed())).toEqual({ name: 'a', version: 2, replayed: false })
  })
})
