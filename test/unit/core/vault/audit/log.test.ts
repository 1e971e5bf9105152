import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leafHash } from '../../../../../core/tlog/merkle.ts'
import { Log } from '../../../../../core/vault/audit/log.ts'
import { migrate } from '../../../../../core/vault/migrate.ts'
import { openSqlite } from '../../../../../worker/local/sqlite.ts'
import { bytesOf } from '../../../../support/core.ts'
import { hexOf } from '../../../../support/hex.ts'
import { merkleTreeHash } from '../../../../support/reference/rfc6962.ts'

function openLog() {
  const sql = openSqlite(':memory:')
  migrate(sql, 0)
  const log = new Log(sql)
  const append = (body: Uint8Array) => sql.atomic(() => log.append(() => body))
  return { sql, log, append }
}

describe('Log', () => {
  it('is empty at first: the hash of nothing', () => {
    const { log } = openLog()
    expect(log.size).toBe(0)
    expect(hexOf(log.head().root)).toBe(createHash('sha256').digest('hex'))
    expect(log.head().size).toBe(0)
    expect(log.entries(0, 10)).toEqual([])
  })

  it('keeps the tree head of RFC 6962 at every size from 0 to 300', { timeout: 60_000 }, () => {
    const { log, append } = openLog()
    const bodies: Uint8Array[] = []
    for (let n = 0; n < 300; n++) {
      const body = bytesOf(`{"n":${n}}`)
      expect(append(body)).toBe(n)
      bodies.push(body)
      const { size, root } = log.head()
      expect([size, hexOf(root)]).toEqual([n + 1, hexOf(merkleTreeHash(bodies))])
    }
  })

  it('keeps the tree head of RFC 6962 for any entries', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 80 }), (bodies) => {
        const { sql, log, append } = openLog()
        for (const body of bodies) append(body)
        expect(hexOf(log.head().root)).toBe(hexOf(merkleTreeHash(bodies)))
        expect(log.entries(0, 100).map(({ body }) => hexOf(body))).toEqual(bodies.map(hexOf))
        sql.close()
      }),
      { numRuns: 40 },
    )
  })

  it('stores the hashes of every complete subtree, and no others', () => {
    const { sql, append } = openLog()
    for (let n = 0; n < 64; n++) append(Uint8Array.of(n))
    const rows = sql.all<{ count: number; most: number }>('SELECT COUNT(*) AS count, MAX(p) AS most FROM hash')
    expect(rows).toEqual([{ count: 127, most: 126 }])
  })

  it('gives each entry its index and the leaf hash of the previous one', () => {
    const { sql, log } = openLog()
    const told: [number, string | null][] = []
    for (let n = 0; n < 5; n++) {
      sql.atomic(() =>
        log.append((index, previous) => {
          told.push([index, previous && hexOf(previous)])
          return bytesOf(`entry ${index}`)
        }),
      )
    }
    const leaf = (n: number) => hexOf(leafHash(bytesOf(`entry ${n}`)))
    expect(told).toEqual([0, 1, 2, 3, 4].map((n) => [n, n === 0 ? null : leaf(n - 1)]))
  })

  it('undoes a rolled-back append with its size and hashes', () => {
    const { sql, log, append } = openLog()
    for (let n = 0; n < 3; n++) append(Uint8Array.of(n))
    const before = log.head()
    expect(() =>
      sql.atomic(() => {
        expect(log.append(() => bytesOf('lost'))).toBe(3)
        expect(log.size).toBe(4)
        throw new Error('rolled back')
      }),
    ).toThrow('rolled back')
    expect(log.head()).toEqual(before)
    expect(log.size).toBe(3)
    expect(append(Uint8Array.of(3))).toBe(3)
    expect(hexOf(log.head().root)).toBe(hexOf(merkleTreeHash([0, 1, 2, 3].map((n) => Uint8Array.of(n)))))
  })

  it('appends nothing when the entry cannot be written', () => {
    const { sql, log } = openLog()
    const fail = () => {
      throw new TypeError('no JSON form')
    }
    expect(() => sql.atomic(() => log.append(fail))).toThrow(TypeError)
    expect(log.size).toBe(0)
  })

  it('is read from the store: a second log over it sees the same', () => {
    const { sql, log, append } = openLog()
    for (let n = 0; n < 7; n++) append(Uint8Array.of(n))
    expect(new Log(sql).head()).toEqual(log.head())
  })

  it('returns entries from an index on, in order, up to the limit', () => {
    const { log, append } = openLog()
    for (let n = 0; n < 7; n++) append(Uint8Array.of(n))
    const indices = (from: number, limit: number) => log.entries(from, limit).map(({ index }) => index)
    expect(indices(0, 3)).toEqual([0, 1, 2])
    expect(indices(5, 10)).toEqual([5, 6])
    expect(indices(7, 10)).toEqual([])
    expect(indices(0, 0)).toEqual([])
    expect([...log.entries(4, 1)[0]!.body]).toEqual([4])
  })

  it('refuses to append after a missing hash', () => {
    const { sql, log, append } = openLog()
    for (let n = 0; n < 3; n++) append(Uint8Array.of(n))
    sql.all('DELETE FROM hash WHERE p = 3')
    expect(() => log.head()).toThrow(RangeError)
    expect(() => sql.atomic(() => new Log(sql).append(() => Uint8Array.of(3)))).toThrow(RangeError)
  })
})
