import { describe, expect, it } from 'vitest'
import { PosternError } from '../../../../core/errors.ts'
import { OPERATIONS, type OperationName, REPEATABLE } from '../../../../core/vault/operation_table.ts'
import type { Answer, Call, Caller } from '../../../../core/vault/rpc.ts'
import type { Vault } from '../../../../core/vault/vault.ts'
import type { Scheduler } from '../../../../worker/background/scheduler.ts'
import { durableHost } from '../../../../worker/vault_host/durable.ts'
import { groupCommit } from '../../../../worker/vault_host/group_commit.ts'
import { GONE, VaultHandle } from '../../../../worker/vault_host/host.ts'
import { localHost } from '../../../../worker/vault_host/local.ts'
import { codeOf } from '../../../support/codes.ts'

const caller: Caller = { credential: null, proof: null, requestId: 'r', address: null, agent: null }
const callOf = (name: string): Call => ({ operation: 'secret.read', caller, input: { name } })
const answerTo = ({ input }: Call): Answer => ({ ok: true, index: 0, quota: null, value: input })

/** A vault that records its transactions and answers each call with its input, at most `most` in a transaction. */
function fakeVault(most = Number.POSITIVE_INFINITY) {
  const batches: number[] = []
  const execute = (calls: readonly Call[]): Answer[] => {
    const answered = calls.slice(0, most)
    batches.push(answered.length)
    return answered.map(answerTo)
  }
  return { vault: { execute } as unknown as Vault, batches }
}

describe('group commit', () => {
  it('joins concurrent calls into one transaction, and gives each its own answer', async () => {
    const { vault, batches } = fakeVault()
    const execute = groupCommit(vault)
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => execute([callOf(name)])))
    expect(batches).toEqual([3])
    expect(answers.flat().map((answer) => answer.ok && answer.value)).toEqual([
      { name: 'a' },
      { name: 'b' },
      { name: 'c' },
    ])
  })

  it('runs another transaction for the calls that the first did not answer', async () => {
    const { vault, batches } = fakeVault(2)
    const names = ['a', 'b', 'c', 'd', 'e']
    const answers = await groupCommit(vault)(names.map(callOf))
    expect(batches).toEqual([2, 2, 1])
    expect(answers.map((answer) => answer.ok && answer.value)).toEqual(names.map((name) => ({ name })))
  })

  it('reports the calls that each transaction answered, before their callers see the answers', async () => {
    const { vault } = fakeVault(2)
    const told: string[] = []
    const nameOf = ({ input }: Call) => (input as { name: string }).name
    const execute = groupCommit(vault, (calls, ms) => {
      expect(ms).toBeGreaterThanOrEqual(0)
      told.push(`wrote ${calls.map(nameOf)}`)
    })
    await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        await execute([callOf(name)])
        told.push(`answered ${name}`)
      }),
    )
    expect(told).toEqual(['wrote a,b', 'answered a', 'answered b', 'wrote c', 'answered c'])
  })

  it('waits until the requests that have arrived are read', async () => {
    const { vault, batches } = fakeVault()
    const execute = groupCommit(vault)
    const first = execute([callOf('a')])
    // A request takes some turns before it calls its vault.
    for (let i = 0; i < 10; i++) await Promise.resolve()
    await Promise.all([first, execute([callOf('b')])])
    expect(batches).toEqual([2])
  })

  it('joins at most 500 calls, so that the first do not wait for the last', async () => {
    const { vault, batches } = fakeVault()
    const execute = groupCommit(vault)
    const answers = await Promise.all(
      Array.from({ length: 1200 }, async (_, i) => {
        const [answer] = await execute([callOf(`n${i}`)])
        return [answer?.ok && answer.value, batches.length]
      }),
    )
    expect(batches).toEqual([500, 500, 200])
    expect(answers).toEqual(Array.from({ length: 1200 }, (_, i) => [{ name: `n${i}` }, 1 + Math.floor(i / 500)]))
  })

  it('answers and continues when the report of a transaction throws', async () => {
    const { vault, batches } = fakeVault(1)
    const failures: unknown[] = []
    const fails = () => {
      throw new TypeError('no alarm')
    }
    const later = (work: () => void) =>
      void setImmediate(() => {
        try {
          work()
        } catch (error) {
          failures.push(error)
        }
      })
    const execute = groupCommit(vault, fails, later)
    expect(await execute([callOf('a'), callOf('b')])).toHaveLength(2)
    expect([batches, failures.length]).toEqual([[1, 1], 2])
  })

  it('drops calls whose client has gone by the time of the transaction, and no others', async () => {
    const { vault, batches } = fakeVault()
    const execute = groupCommit(vault)
    let gone = false
    const dropped = execute([callOf('a'), callOf('b')], () => gone)
    const kept = execute([callOf('c')], () => false)
    gone = true
    expect(await dropped).toEqual([GONE, GONE])
    expect(await kept).toEqual([answerTo(callOf('c'))])
    expect(batches).toEqual([1])
  })

  it('drops a call whose client goes while an earlier transaction runs, and runs none for it alone', async () => {
    const { vault, batches } = fakeVault(1)
    const execute = groupCommit(vault)
    const first = execute([callOf('a')])
    const second = execute([callOf('b')], () => batches.length > 0)
    expect([await first, await second]).toEqual([[answerTo(callOf('a'))], [GONE]])
    expect(batches).toEqual([1])
  })

  it('refuses calls beyond its queue, and loses none in it', async () => {
    const { vault } = fakeVault()
    const execute = groupCommit(vault)
    const full = execute(Array.from({ length: 10_000 }, (_, i) => callOf(`n${i}`)))
    expect(await codeOf(execute([callOf('one more')]))).toBe('unavailable')
    expect(await full).toHaveLength(10_000)
  })
})

