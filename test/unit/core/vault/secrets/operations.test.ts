/**
 * Writing and reading secrets, their versions, and the number that the next version has.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { WriteInput } from '../../../../../core/vault/secrets/operations.ts'
import { callOf, openVault, writeOf } from '../../../../support/core.ts'
import { versionsOf, withSecret } from '../secrets_fixture.ts'

describe('secret.write and secret.read', () => {
  it('number versions from 1 and read the newest, or the requested one', () => {
    const { granted, first, third } = withSecret()
    const current = granted('admin', 'secret.read', { name: 'prod/db' })
    expect(current).toEqual({
      name: 'prod/db',
      version: 3,
      kid: third.kid,
      sealed: third.sealed,
      contentType: 'text/plain',
      encoding: 'utf8',
      tags: {},
      createdAt: 1_000_000,
      expiresAt: null,
    })
    const old = granted('admin', 'secret.read', { name: 'prod/db', version: 1 })
    expect([old.version, old.sealed]).toEqual([1, first.sealed])
  })

  it('refuse an absent name and an absent version', () => {
    const { reason } = withSecret()
    expect(reason('admin', 'secret.read', { name: 'prod/dc' })).toBe('no_secret')
    for (const version of [0, 4, Number.MAX_SAFE_INTEGER]) {
      expect(reason('admin', 'secret.read', { name: 'prod/db', version })).toBe('no_version')
    }
  })

  it('keep the tags when none are given, and replace them all when some are', () => {
    const { granted } = openVault()
    const tagsAfter = (more: Partial<WriteInput>) => {
      granted('admin', 'secret.write', writeOf('a', more))
      return granted('admin', 'secret.read', { name: 'a' }).tags
    }
    expect(tagsAfter({ tags: { team: 'x', env: 'y' } })).toEqual({ team: 'x', env: 'y' })
    expect(tagsAfter({})).toEqual({ team: 'x', env: 'y' })
    expect(tagsAfter({ tags: { team: 'z' } })).toEqual({ team: 'z' })
    expect(tagsAfter({ tags: {} })).toEqual({})
  })

  it('keep content type, encoding and expiry with the version', () => {
    const { granted } = openVault()
    granted('admin', 'secret.write', writeOf('a', { contentType: 'a/b', encoding: 'base64', expiresAt: 5_000_000 }))
    granted('admin', 'secret.write', writeOf('a'))
    const [old, current] = [1, 2].map((version) => granted('admin', 'secret.read', { name: 'a', version }))
    expect([old!.contentType, old!.encoding, old!.expiresAt]).toEqual(['a/b', 'base64', 5_000_000])
    expect([current!.contentType, current!.encoding, current!.expiresAt]).toEqual(['text/plain', 'utf8', null])
  })

  it('refuse a version from the moment it expires, and no other version', () => {
    const { bench } = withSecret()
    bench.granted('admin', 'secret.write', writeOf('prod/db', { expiresAt: bench.now + 10 }))
    bench.now += 9
    expect(bench.reason('admin', 'secret.read', { name: 'prod/db' })).toBe('ok')
    bench.now += 1
    expect(bench.reason('admin', 'secret.read', { name: 'prod/db' })).toBe('expired')
    expect(bench.reason('admin', 'secret.read', { name: 'prod/db', version: 4 })).toBe('expired')
    expect(bench.reason('admin', 'secret.read', { name: 'prod/db', version: 3 })).toBe('ok')
    bench.granted('admin', 'secret.write', writeOf('prod/db'))
    expect(bench.reason('admin', 'secret.read', { name: 'prod/db' })).toBe('ok')
  })
})

describe('secret.versions', () => {
  it('lists number, author and times of each version, newest first, and never a sealed value', () => {
    const { granted, bench } = withSecret()
    bench.enrol('bob')
    bench.rule('bob', 'bob', ['write'], '**')
    bench.now += 7
    bench.granted('bob', 'secret.write', writeOf('prod/db'))
    const history = granted('admin', 'secret.versions', versionsOf('prod/db'))
    expect([history.current, history.previous, history.deletedAt, history.cursor]).toEqual([4, 3, null, null])
    expect(history.items.map(({ number }) => number)).toEqual([4, 3, 2, 1])
    expect(history.items[0]).toMatchObject({ createdBy: 'bob', createdAt: bench.now, destroyedAt: null })
    expect(history.items[1]).toMatchObject({ createdBy: 'admin', createdAt: bench.now - 7 })
    expect(history.items.every((item) => !('sealed' in item))).toBe(true)
  })

  it('returns pages without gap or overlap', () => {
    const { granted } = withSecret()
    granted('admin', 'secret.write', writeOf('prod/db'))
    for (const limit of [1, 2, 3, 4, 5]) {
      const seen: number[] = []
      let below: number | null = Number.MAX_SAFE_INTEGER
      while (below !== null) {
        const page: { items: { number: number }[]; cursor: number | null } = granted('admin', 'secret.versions', {
          name: 'prod/db',
          below,
          limit,
        })
        expect(page.items.length).toBeLessThanOrEqual(limit)
        seen.push(...page.items.map(({ number }) => number))
        below = page.cursor
      }
      expect(seen).toEqual([4, 3, 2, 1])
    }
  })

  it('refuses a name that never existed', () => {
    expect(openVault().reason('admin', 'secret.versions', versionsOf('a'))).toBe('no_secret')
  })
})

describe('secret.prepare', () => {
  it('returns the next number, even after deletions, and leaves no entry', () => {
    const { granted, bench } = withSecret()
    const next = (name: string) => {
      const before = bench.log().length
      const { version } = granted('admin', 'secret.prepare', { name })
      expect(bench.log()).toHaveLength(before)
      return version
    }
    expect([next('prod/db'), next('never')]).toEqual([4, 1])
    granted('admin', 'secret.delete', { name: 'prod/db' })
    expect(next('prod/db')).toBe(4)
    granted('admin', 'secret.destroy', { name: 'prod/db' })
    expect(next('prod/db')).toBe(4)
  })

  it('reserves nothing: the second of two writes for one number is refused', () => {
    const { bench, granted } = withSecret()
    const calls = [1, 2].map(() => callOf('admin', 'secret.write', writeOf('prod/db', { version: 4 })))
    const answers = bench.execute(...calls)
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual(['ok', 'raced'])
    expect(answers[1]!.index).toBeNull()
    expect(granted('admin', 'secret.versions', versionsOf('prod/db')).items).toHaveLength(4)
  })

  it.each([0, 1, 3, 5, -4, 4.5])('is mandatory: a write for the number %s is refused', (version) => {
    const { bench } = withSecret()
    expect(bench.execute(callOf('admin', 'secret.write', writeOf('prod/db', { version })))[0]).toMatchObject({
      reason: 'raced',
    })
  })
})
