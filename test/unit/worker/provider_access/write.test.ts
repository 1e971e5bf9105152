/** Writes to secrets that providers keep: to the primary once, then to the replicas despite failures. */
import { describe, expect, it } from 'vitest'
import type { Client } from '../../../../core/client/client.ts'
import { PosternError } from '../../../../core/errors.ts'
import { type FailureKind, ProviderFailure } from '../../../../core/providers/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { bareHash, memoryProvider } from '../../../support/memory_provider.ts'
import { openApp, ROOT_KEY } from './provider_access_fixture.ts'

const hidden = (text: string) => new Redacted(text)

async function refusal(promise: Promise<unknown>) {
  const error = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(PosternError)
  const { code, detail } = error as PosternError
  return [code, detail.reason ?? detail.field]
}

async function opened(chain: object = {}, environment: Record<string, string> = {}) {
  const primary = memoryProvider()
  const replica = memoryProvider()
  const bench = await openApp({ aws: primary, azure: replica }, { environment })
  const members = [{ provider: 'aws' as const }, { provider: 'azure' as const }]
  await bench.admin.putChain('prod', { resource: 'prod/**', members, replicate: true, ...chain })
  /** Runs the jobs of the vault, as if some time had passed. */
  const keepUp = async () => {
    bench.sql.all('UPDATE replication SET due_at = 0')
    bench.sql.all('UPDATE compared SET compared_at = 0')
    bench.opened.scheduler.notifyWrite(0)
    await bench.opened.scheduler.run(Date.now() + 3_600_000)
  }
  const events = (operation: string) => bench.log().filter((entry) => entry.operation === operation)
  return { ...bench, primary, replica, keepUp, events }
}

