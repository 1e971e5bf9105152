/** The state of a provider, and its lines in the operational log. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GuardedProvider } from '../../../../core/providers/guarded_provider.ts'
import { type FailureKind, ProviderFailure } from '../../../../core/providers/provider.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
})
afterEach(() => void vi.useRealTimers())

function open() {
  const memory = memoryProvider()
  memory.set('n', 'v')
  const lines: Record<string, unknown>[] = []
  const report = (level: string, event: string, fields: object) => void lines.push({ level, event, ...fields })
  const guarded = new GuardedProvider('store', memory.provider, { recoveryMs: 1000, report })
  const read = (name = 'n') =>
    guarded
      .ask((provider, signal) => provider.get(name, { signal }), 200, name)
      .then(
        () => 'served',
        (error) => (error instanceof ProviderFailure ? error.kind : 'breaker'),
      )
  const state = () => guarded.health(Date.now()).state
  return { memory, lines, guarded, read, state }
}

describe('a provider', () => {
  it('with refused credentials is down until a request is served, and logs that once', async () => {
    const { memory, lines, guarded, read, state } = open()
    memory.failing = { kind: 'credentials', code: 'Http403' }
    for (let i = 0; i < 20; i++) expect(await read()).toBe('credentials')
    expect(guarded.health(Date.now())).toMatchObject({
      ...{ state: 'down', breaker: 'closed' },
      lastFailure: { kind: 'credentials', code: 'Http403' },
    })
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(state()).toBe('down')
    memory.failing = null
    await read()
    expect(state()).toBe('up')
    const about = { event: 'provider_state', provider: 'store' }
    expect(lines).toEqual([
      { level: 'warn', ...about, state: 'down', before: 'up', kind: 'credentials', code: 'Http403' },
      { level: 'info', ...about, state: 'up', before: 'down' },
    ])
  })

  it('stays down when a request is refused before it is sent', async () => {
    const { memory, read, state } = open()
    memory.failing = 'credentials'
    await read()
    memory.failing = { kind: 'invalid', code: 'Name' }
    await read()
    expect(state()).toBe('down')
  })

  it('is degraded while it denies its health name, however many other names it serves', async () => {
    const { memory, lines, guarded, read, state } = open()
    const { health } = memory.provider
    memory.provider.health = async () => {
      throw new ProviderFailure('denied', { code: 'Http403' })
    }
    await guarded.look(200)
    await read()
    await vi.advanceTimersByTimeAsync(120_000)
    expect(state()).toBe('degraded')
    memory.provider.health = health
    await guarded.look(200)
    expect(state()).toBe('up')
    expect(lines).toMatchObject([{ state: 'degraded', kind: 'denied', code: 'Http403' }, { state: 'up' }])
  })

  it('is not degraded by a denial of another name', async () => {
    const { memory, lines, read, state } = open()
    memory.failing = 'denied'
    await read()
    expect([state(), lines]).toEqual(['up', []])
  })

  it.each([
    ['sealed', 'Http503'],
    ['unavailable', 'ENOTFOUND'],
    ['unavailable', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['timeout', null],
  ] as [FailureKind, string | null][])(
    'logs a line for each change on its way down and back: %s (%s)',
    async (kind, code) => {
      const { memory, lines, read, state } = open()
      memory.failing = { kind, ...(code && { code }) }
      for (let i = 0; i < 30; i++) {
        await read()
        await vi.advanceTimersByTimeAsync(5000)
      }
      expect(state()).toBe('down')
      memory.failing = null
      await vi.advanceTimersByTimeAsync(120_000)
      await read()
      expect(state()).toBe('up')
      const states = lines.map((line) => line.state)
      expect(states).toEqual(['degraded', 'down', 'up'])
      expect(lines.slice(0, 2)).toEqual(Array(2).fill(expect.objectContaining({ kind, code })))
    },
  )

  it('logs a change of its failure', async () => {
    const { memory, lines, guarded } = open()
    memory.failing = { kind: 'unavailable', code: 'ENOTFOUND' }
    await guarded.look(200)
    memory.failing = { kind: 'unavailable', code: 'CERT_HAS_EXPIRED' }
    await guarded.look(200)
    expect(lines).toMatchObject([{ code: 'ENOTFOUND' }, { before: 'degraded', code: 'CERT_HAS_EXPIRED' }])
  })

  it('logs few lines while it flaps, counts the rest, and ends with its last state', async () => {
    const { memory, lines, read } = open()
    for (let i = 0; i < 1000; i++) {
      memory.failing = i % 2 === 0 ? 'credentials' : null
      await read()
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(lines.length).toBeLessThanOrEqual(6)
    await vi.advanceTimersByTimeAsync(600_000)
    memory.failing = 'credentials'
    await read()
    memory.failing = null
    await read()
    expect(lines.at(-1)).toMatchObject({ state: 'up' })
    expect(lines.some(({ untold }) => Number(untold) > 400)).toBe(true)
  })

  it('reports a mistake of its adapter by its class alone', async () => {
    const { memory, lines, guarded } = open()
    memory.provider.get = async () => {
      throw new TypeError('canary-secret')
    }
    const asked = guarded.ask((provider, signal) => provider.get('n', { signal }), 200, 'n')
    await expect(asked).rejects.toThrow(TypeError)
    expect(lines).toEqual([{ level: 'error', event: 'provider_mistake', provider: 'store', error: 'TypeError' }])
  })
})
