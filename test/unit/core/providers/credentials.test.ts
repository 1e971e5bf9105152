import { describe, expect, it } from 'vitest'
import { type Issued, RenewedCredentials, tokenFrom } from '../../../../core/providers/credentials.ts'
import { type FailureKind, ProviderFailure } from '../../../../core/providers/provider.ts'
import { kindOf } from '../../../support/codes.ts'

const signal = () => new AbortController().signal

/** Credentials `1`, `2`, … that last ten seconds, by a clock that stands still. */
function bench(shared = true) {
  const state = { now: 1_000_000, issued: 0, fails: null as FailureKind | Error | null, held: [] as (number | null)[] }
  const issue = async (_: AbortSignal, held: number | null): Promise<Issued<number>> => {
    state.held.push(held)
    state.issued++
    await Promise.resolve()
    if (state.fails !== null) throw typeof state.fails === 'string' ? new ProviderFailure(state.fails) : state.fails
    return { value: state.issued, lifetimeMs: 10_000 }
  }
  const credentials = new RenewedCredentials(issue, { now: () => state.now, shared })
  return { state, credentials, value: () => credentials.use(signal(), async (value) => value) }
}

describe('RenewedCredentials', () => {
  it('are issued once for simultaneous requests', async () => {
    const { state, value } = bench()
    expect(await Promise.all([value(), value(), value()])).toEqual([1, 1, 1])
    expect(state.issued).toBe(1)
  })

  it('are issued for each request where requests must not wait for each other', async () => {
    const { state, value } = bench(false)
    await Promise.all([value(), value()])
    expect(state.issued).toBe(2)
    await value()
    expect(state.issued).toBe(2)
  })

  it('are renewed after 80 % of their lifetime, while the old ones are valid', async () => {
    const { state, value } = bench()
    expect(await value()).toBe(1)
    state.now += 7_999
    expect(await value()).toBe(1)
    state.now += 1
    expect(await value()).toBe(2)
    state.now += 10_000
    expect(await value()).toBe(3)
    expect(state.held).toEqual([null, 1, null])
  })

  it('serve until they expire while renewal fails, with a retry from time to time', async () => {
    const { state, value } = bench()
    await value()
    state.fails = 'timeout'
    state.now += 8_500
    for (let i = 0; i < 5; i++) expect(await value()).toBe(1)
    expect(state.issued).toBe(2)
    state.now += 1_500
    expect(await kindOf(value())).toBe('timeout')
    state.fails = null
    expect(await value()).toBe(4)
  })

  it('are not requested again at once after a refusal', async () => {
    const { state, value } = bench()
    state.fails = 'credentials'
    for (let i = 0; i < 10; i++) expect(await kindOf(value())).toBe('credentials')
    expect(state.issued).toBe(1)
    state.now += 5_000
    state.fails = null
    expect(await value()).toBe(2)
  })

  it('are replaced once when the store rejects them, and not on a denial', async () => {
    const { state, credentials } = bench()
    const tried: number[] = []
    const refuse = (kind: FailureKind) => (value: number) => {
      tried.push(value)
      return Promise.reject(new ProviderFailure(kind))
    }
    expect(await kindOf(credentials.use(signal(), refuse('denied')))).toBe('denied')
    expect(await kindOf(credentials.use(signal(), refuse('credentials')))).toBe('credentials')
    expect(tried).toEqual([1, 1, 2])
    expect(state.issued).toBe(2)
  })

  it('are replaced once for requests that are rejected together', async () => {
    const { state, credentials } = bench()
    const attempt = async (value: number) => {
      await Promise.resolve()
      if (value === 1) throw new ProviderFailure('credentials')
      return value
    }
    expect(await Promise.all([1, 2, 3].map(() => credentials.use(signal(), attempt)))).toEqual([2, 2, 2])
    expect(state.issued).toBe(2)
  })

  it('stay when they are newer than the rejected ones', async () => {
    const { state, credentials } = bench()
    let refuse = () => {}
    const late = new Promise<void>((resolve) => {
      refuse = resolve
    })
    const attempt = (wait: Promise<void>) => async (value: number) => {
      if (value > 1) return value
      await wait
      throw new ProviderFailure('credentials')
    }
    const slow = credentials.use(signal(), attempt(late))
    expect(await credentials.use(signal(), attempt(Promise.resolve()))).toBe(2)
    refuse()
    expect([await slow, state.issued]).toEqual([2, 2])
  })

  it('end the wait of an aborted request, and not of the others', async () => {
    let finish = () => {}
    const gate = new Promise<void>((resolve) => {
      finish = resolve
    })
    const issue = async () => {
      await gate
      return { value: 'token', lifetimeMs: 1000 }
    }
    const credentials = new RenewedCredentials(issue, {})
    const hasty = new AbortController()
    const first = kindOf(credentials.use(hasty.signal, async (value) => value))
    const second = credentials.use(signal(), async (value) => value)
    hasty.abort()
    expect(await first).toBe('timeout')
    finish()
    expect(await second).toBe('token')
  })

  it('rethrows a mistake of its issuer, and does not request new ones at once', async () => {
    const { state, credentials, value } = bench()
    await value()
    state.fails = new TypeError('mistake')
    state.now += 8_500
    await expect(value()).rejects.toThrow(TypeError)
    state.now += 1_500
    for (let i = 0; i < 5; i++) await expect(value()).rejects.toThrow(TypeError)
    await expect(credentials.keep(signal(), 'given')).rejects.toThrow(TypeError)
    expect(state.issued).toBe(2)
  })
})

describe('tokenFrom', () => {
  const thrownFor = async (error: Error) =>
    tokenFrom(async () => {
      throw error
    }, signal()).then(
      () => expect.unreachable(),
      (thrown) => thrown,
    )

  it('reports the error of a source as refused credentials, without its message', async () => {
    const error: ProviderFailure = await thrownFor(new Error('canary of a source'))
    expect(error.kind).toBe('credentials')
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain('canary')
  })

  it('throws a mistake of a source as a mistake, without its message', async () => {
    const error = await thrownFor(new RangeError('canary of a source'))
    expect(error).toBeInstanceOf(TypeError)
    expect(`${error.stack} ${String(error.cause)}`).not.toContain('canary')
  })
})
