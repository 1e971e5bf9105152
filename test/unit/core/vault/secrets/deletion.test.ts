/**
 * Deleting, restoring and destroying secrets.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { openVault, writeOf } from '../../../../support/core.ts'
import { listAll, versionsOf, withSecret } from '../secrets_fixture.ts'

describe('secret.delete and secret.restore', () => {
  it('hide all versions, and restore them unchanged', () => {
    const { granted, reason, bench } = withSecret()
    expect(granted('admin', 'secret.delete', { name: 'prod/db' })).toEqual({ deletedAt: bench.now })
    expect(reason('admin', 'secret.read', { name: 'prod/db' })).toBe('deleted')
    expect(reason('admin', 'secret.read', { name: 'prod/db', version: 1 })).toBe('deleted')
    expect(reason('admin', 'secret.delete', { name: 'prod/db' })).toBe('deleted')
    expect(granted('admin', 'secret.list', listAll).items).toEqual([])
    expect(granted('admin', 'secret.restore', { name: 'prod/db' })).toEqual({ version: 3 })
    expect(granted('admin', 'secret.read', { name: 'prod/db' }).version).toBe(3)
    expect(granted('admin', 'secret.read', { name: 'prod/db', version: 1 }).version).toBe(1)
  })

  it('keep the history visible, and list deleted secrets on request', () => {
    const { granted, bench } = withSecret()
    granted('admin', 'secret.write', writeOf('prod/dc'))
    granted('admin', 'secret.delete', { name: 'prod/db' })
    const history = granted('admin', 'secret.versions', versionsOf('prod/db'))
    expect([history.items.length, history.deletedAt]).toEqual([3, bench.now])
    const names = (deleted: boolean) =>
      granted('admin', 'secret.list', { ...listAll, deleted }).items.map(({ name }) => name)
    expect([names(false), names(true)]).toEqual([['prod/dc'], ['prod/db']])
  })

  it('do not let a write undo a delete', () => {
    const { granted, reason } = withSecret()
    granted('admin', 'secret.delete', { name: 'prod/db' })
    expect(reason('admin', 'secret.write', writeOf('prod/db'))).toBe('restore_first')
    expect(reason('admin', 'secret.write', writeOf('prod/db', { expect: 3 }))).toBe('restore_first')
    expect(granted('admin', 'secret.versions', versionsOf('prod/db')).items).toHaveLength(3)
  })

  it('may be repeated: restoring twice does nothing more', () => {
    const { granted, reason } = withSecret()
    expect(granted('admin', 'secret.restore', { name: 'prod/db' })).toEqual({ version: 3 })
    expect(reason('admin', 'secret.read', { name: 'prod/db' })).toBe('ok')
  })

  it('refuse an absent name', () => {
    const { reason } = openVault()
    expect(reason('admin', 'secret.delete', { name: 'a' })).toBe('no_secret')
    expect(reason('admin', 'secret.restore', { name: 'a' })).toBe('no_secret')
  })
})

describe('secret.destroy', () => {
  const sealedRows = (bench: ReturnType<typeof openVault>) =>
    bench.database.all<{ number: number }>('SELECT number FROM version WHERE sealed IS NOT NULL ORDER BY number')

  it('erases one version permanently, and keeps the others', () => {
    const { granted, reason, bench } = withSecret()
    granted('admin', 'secret.destroy', { name: 'prod/db', version: 2 })
    expect(reason('admin', 'secret.read', { name: 'prod/db', version: 2 })).toBe('destroyed')
    expect(reason('admin', 'secret.read', { name: 'prod/db', version: 1 })).toBe('ok')
    expect(reason('admin', 'secret.read', { name: 'prod/db' })).toBe('ok')
    expect(sealedRows(bench)).toEqual([{ number: 1 }, { number: 3 }])
    granted('admin', 'secret.restore', { name: 'prod/db' })
    expect(reason('admin', 'secret.read', { name: 'prod/db', version: 2 })).toBe('destroyed')
  })

  it('erases the current version without promoting another', () => {
    const { granted, reason } = withSecret()
    granted('admin', 'secret.destroy', { name: 'prod/db', version: 3 })
    expect(reason('admin', 'secret.read', { name: 'prod/db' })).toBe('destroyed')
  })

  it('erases all versions by default, and keeps their metadata only', () => {
    const { granted, reason, bench } = withSecret()
    granted('admin', 'secret.destroy', { name: 'prod/db' })
    expect(sealedRows(bench)).toEqual([])
    expect(reason('admin', 'secret.read', { name: 'prod/db' })).toBe('no_secret')
    expect(reason('admin', 'secret.read', { name: 'prod/db', version: 1 })).toBe('no_secret')
    for (const operation of ['secret.delete', 'secret.restore', 'secret.destroy'] as const) {
      expect(reason('admin', operation, { name: 'prod/db' })).toBe('no_secret')
    }
    expect(granted('admin', 'secret.list', listAll).items).toEqual([])
    expect(granted('admin', 'secret.list', { ...listAll, deleted: true }).items).toEqual([])
    const history = granted('admin', 'secret.versions', versionsOf('prod/db'))
    expect([history.current, history.previous]).toEqual([null, null])
    expect(history.items.map(({ number, destroyedAt }) => [number, destroyedAt])).toEqual([
      [3, bench.now],
      [2, bench.now],
      [1, bench.now],
    ])
  })

  it('erases deleted secrets as well, so that they cannot be restored', () => {
    const { granted, reason, bench } = withSecret()
    granted('admin', 'secret.delete', { name: 'prod/db' })
    granted('admin', 'secret.destroy', { name: 'prod/db' })
    expect(sealedRows(bench)).toEqual([])
    expect(reason('admin', 'secret.restore', { name: 'prod/db' })).toBe('no_secret')
  })

  it('never reuses a version number', () => {
    const { granted } = withSecret()
    granted('admin', 'secret.destroy', { name: 'prod/db' })
    expect(granted('admin', 'secret.write', writeOf('prod/db')).version).toBe(4)
    const history = granted('admin', 'secret.versions', versionsOf('prod/db'))
    expect([history.current, history.previous]).toEqual([4, null])
  })

  it('keeps the time of the first destruction', () => {
    const { granted, bench } = withSecret()
    const at = bench.now
    granted('admin', 'secret.destroy', { name: 'prod/db', version: 1 })
    bench.now += 5
    bench.granted('admin', 'secret.destroy', { name: 'prod/db' })
    const { items } = bench.granted('admin', 'secret.versions', versionsOf('prod/db'))
    expect(items.map(({ destroyedAt }) => destroyedAt)).toEqual([at + 5, at + 5, at])
  })

  it('refuses absent secrets and versions', () => {
    const { reason } = withSecret()
    expect(reason('admin', 'secret.destroy', { name: 'prod/dc' })).toBe('no_secret')
    expect(reason('admin', 'secret.destroy', { name: 'prod/db', version: 4 })).toBe('no_version')
  })
})
