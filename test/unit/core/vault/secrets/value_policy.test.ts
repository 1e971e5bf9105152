/** A vault's policy: what it asks of values, and which versions it keeps. */
import { describe, expect, it } from 'vitest'
import { DAY_MS } from '../../../../../core/durations.ts'
import { parseSettings } from '../../../../../core/settings/settings.ts'
import type { Action, Conditions } from '../../../../../core/vault/access/rules.ts'
import { unwrap } from '../../../../../core/vault/rpc.ts'
import { PutPolicy, PutRotation } from '../../../../../core/wire/index.ts'
import { pruneVersions } from '../../../../../worker/background/prune_versions.ts'
import type { VaultServices } from '../../../../../worker/vault_services.ts'
import { callOf, openVault, UNLIMITED, writeOf } from '../../../../support/core.ts'

const policyOf = (more: object) => PutPolicy.parse(more)

/** A vault with a policy, and its duty to erase versions. */
function withPolicy(more: object) {
  const bench = openVault()
  bench.granted('admin', 'policy.put', policyOf(more))
  const perform = async (task: never, input: never) =>
    unwrap(bench.vault.perform(task, input, bench.now) as never).value
  // A stricter policy takes effect a day later.
  bench.now += DAY_MS
  const services = { vault: 'v', settings: parseSettings({ environment: {} }), perform } as unknown as VaultServices
  const left = (name: string) =>
    bench
      .granted('admin', 'secret.versions', { name, below: 999, limit: 200 })
      .items.flatMap(({ number, destroyedAt }) => (destroyedAt === null ? [number] : []))
  return { bench, left, erase: () => pruneVersions.run(services) }
}

describe('secretComplexity', () => {
  it('has the documented names and defaults', () => {
    expect(policyOf({ secretComplexity: {} }).secretComplexity).toEqual({
      ...{ resources: ['**'], minLength: 8, minEntropyBits: 0, denied: [] },
      ...{ requireUpper: true, requireLower: true, requireDigit: true, requireSpecial: true },
    })
  })

  it('is shown to writers of a name that it covers, and applies to recipes', () => {
    const { bench } = withPolicy({ secretComplexity: { resources: ['prod/**'], minLength: 20, minEntropyBits: 150 } })
    const strengthOf = (name: string) => bench.granted('admin', 'secret.prepare', { name }).strength
    expect([strengthOf('prod/a')?.minLength, strengthOf('dev/a')]).toEqual([20, null])
    bench.granted('admin', 'secret.write', writeOf('prod/a'))
    const put = (generate: object) =>
      bench.reason('admin', 'rotation.put', { name: 'prod/a', config: PutRotation.parse({ generate }) })
    expect([put({ kind: 'hex', bytes: 16 }), put({ kind: 'hex', bytes: 20 })]).toEqual(['weak_recipe', 'ok'])
  })

  it('survives a failed transaction', () => {
    const { bench } = withPolicy({ secretComplexity: { minLength: 20 } })
    bench.fails = (query) => query.startsWith('INSERT INTO entry')
    expect(bench.reason('admin', 'policy.put', policyOf({}))).toBe('storage')
    bench.fails = () => false
    expect(bench.granted('admin', 'secret.prepare', { name: 'a' }).strength?.minLength).toBe(20)
  })

  it('keeps what is denied out of the log', () => {
    const { bench } = withPolicy({ secretComplexity: { denied: ['projectx'] } })
    expect(JSON.stringify(bench.log())).not.toContain('projectx')
  })
})

describe('the floor of a server', () => {
  const FLOOR = { secretComplexityMinLength: 12, secretComplexityRequireDigit: true }

  it('applies to every name, with no policy and beside one', () => {
    const bench = openVault({ ...UNLIMITED, ...FLOOR })
    const strengthOf = (name: string) => bench.granted('admin', 'secret.prepare', { name }).strength
    expect(strengthOf('a')).toMatchObject({ minLength: 12, requireUpper: false, requireDigit: true })
    const complexity = { resources: ['prod/**'], requireDigit: false, minEntropyBits: 60, denied: ['acme'] }
    bench.granted('admin', 'policy.put', policyOf({ secretComplexity: { ...complexity, minLength: 8 } }))
    const both = { minLength: 12, requireUpper: true, requireDigit: true, minEntropyBits: 60, denied: ['acme'] }
    expect(strengthOf('prod/a')).toMatchObject(both)
    expect(strengthOf('a')).toMatchObject({ minLength: 12, requireUpper: false, denied: [] })
    bench.granted('admin', 'policy.put', policyOf({ secretComplexity: { minLength: 20 } }))
    expect(strengthOf('prod/a')).toMatchObject({ minLength: 20, requireDigit: true })
  })

  it('applies to recipes', () => {
    const bench = openVault({ ...UNLIMITED, ...FLOOR, secretComplexityMinLength: 40 })
    bench.granted('admin', 'secret.write', writeOf('a'))
    const generate = { kind: 'password', length: 16, alphabet: 'abcdefghijklmnopqrstuvwxyz' }
    expect(bench.reason('admin', 'rotation.put', { name: 'a', config: PutRotation.parse({ generate }) })).toBe(
      'weak_recipe',
    )
  })

  it('is missing by default', () => {
    expect(openVault().granted('admin', 'secret.prepare', { name: 'a' }).strength).toBeNull()
  })
})