describe('a handle for a client that has gone', () => {
  const goneHandle = async () => {
    const executed: string[] = []
    const execute = async (calls: Call[]) => {
      executed.push(...calls.map(({ operation }) => operation))
      return calls.map(answerTo)
    }
    const handle = (await durableHost(() => ({ execute })).vault('v', false)).forClient(() => true)
    return { handle: handle.around((work) => work()), executed }
  }

  it('calls no vault for a read or a write', async () => {
    const { handle, executed } = await goneHandle()
    const error = await handle.call('secret.read', caller, { name: 'a' }).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'unavailable', detail: { reason: 'gone' } })
    const [item] = await handle.callAll('secret.delete', caller, [{ name: 'a' }])
    expect(item).toEqual(GONE)
    expect(executed).toEqual([])
  })

  it('still records what was done', async () => {
    const { handle, executed } = await goneHandle()
    const outcome = { failure: 'timeout', sent: true } as const
    const report = { name: 'a', chain: 'c', provider: 'aws', effect: 'write', outcome } as const
    await handle.call('secret.relayed', caller, report)
    await handle.call('secret.unopened', caller, { name: 'a', version: 1, reason: 'tampered' })
    await handle.call('totp.fail', caller, {})
    expect(executed).toEqual(['secret.relayed', 'secret.unopened', 'totp.fail'])
  })
})

