/** The adapters on workerd: requests, answers and timeouts. */
import { describe, expect, it } from 'vitest'
import { parseUtf8 } from '../../../core/bytes.ts'
import { ADAPTERS, json, SECRETS } from '../../unit/core/providers/adapters_fixture.ts'

describe.each(ADAPTERS)('$kind', ({ open, secret, words }) => {
  const signal = () => AbortSignal.timeout(10_000)

  it('reads a secret', async () => {
    const provider = open(() => json(secret))
    const found = await provider.get('prod-db', { signal: signal() })
    expect(parseUtf8(found.value.reveal())).toBe(SECRETS[2])
  })

  it('reads a refusal', async () => {
    const provider = open(() => json(words.denied))
    await expect(provider.get('prod-db', { signal: signal() })).rejects.toMatchObject({ kind: 'denied' })
  })

  it('times out, and stops with its caller', async () => {
    const never = () => new Promise<never>(() => {})
    const provider = open(
      (request) =>
        new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(new Error('ended')))),
      { timeoutMs: 30 },
    )
    await expect(provider.get('prod-db', { signal: signal() })).rejects.toMatchObject({ kind: 'timeout' })
    await expect(open(never).get('prod-db', { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'timeout' })
  })
})