describe('keepVersions and keepVersionDays', () => {
  it('erase versions other than current and previous, by count', async () => {
    const { bench, left, erase } = withPolicy({ keepVersions: 3 })
    for (let i = 0; i < 6; i++) bench.granted('admin', 'secret.write', writeOf('a'))
    bench.granted('admin', 'secret.write', writeOf('b'))
    await erase()
    expect([left('a'), left('b')]).toEqual([[6, 5, 4], [1]])
    expect(bench.reason('admin', 'secret.read', { name: 'a', version: 3 })).toBe('destroyed')
    const pruned = bench.log().filter(({ operation }) => operation === 'versions.prune')
    expect(pruned).toMatchObject([{ resource: 'a', facts: { versions: [1, 2, 3] }, severity: 'notice' }])
    await erase()
    expect(bench.log().filter(({ operation }) => operation === 'versions.prune')).toHaveLength(1)
  })

  it('erase by age, and never the current, the previous or the pending one', async () => {
    const { bench, left, erase } = withPolicy({ keepVersionDays: 30 })
    for (let i = 0; i < 4; i++) bench.granted('admin', 'secret.write', writeOf('a'))
    bench.now += 31 * DAY_MS
    bench.granted('admin', 'secret.write', writeOf('a'))
    await erase()
    expect(left('a')).toEqual([5, 4])
    bench.now += 400 * DAY_MS
    await erase()
    expect(left('a')).toEqual([5, 4])
  })

  it('cover every secret, even many', { timeout: 60_000 }, async () => {
    const { bench, left, erase } = withPolicy({ keepVersions: 2 })
    const names = Array.from({ length: 600 }, (_, i) => `s/${i}`)
    for (let version = 1; version <= 3; version++) {
      bench.execute(...names.map((name) => callOf('admin', 'secret.write', writeOf(name, { version }))))
    }
    await erase()
    expect(new Set(names.map((name) => left(name).join()))).toEqual(new Set(['3,2']))
  })

  it('keep all versions without a policy', async () => {
    const { bench, left, erase } = withPolicy({})
    for (let i = 0; i < 5; i++) bench.granted('admin', 'secret.write', writeOf('a'))
    bench.now += 9999 * DAY_MS
    await erase()
    expect(left('a')).toHaveLength(5)
  })
})