describe('rows 25, 46: an unreachable vault', () => {
  it.each([
    ['throws', () => Promise.reject(new Error('overloaded, with a secret in it'))],
    [
      'throws with a cause and more',
      () =>
        Promise.reject(
          Object.assign(new Error('x', { cause: new Error('secret') }), { secret: 'a secret', code: 'ok' }),
        ),
    ],
    [
      'throws a value that is not an error',
      () => Promise.reject({ value: 'a secret', name: 'PosternError', code: 'not_found' }),
    ],
    ['cannot be found', () => Promise.reject(new TypeError('no such object'))],
  ])('answers unavailable without a reason when it %s', async (_, execute) => {
    const handle = await durableHost(() => ({ execute })).vault('v', false)
    const error = await handle.call('secret.read', caller, { name: 'a' }).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'unavailable', message: 'Vault cannot be reached now' })
    expect((error as PosternError).cause).toBeUndefined()
    expect(Object.keys(error as PosternError).sort()).toEqual(['code', 'detail', 'name'])
    expect(`${JSON.stringify(error)} ${(error as PosternError).stack}`).not.toContain('secret')
  })

  /** A stub that throws `error` the first time, before or after the vault has carried out the calls. */
  async function resetOnce(
    when: 'before' | 'after',
    error: unknown,
    answer: (call: Call, time: number) => Answer = answerTo,
  ) {
    const carriedOut: string[] = []
    let times = 0
    const stubs = { made: 0 }
    const stubOf = () => {
      stubs.made++
      return {
        async execute(calls: Call[]) {
          times++
          if (times === 1 && when === 'before') throw error
          carriedOut.push(...calls.map(({ operation }) => operation))
          if (times === 1) throw error
          return calls.map((call) => answer(call, times))
        },
      }
    }
    return { handle: await durableHost(stubOf).vault('v', false), carriedOut, stubs }
  }

  const RESET = Object.assign(new Error('Durable Object reset because its code was updated.'), { retryable: true })

  it.each(['before', 'after'] as const)('is asked once more by a new stub when it is reset %s a read', async (when) => {
    const { handle, carriedOut, stubs } = await resetOnce(when, RESET)
    expect((await handle.call('secret.read', caller, { name: 'a' })).value).toEqual({ name: 'a' })
    const [one, two] = await handle.callAll('secret.read', caller, [{ name: 'a' }, { name: 'b' }])
    expect([one?.ok, two?.ok]).toEqual([true, true])
    expect([carriedOut.length, stubs.made]).toEqual([when === 'before' ? 3 : 4, 3])
  })

  it.each([
    ['secret.write', 'before'],
    ['secret.write', 'after'],
    ['secret.delete', 'after'],
    ['rule.put', 'after'],
    ['totp.begin', 'after'],
    ['session.open', 'before'],
    ['secret.relayed', 'after'],
  ] as const)(
    'is not asked again for %s when it is reset %s it, and says that it may be done',
    async (operation, when) => {
      const { handle, carriedOut } = await resetOnce(when, RESET)
      const error = await handle.call(operation, caller, { name: 'a' } as never).catch((error: unknown) => error)
      expect(error).toMatchObject({ code: 'unavailable', detail: { reason: 'write_unknown', retryAfterSeconds: 1 } })
      expect((error as PosternError).message).toContain('Repeat the request with the same Idempotency-Key')
      expect(carriedOut).toEqual(when === 'before' ? [] : [operation])
    },
  )

  it('is not asked again while it is overloaded, or for an error of its own code', async () => {
    for (const [properties, reason] of [
      [{ overloaded: true, retryable: true }, 'overloaded'],
      [{ remote: true }, undefined],
    ] as const) {
      const { handle, stubs } = await resetOnce('before', Object.assign(new Error('x'), properties))
      const error = await handle.call('secret.read', caller, { name: 'a' }).catch((error: unknown) => error)
      expect(error).toMatchObject({ code: 'unavailable', detail: { retryAfterSeconds: 1 } })
      expect([(error as PosternError).detail.reason, stubs.made]).toEqual([reason, 1])
    }
  })

  it('is not asked again for a request with an approval, and calls no client a replay whose proof it used up', async () => {
    const approved = { ...caller, approval: { id: 'x' } }
    const first = await resetOnce('after', RESET)
    const refused = await first.handle.call('secret.read', approved, { name: 'a' }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ detail: { reason: 'write_unknown' } })
    const bound = { ...caller, proof: { jkt: 'j', id: 'p', expiresAt: 1 } }
    const replayed = () => ({ ok: false, index: null, quota: null, reason: 'unauthenticated' }) as const
    const second = await resetOnce('after', RESET, replayed)
    expect(await codeOf(second.handle.call('secret.read', bound, { name: 'a' }))).toBe('unavailable')
    const third = await resetOnce('after', RESET, replayed)
    expect(await codeOf(third.handle.call('secret.read', caller, { name: 'a' }))).toBe('unauthenticated')
  })

  it('knows every operation that shows something as one that may be asked again', () => {
    const shows = /\.(?:read|list|show|versions|whoami|explain|trusted|term|entries|mine|head|tile|status|inclusion)$/
    const missing = Object.keys(OPERATIONS).filter((name) => shows.test(name) && !REPEATABLE.has(name as OperationName))
    expect(missing).toEqual([])
    const changes =
      /\.(?:write|put|delete|destroy|restore|create|revoke|open|federate|end|begin|enrol|rekey|decide|start)$/
    expect([...REPEATABLE].filter((name) => changes.test(name))).toEqual([])
  })

  it('is called again for the calls that it has not answered', async () => {
    const sizes: number[] = []
    const execute = async (calls: Call[]) => {
      sizes.push(calls.length)
      return calls.slice(0, 2).map(answerTo)
    }
    const handle = await durableHost(() => ({ execute })).vault('v', false)
    const answers = await handle.callAll('secret.read', caller, [{ name: 'a' }, { name: 'b' }, { name: 'c' }])
    expect([sizes, answers.length]).toEqual([[3, 1], 3])
  })
})