describe('a write to a chain', () => {
  it('goes to the primary alone, and is recorded before and after', async () => {
    const { admin, primary, replica, log } = await opened()
    expect(await admin.put('prod/db', hidden('one'))).toEqual({ name: 'prod/db', version: 'v1' })
    expect([primary.text('prod/db'), replica.calls]).toEqual(['one', []])
    const [begun, done] = log().slice(-2)
    expect(begun).toMatchObject({
      operation: 'secret.prepare',
      facts: { chain: 'prod', provider: 'aws', begun: 'write' },
    })
    expect(done).toMatchObject({
      operation: 'secret.relayed',
      outcome: 'ok',
      facts: { provider: 'aws', version: 'v1' },
    })
  })

  it.each(['PUT', 'DELETE'])(
    'is not sent when the client of a %s goes after it was recorded as begun',
    async (method) => {
      const { admin, answer, primary, secret, token, events } = await opened()
      await admin.put('prod/db', hidden('one'))
      const sent = primary.calls.length
      const headers = { Authorization: `Bearer ${token.reveal()}`, 'Content-Type': 'application/json' }
      const body = method === 'PUT' ? { body: '{"value":"two"}' } : {}
      const request = new Request(`http://127.0.0.1${secret('prod/db')}`, { method, headers, ...body })
      const begun = () => [...events('secret.prepare'), ...events('secret.delete')].length
      const before = begun()
      await answer(request, () => begun() > before)
      expect([primary.text('prod/db'), primary.calls.length - sent]).toEqual(['one', 0])
      expect(begun()).toBe(before + 1)
      expect(events('secret.relayed').at(-1)).toMatchObject({
        outcome: 'provider_unavailable',
        facts: { failure: 'timeout', sent: false },
      })
    },
  )

  it.each([
    ['unavailable', ['unavailable', 'write_unknown']],
    ['timeout', ['unavailable', 'write_unknown']],
    ['throttled', ['unavailable', 'provider_unavailable']],
    ['sealed', ['unavailable', 'provider_unavailable']],
    ['denied', ['denied', 'provider_denied']],
    ['invalid', ['bad_request', 'provider_invalid']],
    ['deleted', ['not_found', 'provider_deleted']],
  ] as [FailureKind, string[]][])(
    'never fails over, and is not tried again, when the primary is %s',
    async (kind, expected) => {
      const { admin, primary, replica } = await opened()
      primary.failing = kind
      expect(await refusal(admin.put('prod/db', hidden('one')))).toEqual(expected)
      expect([primary.count('put'), replica.calls]).toEqual([1, []])
    },
  )

  it.each([
    [{ kind: 'invalid', code: 'Size', limitBytes: 25_600 }, 'keeps values of 1 to 25600 bytes', 25_600],
    [{ kind: 'invalid', code: 'Bytes' }, 'keeps text and no bytes', undefined],
    [{ kind: 'invalid', code: 'Other' }, 'does not accept this secret', undefined],
  ] as const)('says what a store takes when it refuses a value with %j', async (failing, said, limitBytes) => {
    const { send, secret, primary } = await opened()
    primary.failing = failing
    const response = await send(secret('prod/db'), { method: 'PUT', body: JSON.stringify({ value: 'one' }) })
    const body = (await response.json()) as { detail: string; reason: string; limitBytes?: number }
    expect([response.status, body.reason, body.limitBytes]).toEqual([400, 'provider_invalid', limitBytes])
    expect(body.detail).toContain(said)
  })

  it.each([
    ['AA==', 'base64'],
    ['AP8=', 'base64'],
    ['AA==', undefined],
  ] as const)('keeps %j with encoding %s in that form, at the replica too', async (value, encoding) => {
    const { send, secret, replica, keepUp } = await opened({ replicate: true })
    const body = JSON.stringify({ value, ...(encoding && { encoding }) })
    expect((await send(secret('prod/db'), { method: 'PUT', body })).status).toBe(201)
    expect(await (await send(secret('prod/db'))).json()).toMatchObject({ value, ...(encoding && { encoding }) })
    await keepUp()
    expect(replica.secrets.get('prod/db')!.at(-1)!.encoding).toBe(encoding ?? 'utf8')
  })

  it('is recorded and reported as done even if the rate limit is used up', async () => {
    // The chain, and the beginning of the write.
    const { admin, primary, events } = await opened({}, { POSTERN_SECURITY__PRINCIPAL_RATE: '2/h' })
    expect(await admin.put('prod/db', hidden('one'))).toEqual({ name: 'prod/db', version: 'v1' })
    expect(primary.text('prod/db')).toBe('one')
    expect(events('secret.relayed')).toMatchObject([{ outcome: 'ok', facts: { version: 'v1' } }])
    expect(await refusal(admin.put('prod/db', hidden('two')))).toEqual(['throttled', undefined])
    expect(primary.count('put')).toBe(1)
  })

  it('is not sent while the breaker of the primary is open, and the answer says so', async () => {
    const { admin, primary } = await opened({}, { POSTERN_PROVIDERS__RECOVERY_MS: '60000' })
    primary.failing = { kind: 'throttled', retryAfterMs: 60_000 }
    await refusal(admin.put('prod/db', hidden('one')))
    expect(await refusal(admin.put('prod/db', hidden('one')))).toEqual(['unavailable', 'provider_unavailable'])
    expect(primary.count('put')).toBe(1)
  })

  it('checks the expected version', async () => {
    const { admin, primary } = await opened()
    await admin.put('prod/db', hidden('one'), { expect: 'absent' })
    expect(await refusal(admin.put('prod/db', hidden('x'), { expect: 'absent' }))).toEqual([
      'conflict',
      'provider_conflict',
    ])
    await admin.put('prod/db', hidden('two'), { expect: 'v1' })
    expect(await refusal(admin.put('prod/db', hidden('x'), { expect: 'v1' }))).toEqual([
      'conflict',
      'provider_conflict',
    ])
    expect(primary.text('prod/db')).toBe('two')
  })

  it('does a repeated write once, and refuses another write under its key', async () => {
    const { admin, primary } = await opened()
    const once = () => admin.put('prod/db', hidden('one'), { idempotencyKey: 'k' })
    const [first, second] = [await once(), await once()]
    expect([first, second, primary.count('put')]).toEqual([first, first, 1])
    // The start of another write does not expire the key sooner.
    await admin.put('prod/other', hidden('x'), { idempotencyKey: 'l' })
    expect([await once(), primary.count('put')]).toEqual([first, 2])
    const other = admin.put('prod/db', hidden('two'), { idempotencyKey: 'k' })
    expect(await refusal(other)).toEqual(['conflict', 'key_reused'])
  })

  it('uses the same key at the provider when it is repeated after its answer was lost', async () => {
    const { admin, primary } = await opened()
    const { put } = primary.provider
    const keys: string[] = []
    primary.provider.put = async (name, value, options) => {
      keys.push(options.idempotencyKey)
      const done = await put(name, value, options)
      if (keys.length === 1) throw new ProviderFailure('timeout')
      return done
    }
    const once = () => admin.put('prod/db', hidden('one'), { idempotencyKey: 'k' })
    expect(await refusal(once())).toEqual(['unavailable', 'write_unknown'])
    expect(await once()).toEqual({ name: 'prod/db', version: 'v1' })
    expect(keys[1]).toBe(keys[0])
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/)
    expect(primary.secrets.get('prod/db')).toHaveLength(1)
  })

  it('uses the same key after the root key was replaced, any number of times', async () => {
    const first = await opened()
    const { primary, admin, sql } = first
    const { put } = primary.provider
    const keys: string[] = []
    primary.provider.put = async (name, value, options) => {
      keys.push(options.idempotencyKey)
      const done = await put(name, value, options)
      if (keys.length < 4) throw new ProviderFailure('timeout')
      return done
    }
    const lost = ['unavailable', 'write_unknown']
    const once = (client: Client) => client.put('prod/db', hidden('one'), { idempotencyKey: 'k' })
    expect(await refusal(once(admin))).toEqual(lost)
    const roots = [ROOT_KEY, ...[1, 2, 3].map((n) => Buffer.alloc(32, n).toString('base64url'))]
    const replaced = async (at: number) => {
      const root = { key: roots[at]!, former: roots.slice(0, at).reverse() }
      const { open } = await openApp({ aws: primary, azure: memoryProvider() }, { sql, root })
      return open(first.token)
    }
    expect(await refusal(once(await replaced(1)))).toEqual(lost)
    expect(await refusal(once(await replaced(2)))).toEqual(lost)
    expect(await once(await replaced(3))).toEqual({ name: 'prod/db', version: 'v1' })
    expect(new Set(keys).size).toBe(1)
    expect(primary.secrets.get('prod/db')).toHaveLength(1)
    // A write that is known to be done is not sent again.
    expect(await once(await replaced(3))).toEqual({ name: 'prod/db', version: 'v1' })
    expect(keys).toHaveLength(4)
  })

  it('is a new write with another value, and is not taken for done if it only began', async () => {
    const { admin, primary } = await opened()
    const [keys, kept] = [[] as string[], primary.provider.put]
    primary.provider.put = (name, value, options) => {
      keys.push(options.idempotencyKey)
      return kept(name, value, options)
    }
    primary.failing = 'timeout'
    const put = (value: string) => admin.put('prod/db', hidden(value), { idempotencyKey: 'k' })
    expect(await refusal(put('one'))).toEqual(['unavailable', 'write_unknown'])
    primary.failing = null
    expect(await put('two')).toEqual({ name: 'prod/db', version: 'v1' })
    expect(primary.text('prod/db')).toBe('two')
    // A provider that knows the first key would take this write for the first.
    expect(new Set(keys).size).toBe(2)
    // A store that takes over the name does not do it either.
    primary.failing = 'timeout'
    expect(await refusal(admin.put('prod/b', hidden('b'), { idempotencyKey: 'b' }))).toEqual([
      'unavailable',
      'write_unknown',
    ])
    await admin.deleteChain('prod')
    expect(await admin.put('prod/b', hidden('b'), { idempotencyKey: 'b' })).toEqual({ name: 'prod/b', version: 1 })
    expect((await admin.get('prod/b')).value.reveal()).toBe('b')
  })

  it('refuses fields that a provider cannot keep, and operations that belong to the provider', async () => {
    const { admin, send } = await opened()
    await admin.put('prod/db', hidden('one'))
    expect(await refusal(admin.put('prod/db', hidden('x'), { tags: { a: 'b' } }))).toEqual(['bad_request', 'tags'])
    const expiresAt = new Date(Date.now() + 60_000)
    expect(await refusal(admin.put('prod/db', hidden('x'), { expiresAt }))).toEqual(['bad_request', 'expiresAt'])
    expect(await refusal(admin.restore('prod/db'))).toEqual(['conflict', 'not_sealed'])
    expect(await refusal(admin.destroy('prod/db', 'all'))).toEqual(['conflict', 'not_sealed'])
    expect(await refusal(admin.delete('prod/db', { expect: 1 }))).toEqual(['conflict', 'not_sealed'])
    expect((await send('/v1/vaults/default/versions/prod/db')).status).toBe(200)
  })

  it('shows the version history of the provider', async () => {
    const { admin } = await opened()
    await admin.put('prod/db', hidden('one'))
    await admin.put('prod/db', hidden('two'))
    expect((await admin.versions('prod/db')).items).toEqual([
      { version: 'v2', stage: 'current', provider: 'aws' },
      { version: 'v1', stage: 'previous', provider: 'aws' },
    ])
  })
})