describe('a stricter policy', () => {
  /** A vault with five versions of a secret, and someone who administers the policy. */
  function withVersions(rights: Action[] = ['delete'], resource = '**') {
    const { bench, left, erase } = withPolicy({})
    for (let i = 0; i < 5; i++) bench.granted('admin', 'secret.write', writeOf('a'))
    bench.enrol('eve')
    bench.rule('eve-policy', 'eve', ['admin'], 'policy')
    bench.rule('eve-may', 'eve', rights, resource)
    return { bench, left, erase, last: () => bench.log().at(-1)! }
  }

  it('erases nothing for a day, is an alert with the number of versions, and can be withdrawn', async () => {
    const { bench, left, erase, last } = withVersions()
    bench.granted('eve', 'policy.put', policyOf({ keepVersions: 2 }))
    const at = bench.now + DAY_MS
    expect(last()).toMatchObject({ operation: 'policy.put', severity: 'alert', facts: { erases: 3, erasesAt: at } })
    bench.now = at - 1
    await erase()
    expect(left('a')).toEqual([5, 4, 3, 2, 1])
    bench.granted('admin', 'policy.put', policyOf({}))
    expect(last()).toMatchObject({ operation: 'policy.put', severity: 'notice' })
    bench.now += 9 * DAY_MS
    await erase()
    expect(left('a')).toEqual([5, 4, 3, 2, 1])
    bench.granted('eve', 'policy.put', policyOf({ keepVersions: 2 }))
    bench.now += DAY_MS
    await erase()
    expect(left('a')).toEqual([5, 4])
  })

  it('takes effect no sooner when put in steps, and no later when put again', async () => {
    const { bench, left, erase } = withVersions()
    bench.granted('eve', 'policy.put', policyOf({ keepVersions: 4 }))
    bench.now += DAY_MS - 1
    // Another one: its own day begins.
    bench.granted('eve', 'policy.put', policyOf({ keepVersions: 2 }))
    bench.now += 1
    await erase()
    expect(left('a')).toEqual([5, 4, 3, 2, 1])
    bench.now += DAY_MS / 2
    // The same policy, with another member changed.
    bench.granted('eve', 'policy.put', policyOf({ keepVersions: 2, secretComplexity: {} }))
    bench.now += DAY_MS / 2
    await erase()
    expect(left('a')).toEqual([5, 4])
  })

  it('is stricter by age as well, and keeps longer at once', async () => {
    const { bench, left, erase } = withVersions()
    bench.now += 10 * DAY_MS
    bench.granted('eve', 'policy.put', policyOf({ keepVersionDays: 5 }))
    await erase()
    expect(left('a')).toHaveLength(5)
    bench.granted('eve', 'policy.put', policyOf({ keepVersionDays: 50, keepVersions: 4 }))
    bench.now += DAY_MS
    await erase()
    expect(left('a')).toEqual([5, 4, 3, 2])
  })

  it.each<[Action[], string]>([
    [['read', 'write'], '**'],
    [['delete'], 'a'],
    [['delete'], '*'],
    [['delete'], '*/**'],
  ])('requires the right to delete all secrets: not %s on %s', (rights, resource) => {
    const { bench } = withVersions(rights, resource)
    expect(bench.reason('eve', 'policy.put', policyOf({ keepVersions: 2 }))).toBe('denied')
    expect(bench.granted('admin', 'policy.show', {})).toMatchObject({ keepVersions: null })
    // All else of it she may set.
    expect(bench.reason('eve', 'policy.put', policyOf({ secretComplexity: {} }))).toBe('ok')
  })

  it.each<[string, string, Conditions, string]>([
    ['some secrets', 'prod/**', {}, 'denied'],
    ['one secret', 'a', {}, 'denied'],
    ['some secrets without a key', 'prod/**', { methods: ['token'] }, 'denied'],
    ['some secrets by sessions, to a token', 'prod/**', { methods: ['session'] }, 'ok'],
  ])('is refused where a rule forbids to delete %s', (_, resource, conditions, expected) => {
    const { bench } = withVersions()
    const forbid = { effect: 'forbid', principal: '*', actions: ['delete'], resource, conditions } as const
    bench.granted('admin', 'rule.put', { id: 'keep', ...forbid })
    expect(bench.reason('eve', 'policy.put', policyOf({ keepVersions: 3 }))).toBe(expected)
    bench.granted('admin', 'rule.delete', { id: 'keep' })
    const approvals = { required: 1, from: ['admin'], withinSeconds: 60 }
    bench.granted('admin', 'rule.put', { id: 'ask', ...forbid, unless: { approvals } })
    expect(bench.reason('eve', 'policy.put', policyOf({ keepVersions: 2 }))).toBe(expected)
    expect(bench.reason('eve', 'policy.put', policyOf({ secretComplexity: {} }))).toBe('ok')
  })

  it('notifies the hook of the policy', () => {
    const { bench } = withVersions()
    bench.granted('admin', 'hook.put', {
      id: 'ops',
      url: 'https://h.example',
      kid: 'root.1',
      sealed: Uint8Array.of(1),
      newSecret: false,
    })
    bench.granted('admin', 'policy.put', policyOf({ notify: 'ops' }))
    bench.granted('eve', 'policy.put', policyOf({ notify: 'ops', keepVersions: 2 }))
    const notice = bench.vault.perform('notices.next', {}, bench.now)
    expect(notice.ok && notice.value.notice).toMatchObject({ type: 'policy.erasing', data: { versions: 3, by: 'eve' } })
  })

  it('is in force at once when 0.1 stored it', async () => {
    const { bench, left, erase } = withVersions()
    const stored = JSON.stringify({ secretComplexity: null, keepVersions: 2, keepVersionDays: null, notify: null })
    bench.database.all('INSERT OR REPLACE INTO policy VALUES (0, 1, ?, 0, ?)', stored, 'admin')
    bench.reopen({})
    await erase()
    expect(left('a')).toEqual([5, 4])
  })
})

describe('keyed hashes of writes', () => {
  it('are erased after their day, even without further writes', async () => {
    const { bench, erase } = withPolicy({})
    const idempotency = { key: 'k', fingerprint: 'f' }
    bench.granted('admin', 'secret.write', writeOf('a', { idempotency }))
    const kept = () => bench.database.all('SELECT 1 FROM idempotency').length
    bench.now += DAY_MS - 1
    await erase()
    expect(kept()).toBe(1)
    bench.now += 1
    await erase()
    expect(kept()).toBe(0)
  })
})