describe('a missing vault', () => {
  it('answers strangers like an existing vault', async () => {
    const host = localHost(
      async () => null,
      () => true,
    )
    const handle = await host.vault('x', false)
    expect(await codeOf(handle.call('secret.read', caller, { name: 'a' }))).toBe('unauthenticated')
  })
})

describe('a vault that opens slowly', () => {
  it('has one handle for all requests meanwhile, so that their calls are joined', async () => {
    const { vault, batches } = fakeVault()
    const scheduler = { notifyWrite: () => {} } as unknown as Scheduler
    const host = localHost(
      async () => ({ vault, scheduler }),
      () => true,
    )
    const handles = await Promise.all(['v', 'v', 'v'].map((id) => host.vault(id, false)))
    expect(new Set(handles).size).toBe(1)
    await Promise.all(handles.map((handle) => handle.call('secret.read', caller, { name: 'a' })))
    expect(batches).toEqual([3])
  })
})

describe('inTurn', () => {
  it('keeps the order of one key, continues after a failure, and does not block another key', async () => {
    const handle = new VaultHandle(async () => [], true)
    const done: string[] = []
    const slow =
      (name: string, ms: number, fails = false) =>
      async () => {
        await new Promise((resolve) => setTimeout(resolve, ms))
        done.push(name)
        if (fails) throw new PosternError('conflict', 'Failed')
      }
    const [first, second, third] = [
      handle.inTurn('a', slow('a1', 30, true)),
      handle.inTurn('a', slow('a2', 0)),
      handle.inTurn('b', slow('b1', 0)),
    ]
    expect(await codeOf(first)).toBe('conflict')
    await Promise.all([second, third])
    expect(done).toEqual(['b1', 'a1', 'a2'])
  })

  it('makes a later caller wait for all before it, through every handle of the vault', async () => {
    const handle = new VaultHandle(async () => [], true)
    const watched = handle.around((work) => work())
    const [done, gate] = [[] as string[], Promise.withResolvers<void>()]
    const note = (what: string) => async () => void done.push(what)
    const first = handle.inTurn('a', note('first'))
    const second = watched.inTurn('a', async () => {
      done.push('second begins')
      await gate.promise
      done.push('second ends')
    })
    await first
    await new Promise((next) => setImmediate(next))
    const third = handle.inTurn('a', note('third'))
    await new Promise((next) => setImmediate(next))
    gate.resolve()
    await Promise.all([second, third])
    expect(done).toEqual(['first', 'second begins', 'second ends', 'third'])
  })
})
