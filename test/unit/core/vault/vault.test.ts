import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DAY_MS } from '../../../../core/durations.ts'
import type { Action } from '../../../../core/vault/access/rules.ts'
import { securityPolicy } from '../../../../core/vault/access/server_policy.ts'
import type { OperationName } from '../../../../core/vault/operation_table.ts'
import type { Call } from '../../../../core/vault/rpc.ts'
import type { WriteInput } from '../../../../core/vault/secrets/operations.ts'
import { Vault } from '../../../../core/vault/vault.ts'
import { callerFor, callOf, openVault, tokenHashOf, UNLIMITED, writeOf } from '../../../support/core.ts'
import { merkleTreeHash } from '../../../support/reference/rfc6962.ts'

const listAll = { prefix: '', after: '', deleted: false, limit: 100 }
const versionsOf = (name: string) => ({ name, below: Number.MAX_SAFE_INTEGER, limit: 100 })

/** A vault with one secret, `prod/db`, of three versions. */
function withSecret() {
  const bench = openVault()
  const [first, second, third] = [writeOf('prod/db'), writeOf('prod/db'), writeOf('prod/db')]
  for (const input of [first, second, third]) bench.granted('admin', 'secret.write', input)
  return { ...bench, bench, first, second, third }
}

describe('secret.write and secret.read', () => {
  it('number versions from 1 and read the newest, or the one asked for', () => {
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

  it('refuse a name and a version that are not there', () => {
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

describe('secret.delete and secret.restore', () => {
  it('hide all versions, and bring them back as they were', () => {
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

  it('keep the history in sight, and list what is deleted when asked', () => {
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

  it('refuse a name that is not there', () => {
    const { reason } = openVault()
    expect(reason('admin', 'secret.delete', { name: 'a' })).toBe('no_secret')
    expect(reason('admin', 'secret.restore', { name: 'a' })).toBe('no_secret')
  })
})

describe('secret.destroy', () => {
  const sealedRows = (bench: ReturnType<typeof openVault>) =>
    bench.database.all<{ number: number }>('SELECT number FROM version WHERE sealed IS NOT NULL ORDER BY number')

  it('erases one version for good, and leaves the others', () => {
    const { granted, reason, bench } = withSecret()
    granted('admin', 'secret.destroy', { name: 'prod/db', version: 2 })
    expect(reason('admin', 'secret.read', { name: 'prod/db', version: 2 })).toBe('destroyed')
    expect(reason('admin', 'secret.read', { name: 'prod/db', version: 1 })).toBe('ok')
    expect(reason('admin', 'secret.read', { name: 'prod/db' })).toBe('ok')
    expect(sealedRows(bench)).toEqual([{ number: 1 }, { number: 3 }])
    granted('admin', 'secret.restore', { name: 'prod/db' })
    expect(reason('admin', 'secret.read', { name: 'prod/db', version: 2 })).toBe('destroyed')
  })

  it('erases the current version without another taking its place', () => {
    const { granted, reason } = withSecret()
    granted('admin', 'secret.destroy', { name: 'prod/db', version: 3 })
    expect(reason('admin', 'secret.read', { name: 'prod/db' })).toBe('destroyed')
  })

  it('erases all versions when none is named, and keeps only what is told of them', () => {
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

  it('erases what is deleted as well, so that it cannot be restored', () => {
    const { granted, reason, bench } = withSecret()
    granted('admin', 'secret.delete', { name: 'prod/db' })
    granted('admin', 'secret.destroy', { name: 'prod/db' })
    expect(sealedRows(bench)).toEqual([])
    expect(reason('admin', 'secret.restore', { name: 'prod/db' })).toBe('no_secret')
  })

  it('never hands out a number twice', () => {
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

  it('refuses what is not there', () => {
    const { reason } = withSecret()
    expect(reason('admin', 'secret.destroy', { name: 'prod/dc' })).toBe('no_secret')
    expect(reason('admin', 'secret.destroy', { name: 'prod/db', version: 4 })).toBe('no_version')
  })
})

describe('secret.versions', () => {
  it('tells number, author and times of each version, newest first, and never a sealed value', () => {
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

  it('gives pages that follow one another without gap or overlap', () => {
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

  it('refuses a name that was never there', () => {
    expect(openVault().reason('admin', 'secret.versions', versionsOf('a'))).toBe('no_secret')
  })
})

describe('secret.prepare', () => {
  it('says which number is next, whatever became of the versions before, and leaves no entry', () => {
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

  it('reserves nothing: of two writes for one number the second is refused, and writes nothing', () => {
    const { bench, granted } = withSecret()
    const calls = [1, 2].map(() => callOf('admin', 'secret.write', writeOf('prod/db', { version: 4 })))
    const answers = bench.execute(...calls)
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual(['ok', 'raced'])
    expect(answers[1]!.index).toBeNull()
    expect(granted('admin', 'secret.versions', versionsOf('prod/db')).items).toHaveLength(4)
  })

  it.each([0, 1, 3, 5, -4, 4.5])('is not to be passed by: a write for the number %s is refused', (version) => {
    const { bench } = withSecret()
    expect(bench.execute(callOf('admin', 'secret.write', writeOf('prod/db', { version })))[0]).toMatchObject({
      reason: 'raced',
    })
  })
})

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
  ])('of a secret that is %s, on a write that expects %s: %s', (state, expected, outcome) => {
    const bench = inState(state)
    const numbers = () => bench.database.all('SELECT number FROM version').length
    const before = numbers()
    const input = writeOf('a', expected === undefined ? {} : { expect: expected })
    expect(bench.reason('admin', 'secret.write', input)).toBe(outcome)
    expect(numbers() - before).toBe(outcome === 'ok' ? 1 : 0)
  })

  it('of a delete takes the current version only', () => {
    const { reason } = inState('there')
    expect(reason('admin', 'secret.delete', { name: 'a', expect: 1 })).toBe('version_mismatch')
    expect(reason('admin', 'secret.read', { name: 'a' })).toBe('ok')
    expect(reason('admin', 'secret.delete', { name: 'a', expect: 2 })).toBe('ok')
  })

  it('of a restore and of a destroy take the current version only', () => {
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

describe('an idempotency key', () => {
  const keyed = (key = 'k', fingerprint = 'f', name = 'a') => writeOf(name, { idempotency: { key, fingerprint } })
  const countOf = (bench: ReturnType<typeof openVault>) => bench.database.all('SELECT number FROM version').length

  it('row 19: makes a repeated write answer as the first did, and write nothing', () => {
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

  it('is not taken up by a write that was refused', () => {
    const bench = openVault()
    expect(bench.reason('admin', 'secret.write', { ...keyed(), expect: 7 })).toBe('version_mismatch')
    expect(bench.granted('admin', 'secret.write', keyed()).replayed).toBe(false)
  })

  it('gives no answer to who may no longer write', () => {
    const bench = openVault()
    bench.enrol('bob')
    bench.rule('bob', 'bob', ['write'], '**')
    bench.granted('bob', 'secret.write', keyed())
    bench.granted('admin', 'rule.delete', { id: 'bob' })
    expect(bench.reason('bob', 'secret.write', keyed())).toBe('denied')
  })

  it('is remembered for a day, and no longer', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', keyed())
    bench.now += DAY_MS - 1
    bench.granted('admin', 'secret.write', keyed('later', 'g'))
    expect(bench.granted('admin', 'secret.write', keyed()).replayed).toBe(true)
    bench.now += 1
    expect(bench.granted('admin', 'secret.write', keyed())).toEqual({ name: 'a', version: 3, replayed: false })
    expect(bench.granted('admin', 'secret.write', keyed()).replayed).toBe(true)
  })

  it('is forgotten with the values that are destroyed: its fingerprint is of one', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', keyed())
    bench.granted('admin', 'secret.write', keyed('other', 'g', 'b'))
    bench.granted('admin', 'secret.destroy', { name: 'a' })
    expect(bench.database.all('SELECT name FROM idempotency')).toEqual([{ name: 'b' }])
    expect(bench.granted('admin', 'secret.write', keyed())).toEqual({ name: 'a', version: 2, replayed: false })
  })
})

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

  it.each(asks)('is denied %s in the same way whether or not the secret exists', (operation, inputFor) => {
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

  it('has changed nothing afterwards', () => {
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
  ])('needs for %s the right to %s, on that name, and no other right helps', (operation, action, input) => {
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

describe('the log', () => {
  /** Each operation once, granted or refused for the state of things. */
  const everyCall = (): Call[] => [
    callOf('admin', 'secret.write', writeOf('a')),
    callOf('admin', 'secret.write', writeOf('a', { expect: 'absent' })),
    callOf('admin', 'secret.read', { name: 'a' }),
    callOf('admin', 'secret.read', { name: 'none' }),
    callOf('admin', 'secret.list', listAll),
    callOf('admin', 'secret.versions', versionsOf('a')),
    callOf('admin', 'secret.versions', versionsOf('none')),
    callOf('admin', 'secret.unopened', { name: 'a', version: 1, reason: 'tampered' }),
    callOf('admin', 'secret.delete', { name: 'a' }),
    callOf('admin', 'secret.delete', { name: 'a' }),
    callOf('admin', 'secret.restore', { name: 'a' }),
    callOf('admin', 'secret.destroy', { name: 'a', version: 9 }),
    callOf('admin', 'secret.destroy', { name: 'a' }),
    callOf('admin', 'principal.list', {} as never),
    callOf('admin', 'principal.put', { id: 'bob', kind: 'service', disabled: false }),
    callOf('admin', 'principal.put', { id: 'admin', kind: 'user', disabled: true }),
    callOf('admin', 'token.create', {
      hash: tokenHashOf('bob'),
      accessor: 'acc',
      principal: 'bob',
      label: '',
      expiresAt: null,
    }),
    callOf('admin', 'token.create', {
      hash: tokenHashOf('x'),
      accessor: 'acc2',
      principal: 'x',
      label: '',
      expiresAt: null,
    }),
    callOf('admin', 'token.list', {} as never),
    callOf('admin', 'token.revoke', { accessor: 'acc' }),
    callOf('admin', 'token.revoke', { accessor: 'none' }),
    callOf('admin', 'rule.put', { id: 'r', effect: 'permit', principal: 'bob', actions: ['read'], resource: 'a' }),
    callOf('admin', 'rule.list', {} as never),
    callOf('admin', 'rule.delete', { id: 'r' }),
    callOf('admin', 'rule.delete', { id: 'r' }),
    callOf('admin', 'audit.entries', { from: 0, limit: 5 }),
    callOf('eve', 'secret.read', { name: 'a' }),
    callOf('eve', 'rule.list', {} as never),
  ]
  const opened = () => {
    const bench = openVault()
    bench.enrol('eve')
    return bench
  }

  it('row 60: gets exactly one entry from every call, granted or refused, which the answer names', () => {
    const bench = opened()
    for (const call of everyCall()) {
      const before = bench.log().length
      const [answer] = bench.execute(call)
      const added = bench.log().slice(before)
      expect(added, call.operation).toHaveLength(1)
      expect(answer!.index).toBe(before)
      expect(added[0]).toMatchObject({
        index: before,
        operation: call.operation,
        request: call.caller.requestId,
        outcome: answer!.ok ? 'ok' : answer!.reason,
        time: new Date(bench.now).toISOString(),
      })
    }
  })

  it('gets the same entries when all calls come in one batch', () => {
    const bench = opened()
    const before = bench.log().length
    const calls = everyCall()
    const answers = bench.execute(...calls)
    expect(answers.map(({ index }) => index)).toEqual(calls.map((_, i) => before + i))
    expect(
      bench
        .log()
        .slice(before)
        .map(({ operation }) => operation),
    ).toEqual(calls.map(({ operation }) => operation))
  })

  it('says who asked, from where, by which token, for what, and what decided', () => {
    const bench = opened()
    bench.rule('eve-reads', 'eve', ['read'], 'prod/*')
    const input = writeOf('prod/db')
    bench.granted('admin', 'secret.write', input)
    bench.granted('eve', 'secret.read', { name: 'prod/db' })
    expect(bench.log().at(-1)).toMatchObject({
      v: 1,
      principal: 'eve',
      token: 'accessor-of-eve',
      address: '192.0.2.1',
      agent: 'test/1',
      action: 'read',
      resource: 'prod/db',
      rule: 'eve-reads',
      facts: { version: 1 },
    })
  })

  it('holds no sealed value, no hash of a token and no fingerprint', () => {
    const bench = opened()
    const input = writeOf('a', { idempotency: { key: 'idempotency-key', fingerprint: 'fingerprint-of-value' } })
    for (const call of [callOf('admin', 'secret.write', input), ...everyCall()]) bench.execute(call)
    const text = JSON.stringify(bench.log())
    const hidden = [input.sealed, tokenHashOf('admin'), tokenHashOf('bob')].map((bytes) => Buffer.from(bytes))
    for (const bytes of hidden) {
      for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const)
        expect(text).not.toContain(bytes.toString(encoding))
    }
    expect(text).not.toContain('fingerprint-of-value')
  })

  it('records a rule before and after its change', () => {
    const bench = opened()
    bench.rule('r', 'eve', ['read'], 'a')
    bench.rule('r', 'eve', ['read', 'write'], 'b')
    const shown = (actions: string[], resource: string, version: number) => ({
      id: 'r',
      effect: 'permit',
      principal: 'eve',
      actions,
      conditions: {},
      resource,
      version,
    })
    expect(bench.log().at(-1)!.facts).toMatchObject({
      before: shown(['read'], 'a', 1),
      after: shown(['read', 'write'], 'b', 2),
    })
    bench.granted('admin', 'rule.delete', { id: 'r' })
    expect(bench.log().at(-1)!.facts).toMatchObject({ before: shown(['read', 'write'], 'b', 2), after: null })
  })

  it('chains each entry to the one before and has the root that RFC 6962 defines', () => {
    const bench = opened()
    for (const call of everyCall()) bench.execute(call)
    const { head, entries } = bench.granted('admin', 'audit.entries', { from: 0, limit: 1000 })
    expect(head.size).toBe(entries.length)
    expect(Buffer.from(head.root)).toEqual(merkleTreeHash(entries.map(({ body }) => body)))
    for (const { index, body } of entries) {
      const { previous } = JSON.parse(Buffer.from(body).toString())
      const before = entries[index - 1]
      expect(previous).toBe(before === undefined ? null : merkleTreeHash([before.body]).toString('base64'))
    }
  })

  it('is read in pages, under a head that is that of before the reading', () => {
    const bench = opened()
    const size = bench.log().length
    const page = bench.granted('admin', 'audit.entries', { from: 2, limit: 2 })
    expect(page.entries.map(({ index }) => index)).toEqual([2, 3])
    expect(page.head.size).toBe(size)
    expect(bench.log()).toHaveLength(size + 1)
  })
})

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
  ])('whose token %s always gets the same answer, and at most one entry', (state, arrange) => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', writeOf('a'))
    arrange(bench)
    bench.rule('all', '*', ['read'], '**')
    const before = bench.log().length
    expect(bench.execute(read('bob'))).toEqual([refused])
    expect(bench.execute(callOf('bob', 'rule.list', {} as never))).toEqual([refused])
    expect(bench.log()).toHaveLength(before + (state === 'is unknown' ? 0 : 1))
  })

  it('takes effect at once, in the middle of a batch', () => {
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

  it('is authenticated until the millisecond before the token expires, and again when a principal is enabled', () => {
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

describe('a batch', () => {
  // A transaction ends when its calls take long, and a busy machine must not decide how many there are.
  beforeEach(() => void vi.spyOn(performance, 'now').mockReturnValue(0))
  afterEach(() => void vi.mocked(performance.now).mockRestore())

  const broken: Call = { operation: 'no.such' as OperationName, caller: callerFor('admin'), input: {} }

  it('answers in order, each call seeing what those before it did', () => {
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

  it('of no calls has no answers and no entries', () => {
    const bench = openVault()
    const before = bench.log().length
    expect(bench.execute()).toEqual([])
    expect(bench.log()).toHaveLength(before)
  })

  it('does not lose its other calls to one that throws, nor do any of them twice', () => {
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

  it('has those before one that throws share a transaction again, and those behind it another', () => {
    const bench = openVault()
    const calls = Array.from({ length: 20 }, (_, i) => callOf('admin', 'secret.write', writeOf(`n${i}`)))
    calls[12] = broken
    const atomic = vi.spyOn(bench.sql, 'atomic')
    const answers = bench.execute(...calls)
    expect(answers.map(({ ok }) => ok)).toEqual(calls.map((call) => call !== broken))
    // All, those before, the rest, it alone, and the rest again.
    expect(atomic).toHaveBeenCalledTimes(5)
  })

  it('whose calls take long takes several transactions, and answers the same', () => {
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

  it('does not go on deciding by a rule whose writing was rolled back', () => {
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

  it('answers as its calls would one by one', { timeout: 60_000 }, () => {
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

describe('a vault', () => {
  it('cannot be left without somebody who could administer it', () => {
    const bench = openVault()
    const { accessor } = bench.granted('admin', 'token.list', {} as never)[0]!
    const attempts = () => [
      bench.reason('admin', 'principal.put', { id: 'admin', kind: 'user', disabled: true }),
      bench.reason('admin', 'token.revoke', { accessor }),
      bench.reason('admin', 'rule.delete', { id: 'admin' }),
      bench.reason('admin', 'rule.put', {
        id: 'admin',
        effect: 'permit',
        principal: 'admin',
        actions: ['read'],
        resource: '**',
      }),
      bench.reason('admin', 'rule.put', {
        id: 'admin',
        effect: 'permit',
        principal: 'admin',
        actions: ['admin'],
        resource: 'rules',
      }),
      bench.reason('admin', 'rule.put', {
        id: 'f',
        effect: 'forbid',
        principal: '*',
        actions: ['admin'],
        resource: 'rules',
      }),
      bench.reason('admin', 'rule.put', {
        id: 'f',
        effect: 'forbid',
        principal: 'admin',
        actions: ['admin'],
        resource: '**',
      }),
      bench.reason('admin', 'rule.put', {
        id: 'f',
        effect: 'forbid',
        principal: 'admin',
        actions: ['admin'],
        resource: 'tokens',
      }),
    ]
    const refused = Array(attempts().length).fill('last_admin')
    expect(attempts()).toEqual(refused)
    // Others count only with a token that does not end, of an enabled principal and with the right to rules and to tokens.
    bench.enrol('no-rule')
    bench.enrol('expired', bench.now)
    bench.enrol('revoked')
    bench.enrol('disabled')
    bench.enrol('half')
    bench.enrol('temporary', bench.now + DAY_MS)
    bench.granted('admin', 'principal.put', { id: 'no-token', kind: 'user', disabled: false })
    for (const who of ['expired', 'revoked', 'disabled', 'no-token', 'temporary']) bench.rule(who, who, ['admin'], '**')
    bench.rule('half', 'half', ['admin'], 'rules')
    bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-revoked' })
    bench.granted('admin', 'principal.put', { id: 'disabled', kind: 'user', disabled: true })
    expect(attempts()).toEqual(refused)
    expect(bench.reason('admin', 'rule.list', {} as never)).toBe('ok')
  })

  it.each<[string, (bench: ReturnType<typeof openVault>) => string]>([
    ['disable', ({ reason }) => reason('admin', 'principal.put', { id: 'admin', kind: 'user', disabled: true })],
    ['delete the rule of', ({ reason }) => reason('admin', 'rule.delete', { id: 'admin' })],
    [
      'revoke the token of',
      ({ granted, reason }) => {
        const { accessor } = granted('admin', 'token.list', {} as never).find(({ principal }) => principal === 'admin')!
        return reason('admin', 'token.revoke', { accessor })
      },
    ],
  ])('lets an administrator %s itself when there is another', (_, attempt) => {
    const bench = openVault()
    bench.enrol('second')
    bench.rule('second', 'second', ['admin'], '**')
    expect(attempt(bench)).toBe('ok')
    expect(bench.reason('admin', 'rule.list', {} as never)).not.toBe('ok')
    expect(bench.reason('second', 'rule.list', {} as never)).toBe('ok')
    expect(bench.reason('second', 'rule.delete', { id: 'second' })).toBe('last_admin')
  })

  it('gives a token only to a principal that exists, and refuses to change what is not there', () => {
    const bench = openVault()
    const token = { hash: tokenHashOf('x'), accessor: 'x', principal: 'x', label: '', expiresAt: null }
    expect(bench.reason('admin', 'token.create', token)).toBe('no_principal')
    expect(bench.reason('admin', 'token.revoke', { accessor: 'x' })).toBe('no_token')
    expect(bench.reason('admin', 'rule.delete', { id: 'x' })).toBe('no_rule')
  })

  it('shows neither tokens nor their hashes', () => {
    const bench = openVault()
    bench.enrol('bob')
    const tokens = bench.granted('admin', 'token.list', {} as never)
    expect(tokens.map(({ principal }) => principal).toSorted()).toEqual(['admin', 'bob'])
    for (const row of tokens)
      expect(Object.values(row).some((value) => (value as unknown) instanceof Uint8Array)).toBe(false)
  })

  it('keeps the time of the first disabling and of the first revocation', () => {
    const bench = openVault()
    bench.enrol('bob')
    const disable = () =>
      bench.granted('admin', 'principal.put', { id: 'bob', kind: 'user', disabled: true }).disabledAt
    const revoke = () => bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-bob' }).revokedAt
    const at = bench.now
    expect([disable(), revoke()]).toEqual([at, at])
    bench.now += 5
    expect([disable(), revoke()]).toEqual([at, at])
  })

  it('belongs to the first root key that claims it', () => {
    const { vault } = openVault()
    const own = () => vault.perform('root.look', {}, 1)
    vault.claim('aa', ['99'])
    vault.claim('bb', ['88'])
    expect(own()).toMatchObject({ ok: true, index: null, value: { current: 'aa', elders: ['99'], needed: ['aa'] } })
  })

  it('is the same when opened again over its store', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', writeOf('a'))
    const again = new Vault(bench.database, securityPolicy(UNLIMITED), bench.now)
    expect(again.isEmpty()).toBe(false)
    expect(again.execute([callOf('admin', 'secret.read', { name: 'a' })], bench.now)[0]).toMatchObject({
      ok: true,
      index: 3,
    })
  })
})

describe('a change that its entry has no room for', () => {
  const agents = Array.from({ length: 300 }, (_, n) => `${n}`.padEnd(300, 'x'))
  const huge = { id: 'huge', effect: 'permit', principal: 'ann', actions: ['read'], resource: '**' } as const

  it('row 72: is not made, and takes no other of its transaction with it', () => {
    const bench = openVault()
    bench.enrol('ann')
    const answers = bench.execute(
      callOf('admin', 'rule.put', { ...huge, id: 'before' }),
      callOf('admin', 'rule.put', { ...huge, conditions: { agents } }),
      callOf('admin', 'rule.put', { ...huge, id: 'behind' }),
    )
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual(['ok', 'indescribable', 'ok'])
    const rules = bench.granted('admin', 'rule.list', {}).map(({ id }) => id)
    expect(rules).toEqual(['admin', 'before', 'behind'])
    // Nor is it in force in memory.
    expect(bench.reason('ann', 'secret.read', { name: 'x' })).toBe('no_secret')
  })
})
