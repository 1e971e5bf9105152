/** Mistakes in our own adapters: thrown, counted and reported, and never served as an outage of the store. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import * as z from 'zod/mini'
import { utf8 } from '../../../../core/bytes.ts'
import { send } from '../../../../core/http/send.ts'
import { failover } from '../../../../core/providers/failover.ts'
import { FileProvider } from '../../../../core/providers/file/provider.ts'
import { GuardedProvider } from '../../../../core/providers/guarded_provider.ts'
import type { Provider } from '../../../../core/providers/provider.ts'
import { readAnswer } from '../../../../core/providers/request.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { ADAPTERS, json } from './adapters_fixture.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const times = { deadlineMs: 1000, attemptMs: 200, onNotFound: 'stop' } as const
const signal = () => new AbortController().signal
const work: Record<string, (provider: Provider, name: string, signal: AbortSignal) => Promise<unknown>> = {
  get: (provider, name, signal) => provider.get(name, { signal }),
  list: (provider, prefix, signal) => provider.list({ prefix, cursor: null, limit: 10, signal }),
  put: (provider, name, signal) => provider.put(name, new Redacted(new Uint8Array(1)), putOptions(signal)),
  remove: (provider, name, signal) => provider.remove(name, { signal }),
}

function putOptions(signal: AbortSignal) {
  return { signal, idempotencyKey: 'k'.repeat(32) }
}

/** A member whose adapter makes a mistake, the next member of its chain, and the lines of the operational log. */
function chainOf(broken: Provider) {
  const lines: object[] = []
  const report = (level: string, event: string, fields: object) => void lines.push({ level, event, ...fields })
  const next = memoryProvider()
  const [guarded, other] = [
    new GuardedProvider('broken', broken, { recoveryMs: 1000, report }),
    new GuardedProvider('next', next.provider, { recoveryMs: 1000, report }),
  ]
  const members = [guarded, other].map((one) => ({ guarded: one, name: 'n' }))
  return { members, guarded, next, lines }
}

describe('a mistake in an adapter', () => {
  it.each(
    Object.keys(work).flatMap((method) => [TypeError, RangeError].map((Kind) => [method, Kind.name, Kind] as const)),
  )('in %s as a %s is thrown, counted and reported, and no other member is asked', async (method, name, Kind) => {
    const value = canary()
    const memory = memoryProvider()
    Object.assign(memory.provider, { [method]: async () => Promise.reject(new Kind(`at ${value}`)) })
    const { members, guarded, next, lines } = chainOf(memory.provider)
    for (let i = 0; i < 10; i++) await expect(failover(members, work[method]!, times)).rejects.toThrow(Kind)
    expect(next.calls).toEqual([])
    expect(guarded.mistakes).toBe(10)
    expect([...guarded.failures]).toEqual([])
    expect(guarded.health(Date.now())).toMatchObject({ breaker: 'closed', state: 'up', lastFailure: null })
    expect(lines).toEqual(
      Array.from({ length: 10 }, () => ({
        level: 'error',
        event: 'provider_mistake',
        provider: 'broken',
        error: name,
      })),
    )
    expect(leaks(JSON.stringify(lines), [value])).toEqual([])
  })

  // Google's payload is bytes, whose form is not checked.
  it.each(ADAPTERS.filter(({ kind }) => kind !== 'google'))(
    'is thrown unchanged while reading a value: $kind',
    async ({ open, secret }) => {
      const { members, guarded, next } = chainOf(
        open(() => json({ ...secret, body: { ...Object(secret.body), Name: 'n' } })),
      )
      vi.spyOn(String.prototype, 'isWellFormed').mockImplementation(() => {
        throw new TypeError('mistake')
      })
      await expect(failover(members, work.get!, times)).rejects.toThrow('mistake')
      expect([next.calls, guarded.mistakes, [...guarded.failures]]).toEqual([[], 1, []])
    },
  )

  it.each(ADAPTERS)('is thrown unchanged while renewing credentials or making a request: $kind', async (adapter) => {
    const now = () => {
      throw new RangeError('mistake')
    }
    const { members, guarded, next } = chainOf(adapter.open(() => json(adapter.words.throttled), { now }))
    await expect(failover(members, work.get!, times)).rejects.toThrow('mistake')
    expect([next.calls, guarded.mistakes, [...guarded.failures]]).toEqual([[], 1, []])
  })

  it('in the schema of an answer is not reported as a malformed answer', () => {
    const schema = z.pipe(
      z.string(),
      z.transform(() => {
        throw new TypeError('mistake')
      }),
    )
    expect(() => readAnswer(utf8('"text"'), schema)).toThrow('mistake')
    expect(readAnswer(utf8('no JSON'), schema)).toBeNull()
  })

  it.each(['read', 'write'] as const)(
    'is thrown by the %s function of a file store, and an error of the disk is not',
    async (method) => {
      const failing = (error: Error) => {
        const files = { read: async () => null, write: async () => {}, [method]: async () => Promise.reject(error) }
        return new FileProvider({ format: 'json', ...files }).put(
          'a',
          new Redacted(new Uint8Array(1)),
          putOptions(signal()),
        )
      }
      await expect(failing(new TypeError('mistake'))).rejects.toThrow('mistake')
      await expect(failing(Object.assign(new Error('EIO: /path'), { code: 'EIO' }))).rejects.toMatchObject({
        kind: 'unavailable',
      })
    },
  )
})

describe('a request that no platform would make', () => {
  it('is thrown as a mistake, without the faulty header, and is never sent', async () => {
    const value = canary()
    const fetch = vi.fn()
    const error = await send('https://store.example/', { headers: { a: `${value}\nb` } }, { fetch }).catch((it) => it)
    expect(error).toBeInstanceOf(TypeError)
    expect(leaks(`${error.stack} ${String(error.cause)}`, [value])).toEqual([])
    expect(fetch).not.toHaveBeenCalled()
  })

  it('differs from a TypeError of fetch, which is how the network fails', async () => {
    const failing = (error: Error) => send('https://store.example/', {}, { fetch: async () => Promise.reject(error) })
    await expect(failing(new TypeError('fetch failed'))).rejects.toMatchObject({ detail: { reason: 'no_answer' } })
    await expect(failing(new RangeError('mistake'))).rejects.toThrow('mistake')
  })
})
