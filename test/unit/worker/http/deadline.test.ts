/**
 * Requests that pass their deadline: their answers, their entries in the log, and repeats of them.
 *
 * The tests hold the vault before or after its transaction.
 *
 * @module
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { REFUSALS } from '../../../../core/errors.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { createApp } from '../../../../worker/app.ts'
import type { Host } from '../../../../worker/vault_host/host.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

beforeEach(() => {
  // The test makes the deadline pass, so that a busy machine makes no difference.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})

afterEach(() => {
  vi.useRealTimers()
})

const DEADLINE_MS = 10_000

/** An app whose vault can be held: before an operation begins, or after it is recorded and before its answer. */
async function open(providers: Parameters<typeof openApp>[0] = null) {
  const bench = await openApp(providers, { environment: { POSTERN_REQUEST_TIMEOUT_MS: String(DEADLINE_MS) } })
  let held: { operation: string; when: 'before' | 'after'; until: Promise<void>; onReached: () => void } | null = null
  const wait = async (operation: string, when: 'before' | 'after') => {
    if (held?.operation !== operation || held.when !== when) return
    held.onReached()
    await held.until
  }
  const host: Host = {
    ...bench.services.host,
    vault: async (id, create) => {
      const handle = await bench.services.host.vault(id, create)
      const slowed = handle.around((work) => work())
      const call = slowed.call.bind(slowed)
      slowed.call = async (operation, caller, input) => {
        await wait(operation, 'before')
        const answer = await call(operation, caller, input)
        await wait(operation, 'after')
        return answer
      }
      return slowed
    },
  }
  const app = createApp({ ...bench.services, host })
  const ask = async (
    method: string,
    path: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ) => {
    const request = new Request(`http://127.0.0.1${path}`, {
      method,
      headers: { Authorization: `Bearer ${bench.token.reveal()}`, 'Content-Type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const response = await app.fetch(request, { address: '127.0.0.1' })
    return { response, status: response.status, body: await response.json() }
  }
  /** Holds the next operation of a kind: `pass` makes all deadlines pass once it is held, `release` continues it. */
  const hold = (operation: string, when: 'before' | 'after') => {
    const [until, reached] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    held = { operation, when, until: until.promise, onReached: reached.resolve }
    return {
      pass: async () => {
        await reached.promise
        vi.advanceTimersByTime(DEADLINE_MS)
      },
      release: async () => {
        held = null
        until.resolve()
        // Continue the held operation.
        for (let i = 0; i < 50; i++) await new Promise((next) => setImmediate(next))
      },
    }
  }
  const entries = (operation: string) => bench.log().filter((entry) => entry.operation === operation)
  return { ...bench, ask, hold, entries }
}

const late = { status: 503, code: 'unavailable', reason: 'late', detail: REFUSALS.late[1] }

describe('a request past its deadline', () => {
  it('row 19: is done if its entry was recorded before, and a repeat with its key changes nothing more', async () => {
    const { ask, hold, entries, secret } = await open()
    const put = { body: { value: 'one' }, headers: { 'Idempotency-Key': 'a' } }
    const { pass, release } = hold('secret.write', 'after')
    const asked = ask('PUT', secret('a'), put)
    await pass()
    const first = await asked
    expect(first.body).toMatchObject(late)
    expect(first.response.headers.get('Retry-After')).toBe('1')
    // It may have an entry, which its request id finds. Only an answer within the deadline names the entry.
    expect(first.response.headers.get('Audit-Index')).toBeNull()
    await release()
    expect(entries('secret.write')).toMatchObject([
      { request: first.body.requestId, resource: 'a', outcome: 'ok', facts: { version: 1 } },
    ])
    const repeat = await ask('PUT', secret('a'), put)
    expect([repeat.status, repeat.body]).toEqual([201, { name: 'a', version: 1 }])
    expect(entries('secret.write')).toHaveLength(2)
    expect(entries('secret.write')[1]).toMatchObject({ outcome: 'ok', facts: { version: 1, replayed: true } })
    expect((await ask('GET', secret('a'))).body).toMatchObject({ value: 'one', version: 1 })
    // Without the key it is a new write.
    expect((await ask('PUT', secret('a'), { body: { value: 'one' } })).body).toMatchObject({ version: 2 })
  })

  it('row 19: is done once if the repeat arrives while the first waits for its turn', async () => {
    const { ask, hold, entries, secret } = await open()
    const put = { body: { value: 'one' }, headers: { 'Idempotency-Key': 'a' } }
    const { pass, release } = hold('secret.write', 'before')
    const first = ask('PUT', secret('a'), put)
    await pass()
    expect((await first).body).toMatchObject(late)
    const repeat = ask('PUT', secret('a'), put)
    await release()
    expect((await repeat).body).toEqual({ name: 'a', version: 1 })
    expect((await ask('GET', secret('a'))).body).toMatchObject({ value: 'one', version: 1 })
    expect(entries('secret.write').filter(({ facts }) => facts.replayed !== true)).toHaveLength(1)
  })

  it('row 19: stores nothing if its write had not begun, so that it never undoes a later one', async () => {
    const { ask, hold, entries, secret } = await open()
    const { pass, release } = hold('secret.prepare', 'after')
    const first = ask('PUT', secret('a'), { body: { value: 'given up' } })
    await pass()
    expect((await first).body).toMatchObject(late)
    await release()
    expect(entries('secret.write')).toEqual([])
    expect((await ask('PUT', secret('a'), { body: { value: 'later' } })).body).toMatchObject({ version: 1 })
    expect((await ask('GET', secret('a'))).body).toMatchObject({ value: 'later', version: 1 })
  })

  it('stores nothing after it waited too long behind writes of the same name', async () => {
    const { ask, hold, entries, secret } = await open()
    const { pass, release } = hold('secret.write', 'before')
    const asked = ['one', 'two'].map((value) => ask('PUT', secret('a'), { body: { value } }))
    await pass()
    for (const { body } of await Promise.all(asked)) expect(body).toMatchObject(late)
    await release()
    // The first was in progress; the second had not begun.
    expect(entries('secret.write')).toHaveLength(1)
    expect((await ask('GET', secret('a'))).body).toMatchObject({ value: 'one', version: 1 })
  })

  it('sends nothing to a provider if sending had not begun, and the log records that', async () => {
    const aws = memoryProvider()
    const { admin, ask, hold, entries, secret } = await open({ aws })
    await admin.putChain('far', { resource: 'far/**', members: [{ provider: 'aws' }] })
    const { pass, release } = hold('secret.prepare', 'before')
    const asked = ['one', 'two'].map((value) => ask('PUT', secret('far/a'), { body: { value } }))
    await pass()
    for (const { body } of await Promise.all(asked)) expect(body).toMatchObject(late)
    await release()
    expect(aws.count('put')).toBe(0)
    // The first was begun, but not sent; the second waited behind it, and never began.
    expect(entries('secret.prepare')).toHaveLength(1)
    const unsent = { outcome: 'provider_unavailable', facts: { failure: 'timeout', sent: false } }
    expect(entries('secret.relayed')).toMatchObject([unsent])
    expect((await ask('PUT', secret('far/a'), { body: { value: 'later' } })).status).toBe(201)
    expect([aws.text('far/a'), aws.count('put')]).toEqual(['later', 1])
  })

  it('deletes nothing at a provider if deletion had not begun', async () => {
    const aws = memoryProvider()
    const { admin, ask, hold, entries, secret } = await open({ aws })
    await admin.putChain('far', { resource: 'far/**', members: [{ provider: 'aws' }] })
    await admin.put('far/a', new Redacted('one'))
    const { pass, release } = hold('secret.delete', 'after')
    const asked = ask('DELETE', secret('far/a'))
    await pass()
    expect((await asked).body).toMatchObject(late)
    await release()
    expect([aws.text('far/a'), aws.count('remove')]).toEqual(['one', 0])
    expect(entries('secret.relayed').at(-1)).toMatchObject({
      outcome: 'provider_unavailable',
      facts: { effect: 'delete', failure: 'timeout', sent: false },
    })
  })

  it('has no value in its answer, and an entry with the decision', async () => {
    const { ask, hold, entries, secret } = await open()
    await ask('PUT', secret('a'), { body: { value: 'a canary that is late' } })
    const { pass, release } = hold('secret.read', 'after')
    const asked = ask('GET', secret('a'))
    await pass()
    const read = await asked
    expect(read.body).toMatchObject(late)
    expect(JSON.stringify(read.body)).not.toContain('canary')
    await release()
    expect(entries('secret.read')).toMatchObject([{ request: read.body.requestId, outcome: 'ok' }])
  })
})

describe('an overloaded vault', () => {
  it('refuses further calls at once, does none of them, and gives another reason', async () => {
    const { services, entries } = await open()
    const handle = await services.host.vault('default', false)
    const caller = {
      ...{ credential: null, proof: null, requestId: 'x', address: null, agent: null },
    } as never
    const calls = Array.from({ length: 10_001 }, () => handle.call('secret.read', caller, { name: 'a' }))
    const answers = await Promise.allSettled(calls)
    const reasons = answers.map((one) => one.status === 'rejected' && (one.reason.detail.reason ?? one.reason.code))
    expect(reasons.filter((reason) => reason === 'overloaded')).toHaveLength(1)
    expect(reasons.at(-1)).toBe('overloaded')
    expect(reasons.filter((reason) => reason === 'unauthenticated')).toHaveLength(10_000)
    expect(entries('secret.read').length).toBeLessThanOrEqual(10_000)
  })
})
