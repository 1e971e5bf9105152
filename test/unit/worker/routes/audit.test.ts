/**
 * The routes of the log, over a store that was edited.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { openApp } from '../provider_access/provider_access_fixture.ts'

describe('a proof of an entry', () => {
  it.each([
    ['lacks signatures', () => 'example.com/log\n3\n'],
    ['has a size with a leading zero', (note: string) => note.replace(/\n(\d+)\n/, '\n0$1\n')],
    ['has no size', (note: string) => note.replace(/\n\d+\n/, '\nx\n')],
  ])('is refused as tampered when the stored checkpoint %s', async (_, edit) => {
    const bench = await openApp(null)
    const proof = () => bench.send('/v1/vaults/default/audit/proof/0')
    expect((await proof()).status).toBe(200)
    const [stored] = bench.sql.all<{ note: string }>('SELECT note FROM checkpoint')
    bench.sql.all('UPDATE checkpoint SET note = ?', edit(stored!.note))
    const response = await proof()
    expect([response.status, await response.json()]).toMatchObject([500, { code: 'tampered' }])
  })
})