describe('replication', () => {
  it("copies the primary's values to replicas, shows their lag, and records the copies", async () => {
    const { admin, replica, keepUp, events } = await opened()
    await admin.put('prod/db', hidden('one'))
    const lag = async () => (await admin.providers()).items.find(({ id }) => id === 'azure')!.lag
    expect(await lag()).toEqual({ names: 1, seconds: expect.any(Number) })
    await keepUp()
    expect([replica.text('prod/db'), await lag()]).toEqual(['one', undefined])
    expect(events('replica.reached').at(-1)).toMatchObject({
      ...{ principal: null, resource: 'prod/db', outcome: 'ok' },
      facts: { provider: 'azure', how: 'written', version: 'v1' },
    })
  })

  it('writes the newest of many writes once', async () => {
    const { admin, replica, keepUp } = await opened()
    for (let i = 1; i <= 5; i++) await admin.put('prod/db', hidden(`value ${i}`))
    await keepUp()
    await keepUp()
    expect([replica.text('prod/db'), replica.count('put')]).toEqual(['value 5', 1])
  })

  it('deletes at replicas the secrets deleted here, but not those that vanished at the primary', async () => {
    const { admin, primary, replica, keepUp, events } = await opened()
    await admin.put('prod/db', hidden('one'))
    await keepUp()
    await admin.delete('prod/db')
    await keepUp()
    expect([primary.secrets.size, replica.secrets.size]).toEqual([0, 0])
    await admin.put('prod/other', hidden('two'))
    await keepUp()
    await admin.put('prod/other', hidden('three'))
    primary.secrets.clear()
    await keepUp()
    expect(replica.text('prod/other')).toBe('two')
    expect(events('replica.failed').at(-1)!.facts).toMatchObject({ failure: 'not_found' })
  })

  it('deletes at replicas a secret deleted here even if a later write was refused', async () => {
    const { admin, primary, replica, keepUp } = await opened()
    await admin.put('prod/db', hidden('one'))
    await keepUp()
    replica.failing = 'unavailable'
    await admin.delete('prod/db')
    for (const failing of ['conflict', 'denied'] as const) {
      primary.failing = failing
      await refusal(admin.put('prod/db', hidden('two')))
    }
    primary.failing = replica.failing = null
    await keepUp()
    expect(replica.secrets.size).toBe(0)
    // A write that was made makes it a secret again.
    await admin.delete('prod/db').catch(() => {})
    await admin.put('prod/db', hidden('three'))
    primary.secrets.clear()
    replica.set('prod/db', 'two')
    await keepUp()
    expect(replica.text('prod/db')).toBe('two')
  })

  it('copies a changed content type of the same text', async () => {
    const { admin, replica, keepUp } = await opened()
    const type = () => replica.secrets.get('prod/db')!.at(-1)!.contentType
    for (const contentType of ['application/yaml', 'application/json']) {
      await admin.put('prod/db', hidden('{}'), { contentType })
      await keepUp()
      await keepUp()
      expect(type()).toBe(contentType)
    }
    expect(replica.count('put')).toBe(2)
  })

  it('retries after failures of the replica, records the first of each kind, and survives a restart', async () => {
    const { admin, sql, replica, primary, keepUp, events } = await opened()
    replica.failing = 'unavailable'
    await admin.put('prod/db', hidden('one'))
    await keepUp()
    await keepUp()
    expect(events('replica.failed')).toHaveLength(1)
    replica.failing = null
    const again = await openApp({ aws: primary, azure: replica }, { sql })
    sql.all('UPDATE replication SET due_at = 0')
    await again.opened.scheduler.run(Date.now())
    expect(replica.text('prod/db')).toBe('one')
  })

  it('copies a write whose end was never recorded', async () => {
    const { admin, sql, primary, replica, keepUp } = await opened()
    sql.all(`CREATE TRIGGER crash BEFORE INSERT ON entry WHEN CAST(NEW.body AS TEXT) LIKE '%secret.relayed%'
      BEGIN SELECT RAISE(FAIL, 'crashed'); END`)
    expect(await refusal(admin.put('prod/db', hidden('one')))).toEqual(['unavailable', 'storage'])
    sql.all('DROP TRIGGER crash')
    expect(primary.text('prod/db')).toBe('one')
    await keepUp()
    expect(replica.text('prod/db')).toBe('one')
  })

  it('does not lose a write that arrives while an older one is copied', async () => {
    const { admin, replica, keepUp, sql } = await opened()
    await admin.put('prod/db', hidden('one'))
    const { put } = replica.provider
    replica.provider.put = async (...asked) => {
      replica.provider.put = put
      await admin.put('prod/db', hidden('two'))
      return put(...asked)
    }
    await keepUp()
    expect([replica.text('prod/db'), sql.all('SELECT name FROM replication')]).toEqual(['one', [{ name: 'prod/db' }]])
    await keepUp()
    expect([replica.text('prod/db'), sql.all('SELECT name FROM replication')]).toEqual(['two', []])
  })

  it('does not lose a write that arrives after its replicas were read', async () => {
    const { admin, primary, replica, keepUp } = await opened()
    await admin.put('prod/db', hidden('one'))
    await keepUp()
    const { put } = primary.provider
    primary.provider.put = async (...asked) => {
      primary.provider.put = put
      // As if it took longer than the deadline.
      await keepUp()
      return put(...asked)
    }
    await admin.put('prod/db', hidden('two'))
    await keepUp()
    expect(replica.text('prod/db')).toBe('two')
  })

  it('is not done for a chain without replication, and stops for a replica that left the chain', async () => {
    const none = await opened({ replicate: false })
    await none.admin.put('prod/db', hidden('one'))
    await none.keepUp()
    expect(none.replica.count('put')).toBe(0)
    const { admin, keepUp, replica, sql } = await opened()
    await admin.put('prod/db', hidden('one'))
    await admin.putChain('prod', { resource: 'prod/**', members: [{ provider: 'aws' }], replicate: true })
    await keepUp()
    expect([replica.calls, sql.all('SELECT name FROM replication')]).toEqual([[], []])
  })

  it('keeps no value, and no hash that could be guessed', async () => {
    const text = canary()
    const { admin, sql, keepUp, log } = await opened()
    await admin.put('prod/db', hidden(text))
    await keepUp()
    await keepUp()
    const kept = JSON.stringify([
      ...sql.all('SELECT * FROM replication'),
      ...sql.all('SELECT * FROM compared'),
      ...sql.all('SELECT * FROM cached'),
      ...log(),
    ])
    expect(sql.all('SELECT digest FROM compared WHERE digest IS NOT NULL')).toHaveLength(1)
    expect(leaks(kept, [text])).toEqual([])
    expect(kept).not.toContain(bareHash(text))
  })
})

describe('drift', () => {
  it('is detected, recorded once, shown, and recorded again when it ends', async () => {
    const { admin, replica, keepUp, events } = await opened()
    await admin.put('prod/db', hidden('one'))
    await keepUp()
    await keepUp()
    expect(events('replica.compared')).toEqual([])
    replica.set('prod/db', 'changed elsewhere')
    await keepUp()
    await keepUp()
    expect(events('replica.compared').map(({ facts }) => facts)).toEqual([{ provider: 'azure', differs: true }])
    expect((await admin.providers()).items.find(({ id }) => id === 'azure')!.drifted).toBe(1)
    replica.set('prod/db', 'one')
    await keepUp()
    expect(events('replica.compared').at(-1)!.facts).toEqual({ provider: 'azure', differs: false })
  })

  it('is detected at read-only replicas too, from the first read on, and for missing secrets', async () => {
    const { admin, primary, keepUp, events } = await opened({ replicate: false })
    primary.set('prod/db', 'one')
    await admin.get('prod/db')
    await keepUp()
    expect(events('replica.compared').at(-1)!.facts).toEqual({ provider: 'azure', differs: true, missing: 'replica' })
  })

  it('is not reported for an outage', async () => {
    const { admin, replica, keepUp, events } = await opened()
    await admin.put('prod/db', hidden('one'))
    await keepUp()
    replica.failing = 'unavailable'
    await keepUp()
    expect(events('replica.compared')).toEqual([])
  })

  it('is checked again after a pause when a store was down, which counts as no comparison', async () => {
    const { admin, replica, sql, keepUp, events } = await opened()
    await admin.put('prod/db', hidden('one'))
    await keepUp()
    await keepUp()
    const row = () =>
      sql.all<{ at: number; tried: number }>('SELECT compared_at AS at, tried_at AS tried FROM compared')[0]!
    sql.all('UPDATE compared SET compared_at = 1, tried_at = 0')
    replica.set('prod/db', 'changed elsewhere')
    replica.failing = 'unavailable'
    await keepUp()
    expect(row().at).toBe(0)
    expect(row().tried).toBeGreaterThan(1)
    // Not at once, so that other names have their turn.
    replica.failing = null
    await keepUp()
    expect(row().at).toBe(0)
    sql.all('UPDATE compared SET tried_at = 1')
    await keepUp()
    expect(row().at).toBeGreaterThan(1)
    expect(events('replica.compared').map(({ facts }) => facts)).toEqual([{ provider: 'azure', differs: true }])
  })
})
