/** Rotation of what a provider keeps: by the provider itself, or by a value that is made here and written to it. */
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../../../core/durations.ts'
import { type Chain, isFixedProvider, WITHOUT_ROTATION } from '../../../../core/providers/chain.ts'
import { HashicorpProvider } from '../../../../core/providers/hashicorp/provider.ts'
import { ProviderFailure } from '../../../../core/providers/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { canary, leaks } from '../../../support/canary.ts'
import type { Reply } from '../../../support/fakes/fake.ts'
import { fakeVault } from '../../../support/fakes/vault.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { ADAPTERS } from '../../core/providers/adapters_fixture.ts'
import { byPostern, byProvider, NAME, type ProvidedBench, providedBench } from './provider_rotation_fixture.ts'

type Members = Chain['members']

const awsError = (type: string, Message = ''): Reply => ({ status: 400, body: { __type: type, Message } })
/** Fails the next requests of an operation, and lets all others through. */
function failNext({ aws }: ProvidedBench, operation: string, reply: Reply, times = 1) {
  for (let i = 0; i < times; i++) {
    aws.next.push(function instead(asked) {
      if (asked === operation) return reply
      aws.next.unshift(instead)
      return null
    })
  }
}
/** The sent requests of an operation. */
const sent = ({ aws }: ProvidedBench, operation: string) =>
  aws.asked
    .filter(({ headers }) => headers.get('x-amz-target') === `secretsmanager.${operation}`)
    .map(({ body }) => body)
const steps = ({ bench }: ProvidedBench) =>
  bench
    .log()
    .filter(({ operation }) => /^rotation\.(?:claim|create|advance|fail)$/.test(operation))
    .map(({ operation, facts }) => [operation.slice(9), facts.step ?? null])

describe('a secret that its provider rotates', () => {
  it('is asked for once, and then until it is current; its schedule there stays as it is', async () => {
    const it = await providedBench()
    it.rotate()
    expect(await it.process()).toBe(it.bench.now + 30 * DAY_MS)
    const [token] = it.tokens()
    expect(it.aws.labels(NAME)).toEqual({ [it.first]: ['AWSPREVIOUS'], [token!]: ['AWSCURRENT'] })
    expect(sent(it, 'RotateSecret')).toEqual([{ SecretId: NAME, ClientRequestToken: token, RotateImmediately: true }])
    expect(it.runs()).toEqual([['rotated', null]])
    expect(steps(it)).toEqual([
      ['claim', 'set'],
      ['advance', 'set'],
      ['claim', 'test'],
      ['advance', 'test'],
    ])
    expect(it.stirred()).toBeGreaterThan(0)
    expect([it.kept(), it.aws.unknown]).toEqual([0, []])
  })

  it('is polled until it is done, however long that takes', async () => {
    const it = await providedBench()
    it.aws.onRotate = () => {}
    it.rotate()
    for (let i = 1; i <= 4; i++) {
      expect(await it.process()).toBeGreaterThan(it.bench.now)
      expect(it.active()).toEqual({ step: 'test', attempts: i, failure: 'unfinished' })
      it.bench.now += 60_000
    }
    it.aws.finish(NAME, it.tokens()[0]!)
    await it.process()
    expect(it.runs()).toEqual([['rotated', 'unfinished']])
    // Only the first asked for anything.
    expect(it.aws.rotations).toHaveLength(1)
  })

  it('fails when it stays stuck, and is taken up again by the next run: never is a second one begun', async () => {
    const it = await providedBench()
    it.aws.onRotate = () => {}
    it.rotate()
    await it.settle()
    expect(it.runs()).toEqual([['undone', 'unfinished']])
    const listed = it.bench.granted('admin', 'rotation.list', { after: '', limit: 9 }).items
    expect(listed).toMatchObject([{ failures: 1, run: { failure: 'unfinished', outcome: 'undone' } }])
    expect(listed[0]!.nextAt! - it.bench.now).toBeLessThanOrEqual(HOUR_MS)
    it.aws.onRotate = it.aws.finish
    it.bench.now += HOUR_MS
    await it.process()
    const [again, before] = it.tokens()
    expect(again).toBe(before)
    expect(it.aws.rotations).toEqual([again, again])
    expect(it.runs()[0]).toEqual(['rotated', null])
    expect([...it.aws.secrets.get(NAME)!.versions.keys()]).toEqual([it.first, again])
    // The next rotation is a new one.
    it.rotate()
    await it.process()
    expect(it.tokens()[0]).not.toBe(again)
  })

  it('is found to be done when that was after all given up', async () => {
    const it = await providedBench()
    it.aws.onRotate = () => {}
    it.rotate()
    await it.settle()
    it.aws.finish(NAME, it.tokens()[0]!)
    it.rotate()
    await it.process()
    expect(it.runs()[0]).toEqual(['rotated', null])
    expect(it.aws.rotations).toHaveLength(1)
  })

  it('continues under another token when its rotation is set again or was cancelled', async () => {
    const it = await providedBench()
    it.aws.onRotate = () => {}
    it.rotate()
    await it.settle()
    it.bench.now += 1
    it.bench.granted('admin', 'rotation.put', { name: NAME, config: byProvider })
    it.rotate()
    await it.process()
    // The stuck rotation blocks the provider, and no run owns it any more.
    expect(it.runs()[0]).toEqual(['undone', 'conflict'])
    expect(it.tokens()[0]).not.toBe(it.tokens()[1])
    it.aws.secrets.get(NAME)!.versions.get(it.tokens()[1]!)!.labels.clear()
    it.rotate()
    await it.process()
    expect(it.bench.reason('admin', 'rotation.steer', { name: NAME, to: 'cancel' })).toBe('ok')
    await it.process()
    expect(it.runs()[0]).toEqual(['undone', 'cancelled'])
    const [cancelled] = it.tokens()
    it.rotate()
    expect(it.tokens()[0]).not.toBe(cancelled)
  })

  it('does not start while another rotation runs there', async () => {
    const it = await providedBench()
    const secret = it.aws.secrets.get(NAME)!
    secret.versions.set('o'.repeat(36), { value: null, labels: new Set(['AWSPENDING']) })
    it.rotate()
    await it.process()
    expect(it.runs()).toEqual([['undone', 'conflict']])
    expect(sent(it, 'RotateSecret')).toEqual([])
    expect(it.bench.log().find(({ operation }) => operation === 'rotation.fail')!.facts).toMatchObject({
      failure: 'conflict',
      code: 'OtherRotation',
    })
  })

  it('ends when it is cancelled at the provider', async () => {
    const it = await providedBench()
    it.aws.onRotate = () => {}
    it.rotate()
    await it.process()
    it.aws.secrets.get(NAME)!.rotates = false
    it.bench.now += 60_000
    await it.process()
    expect(it.runs()).toEqual([['undone', 'conflict']])
  })

  it.each<[string, Reply, string, string]>([
    [
      'its function may not be called',
      awsError('AccessDeniedException', 'Secrets Manager cannot invoke the specified Lambda function'),
      'denied',
      'AccessDeniedException',
    ],
    ['it has no function', awsError('InvalidRequestException', 'no Lambda'), 'refused', 'InvalidRequestException'],
    ['it is deleted', awsError('InvalidRequestException', 'marked for deletion'), 'refused', 'InvalidRequestException'],
    ['it is missing', awsError('ResourceNotFoundException'), 'refused', 'ResourceNotFoundException'],
  ])('fails at once when %s, with the word of the provider in the log', async (_, reply, failure, code) => {
    const it = await providedBench()
    failNext(it, 'RotateSecret', reply)
    it.rotate()
    await it.process()
    expect(it.runs()).toEqual([['undone', failure]])
    expect(it.bench.log().find(({ operation }) => operation === 'rotation.fail')!.facts).toMatchObject({
      failure,
      code,
    })
    expect(it.aws.value(NAME)).toBe('first value')
  })

  it.each<[string, Reply]>([
    ['throttles', awsError('ThrottlingException')],
    ['fails', { status: 500, body: { __type: 'InternalServiceError' } }],
    ['does not take our credentials for now', awsError('UnrecognizedClientException')],
  ])('is tried again with the same token when the provider %s', async (_, reply) => {
    const it = await providedBench()
    failNext(it, 'RotateSecret', reply, 2)
    it.rotate()
    await it.process()
    expect(it.active()).toEqual({ step: 'set', attempts: 1, failure: 'unreachable' })
    await it.settle()
    expect(it.runs()).toEqual([['rotated', 'unreachable']])
    const asked = sent(it, 'RotateSecret') as { ClientRequestToken: string }[]
    expect(new Set(asked.map(({ ClientRequestToken }) => ClientRequestToken))).toEqual(new Set(it.tokens()))
    expect(it.aws.secrets.get(NAME)!.versions.size).toBe(2)
  })

  it('begins by itself when it is due, not in a freeze, and one at a time', async () => {
    const it = await providedBench()
    const due = it.bench.now + 30 * DAY_MS
    expect(await it.process()).toBe(due)
    const freeze = [{ from: due - 1, to: due + DAY_MS }]
    it.bench.granted('admin', 'rotation.put', { name: NAME, config: { ...byProvider, freeze } })
    it.bench.now = due
    expect(await it.process()).toBe(due + DAY_MS)
    expect(it.bench.reason('admin', 'rotation.start', { name: NAME, restores: null, force: false })).toBe('frozen')
    it.aws.onRotate = () => {}
    it.bench.now = due + DAY_MS
    await it.process()
    expect(it.active()).toMatchObject({ step: 'test' })
    expect(it.bench.reason('admin', 'rotation.start', { name: NAME, restores: null, force: true })).toBe('rotating')
  })

  it('is not written or deleted through Postern meanwhile, until it is cancelled', async () => {
    const it = await providedBench()
    it.aws.onRotate = () => {}
    it.rotate()
    await it.process()
    const write = () => it.bench.reason('admin', 'secret.prepare', { name: NAME })
    const remove = () => it.bench.reason('admin', 'secret.delete', { name: NAME })
    expect([write(), remove()]).toEqual(['rotating', 'rotating'])
    it.bench.granted('admin', 'rotation.steer', { name: NAME, to: 'cancel' })
    await it.process()
    expect([write(), remove()]).toEqual(['ok', 'ok'])
  })

  it('is undone when its chain has another primary meanwhile, and rests while it has none that can', async () => {
    const it = await providedBench()
    it.aws.onRotate = () => {}
    it.rotate()
    await it.process()
    const members = [...it.chain.members].reverse()
    it.bench.granted('admin', 'chain.put', { ...it.chain, members })
    it.bench.now += 60_000
    await it.process()
    expect(it.runs()).toEqual([['undone', 'cancelled']])
    expect(it.bench.reason('admin', 'rotation.start', { name: NAME, restores: null, force: false })).toBe('not_sealed')
    it.bench.granted('admin', 'chain.delete', { id: 'prod' })
    it.bench.now += 60 * DAY_MS
    expect(await it.process()).toBe(it.bench.now + DAY_MS)
    expect(it.runs()).toHaveLength(1)
  })
})

describe('how a secret can rotate where it is kept', () => {
  it.each([
    ['by its provider, when it is kept here', 'open/a', { kind: 'provider' }, 'not_provided'],
    ['by a provider that rotates nothing', 'azure/a', { kind: 'provider' }, 'no_provider_rotation'],
    ['by a webhook, when a provider keeps it', NAME, { kind: 'webhook', hook: 'db' }, 'not_sealed'],
  ] as const)('is not %s', async (_, name, target, reason) => {
    const { bench, chain } = await providedBench()
    bench.granted('admin', 'chain.put', { ...chain, id: 'b', resource: 'azure/**', members: [{ provider: 'azure' }] })
    expect(bench.reason('admin', 'rotation.put', { name, config: { ...byProvider, target } })).toBe(reason)
  })

  it('brings no earlier value back at a provider, which none is kept of here', async () => {
    const { bench } = await providedBench()
    expect(bench.reason('admin', 'rotation.start', { name: NAME, restores: 1, force: false })).toBe('not_sealed')
  })

  it('is known to the vault as the adapters are', () => {
    const answer = () => Response.json({})
    for (const { kind, open } of ADAPTERS.filter((one) => isFixedProvider(one.kind))) {
      expect([kind, open(answer).rotate !== undefined]).toEqual([kind, !WITHOUT_ROTATION.has(kind)])
    }
    expect(WITHOUT_ROTATION.has('aws-backup')).toBe(false)
  })

  it('shows nothing of a name in lists and reads, for having a rotation', async () => {
    const { bench } = await providedBench()
    bench.granted('admin', 'chain.delete', { id: 'prod' })
    expect(bench.granted('admin', 'secret.list', { prefix: '', after: '', deleted: false, limit: 9 }).items).toEqual([])
    expect(bench.reason('admin', 'secret.read', { name: NAME })).toBe('no_secret')
  })

  it('has an approval of it bound to the chain as it is', async () => {
    const it = await providedBench()
    const { bench } = it
    for (const who of ['ann', 'bob']) bench.enrol(who)
    bench.rule('ann', 'ann', ['rotate'], 'prod/**')
    const unless = { approvals: { required: 1, from: ['bob'], withinSeconds: 3600 } }
    const demand = {
      id: 'four-eyes',
      effect: 'forbid',
      principal: '*',
      actions: ['rotate'],
      resource: 'prod/**',
    } as const
    bench.granted('admin', 'rule.put', { ...demand, actions: ['rotate'], unless })
    const ask = (approval: object) => {
      const { callOf } = it
      const call = callOf('ann', 'rotation.start', { name: NAME, restores: null, force: false })
      return bench.execute({ ...call, caller: { ...call.caller, approval } as never })[0]!
    }
    const approved = () => {
      const asked = ask({ ask: 'it was on a screen that was shared' })
      const { id, hash } = (asked as { approval: { id: string; hash: string } }).approval
      bench.granted('bob', 'approval.decide', { id, hash, approve: true, reason: null })
      return id
    }
    const stale = approved()
    bench.granted('admin', 'chain.put', { ...it.chain, cacheSeconds: 1 })
    expect(ask({ id: stale })).toMatchObject({ ok: false, reason: 'approval_mismatch' })
    const fresh = approved()
    expect(ask({ id: fresh })).toMatchObject({ ok: true, value: { by: 'ann', why: 'manual' } })
  })
})

describe('a read while a provider rotates', () => {
  it('is nothing of the cache that is older than the last look, and nothing older than the end', async () => {
    const it = await providedBench()
    const before = it.plan()
    it.bench.now += 1
    expect(it.arrive(it.plan().read, 'aws', 'old')).toBe(true)
    expect(it.plan().cached).toBe('old')
    it.aws.onRotate = () => {}
    it.rotate()
    await it.process()
    expect(it.plan().cached).toBeNull()
    it.bench.now += 1000
    const during = it.plan()
    expect(it.arrive(during.read, 'aws', 'old')).toBe(true)
    it.aws.finish(NAME, it.tokens()[0]!)
    it.bench.now += 60_000
    await it.process()
    expect(it.plan().cached).toBeNull()
    // The pending answer comes too late.
    expect(it.arrive(before.read, 'aws', 'old')).toBe(false)
    expect(it.arrive(during.read, 'aws', 'old')).toBe(false)
  })

  it('is nothing that came into the cache while the provider was asked for the last time', async () => {
    const it = await providedBench()
    it.rotate()
    const { fetch } = it.aws
    let kept = 0
    it.aws.fetch = (request) => {
      // A read between the claim of a step, which empties the cache, and its end.
      it.bench.now += 1
      if (it.arrive(it.plan().read, 'aws', 'old')) kept++
      return fetch(request)
    }
    await it.settle()
    expect(kept).toBeGreaterThan(0)
    expect(it.runs()).toEqual([['rotated', null]])
    expect(it.plan().cached).toBeNull()
  })

  it('comes from a replica that lags as long as the grace, and not after it until it has the new value', async () => {
    const it = await providedBench()
    it.rotate()
    it.replica.failing = 'unavailable'
    await it.process()
    await it.replicate()
    expect(it.plan().asked).toEqual(['aws', 'azure'])
    it.bench.now += HOUR_MS - 1
    expect(it.plan().asked).toEqual(['aws', 'azure'])
    it.bench.now += 1
    expect(it.plan().asked).toEqual(['aws'])
    expect(it.bench.log().at(-1)!.facts).toMatchObject({ outdated: ['azure'] })
    // A write on top of it does not make what the replica has valid again.
    it.bench.granted('admin', 'secret.prepare', { name: NAME })
    expect(it.plan().asked).toEqual(['aws'])
    it.replica.failing = null
    it.bench.now += 120_000
    await new Promise((resolve) => setTimeout(resolve, 20))
    await it.replicate()
    expect(it.replica.text(NAME)).toBe(it.aws.value(NAME))
    expect(it.plan().asked).toEqual(['aws', 'azure'])
  })

  it('is not what the cache has of a replica that lagged, once the grace is over', async () => {
    const it = await providedBench()
    it.rotate()
    await it.process()
    it.bench.now += HOUR_MS - 1000
    expect(it.arrive(it.plan().read, 'azure', 'v1')).toBe(true)
    expect(it.plan().cached).toBe('v1')
    it.bench.now += 1000
    const { cached, read } = it.plan()
    expect([cached, read.cache]).toEqual([null, 'miss'])
    // Not while all members are unreachable either.
    const { name, chain, since } = read
    const report = { name, version: null, revision: chain.revision, since, skipped: [] }
    const outcome = { failure: 'unavailable', provider: null } as const
    expect(it.bench.reason('admin', 'secret.provided', { ...report, outcome })).toBe('provider_unavailable')
    // And not when the replica has the new value: the cache still would have the old one.
    await it.replicate()
    expect([it.plan().asked, it.plan().cached]).toEqual([['aws', 'azure'], null])
  })

  it('is what it was when nothing was rotated', async () => {
    const it = await providedBench()
    failNext(it, 'RotateSecret', awsError('AccessDeniedException'))
    it.rotate()
    it.replica.failing = 'unavailable'
    await it.process()
    await it.replicate()
    it.bench.now += 2 * HOUR_MS
    expect(it.plan().asked).toEqual(['aws', 'azure'])
  })
})

describe('a secret that is made here and written to its provider', () => {
  it('is generated, written with check-and-set, read back, and kept nowhere else', async () => {
    const it = await providedBench(byPostern)
    it.rotate()
    expect(await it.process()).toBe(it.bench.now + 30 * DAY_MS)
    const [token] = it.tokens()
    expect(it.aws.labels(NAME)).toEqual({ [it.first]: ['AWSPREVIOUS'], [token!]: ['AWSCURRENT', 'POSTERN'] })
    expect(it.aws.value(NAME)).toHaveLength(32)
    expect([it.kept(), it.runs(), it.aws.rotations]).toEqual([0, [['rotated', null]], []])
    const shown = it.bench.granted('admin', 'rotation.show', { name: NAME })
    expect(shown.run!.provided).toMatchObject({ member: { provider: 'aws' }, expects: it.first, version: token })
    await it.replicate()
    expect(it.replica.text(NAME)).toBe(it.aws.value(NAME))
    expect(leaks(JSON.stringify(it.bench.log()), [it.aws.value(NAME)!])).toEqual([])
    // Once more: an erased value does not interfere.
    it.rotate()
    await it.process()
    expect([it.runs()[0], it.kept(), it.aws.secrets.get(NAME)!.versions.size]).toEqual([['rotated', null], 0, 3])
  })

  it('keeps its value while the provider cannot be reached, and gives up with nothing kept', async () => {
    const it = await providedBench(byPostern)
    failNext(it, 'PutSecretValue', awsError('ThrottlingException'), 10)
    it.rotate()
    await it.process()
    expect([it.active(), it.kept()]).toEqual([{ step: 'set', attempts: 1, failure: 'unreachable' }, 1])
    await it.settle()
    expect([it.runs(), it.kept(), it.aws.value(NAME)]).toEqual([[['undone', 'unreachable']], 0, 'first value'])
    // One of them may have arrived.
    expect(it.bench.database.all('SELECT name, serve_until FROM replication')).toEqual([
      { name: NAME, serve_until: null },
    ])
  })

  it.each<[string, (members: Members) => Members]>([
    ['another provider', (members) => [...members].reverse()],
    ['another place at the same one', ([primary, ...others]) => [{ ...primary!, prefix: 'elsewhere/' }, ...others]],
  ])('is not written to %s that is its primary meanwhile', async (_, change) => {
    const it = await providedBench(byPostern)
    failNext(it, 'PutSecretValue', awsError('ThrottlingException'), 10)
    it.rotate()
    await it.process()
    expect([it.active()?.step, it.kept()]).toEqual(['set', 1])
    it.bench.granted('admin', 'chain.put', { ...it.chain, members: change(it.chain.members) })
    it.bench.now += HOUR_MS
    await it.process()
    expect([it.runs(), it.kept(), it.replica.text(NAME)]).toEqual([[['undone', 'cancelled']], 0, 'first value'])
  })

  it('does not overwrite a later write of another client', async () => {
    const it = await providedBench(byPostern)
    failNext(it, 'PutSecretValue', awsError('ThrottlingException'))
    it.rotate()
    await it.process()
    const other = canary()
    it.aws.set(NAME, other)
    await it.settle()
    expect([it.runs(), it.aws.value(NAME), it.kept()]).toEqual([[['undone', 'conflict']], other, 0])
  })

  it.each(['timeout', 'conflict'] as const)('is found to have arrived when the answer was %s', async (kind) => {
    const store = memoryProvider()
    store.set(NAME, 'first value')
    const { put } = store.provider
    store.provider.put = async (...input) => {
      await put(...input)
      throw new ProviderFailure(kind)
    }
    const it = await providedBench(byPostern, store.provider)
    it.rotate()
    await it.settle()
    expect(it.runs()[0]![0]).toBe('rotated')
    expect([store.count('put'), store.secrets.get(NAME)!.length]).toEqual([1, 2])
  })

  it('is not made at all when the provider has no such secret', async () => {
    const it = await providedBench(byPostern)
    it.aws.secrets.delete(NAME)
    it.rotate()
    await it.process()
    expect([it.runs(), it.kept()]).toEqual([[['undone', 'refused']], 0])
    // Nothing was changed, so nothing is copied.
    expect(it.bench.database.all('SELECT * FROM replication')).toEqual([])
  })

  it('is not done until the value can be read back', async () => {
    const it = await providedBench(byPostern)
    it.rotate()
    const lost: Reply = { status: 200, body: { Name: NAME, VersionId: it.first, SecretString: 'first value' } }
    let reads = 0
    // The fourth read is the one that proves it: before come those of the step, and the look of the write.
    it.aws.next.push(function instead(asked) {
      if (asked === 'GetSecretValue' && ++reads === 4) return lost
      it.aws.next.unshift(instead)
      return null
    })
    await it.process()
    expect(it.active()).toMatchObject({ step: 'test', failure: 'unfinished' })
    await it.settle()
    expect(it.runs()).toEqual([['rotated', 'unfinished']])
  })

  it('is abandoned with nothing kept', async () => {
    const it = await providedBench(byPostern)
    failNext(it, 'PutSecretValue', awsError('ThrottlingException'))
    it.rotate()
    await it.process()
    it.bench.granted('admin', 'rotation.steer', { name: NAME, to: 'abandon' })
    expect([it.runs(), it.kept()]).toEqual([[['abandoned', 'cancelled']], 0])
    expect(it.bench.reason('admin', 'secret.prepare', { name: NAME })).toBe('ok')
  })
})

describe('row 40: a crash', () => {
  // More than a whole rotation does: looking, claiming, asking, writing down.
  const points = Array.from({ length: 14 }, (_, i) => i + 1).flatMap((at) => [
    { at, after: false },
    { at, after: true },
  ])

  it.each(points)(
    'at event $at (after it: $after), and again at every other, ends in one new version',
    async ({ at, after }) => {
      for (const config of [byProvider, byPostern]) {
        for (const second of [1, 3, 5, 8]) {
          const it = await providedBench(config)
          it.rotate()
          await it.process({ crashAt: at, after })
          it.bench.now += 120_000
          await it.process({ crashAt: second, after: !after })
          it.bench.now += 120_000
          await it.settle()
          expect(it.runs()).toEqual([['rotated', expect.toBeOneOf([null, 'unreachable', 'unfinished'])]])
          const [token] = it.tokens()
          expect(it.aws.labels(NAME)[token!]).toContain('AWSCURRENT')
          expect([...it.aws.secrets.get(NAME)!.versions.keys()]).toEqual([it.first, token])
          expect([it.kept(), it.plan().cached]).toEqual([0, null])
          await it.replicate()
          expect(it.replica.text(NAME)).toBe(it.aws.value(NAME))
          it.bench.database.close()
        }
      }
    },
  )
})

describe('a document that others own', () => {
  const DOCUMENT = '{ "user":"u", "password":"first", "port":5432, "ratio":1.10, "big":1234567890123456789, "n":null }'
  const into = (pointer: string) => ({ ...byPostern, target: { kind: 'generate' as const, into: pointer } })
  const failed = ({ bench }: ProvidedBench) => bench.log().find(({ operation }) => operation === 'rotation.fail')?.facts

  it.each(['set', 'lost answer'] as const)(
    'row 66: takes a generated value into one field, and keeps every other letter (%s)',
    async (how) => {
      const it = await providedBench(into('/password'))
      it.aws.set(NAME, DOCUMENT)
      it.replica.set(NAME, DOCUMENT)
      if (how === 'lost answer')
        failNext(it, 'UpdateSecretVersionStage', { status: 500, body: { __type: 'InternalServiceError' } })
      it.rotate()
      await it.settle()
      expect(it.runs()[0]![0]).toBe('rotated')
      const text = it.aws.value(NAME)!
      const { password } = JSON.parse(text)
      expect(password).toHaveLength(32)
      expect(text).toBe(DOCUMENT.replace('"first"', JSON.stringify(password)))
      await it.replicate()
      expect([it.replica.text(NAME), it.kept()]).toEqual([text, 0])
    },
  )

  it.each<[string, string, string | undefined, string?]>([
    ['without a field to put it into', DOCUMENT, undefined],
    ['into a missing field', DOCUMENT, '/missing'],
    ['into a field that is a number', DOCUMENT, '/port'],
    ['into a field of a text', DOCUMENT, '/user/name'],
    ['into an object', '{"a":{"b":"c"}}', '/a'],
    ['into a duplicated field', '{"a":"1","a":"2"}', '/a'],
    ['into a value that is not a document', 'first value', '/password'],
    ['into an array', '["first"]', '/0'],
  ])('row 66: takes no generated value %s, and is sent nothing', async (_, document, pointer) => {
    const it = await providedBench(pointer === undefined ? byPostern : into(pointer))
    it.aws.set(NAME, document)
    it.rotate()
    await it.process()
    expect([it.runs(), it.aws.value(NAME), it.kept()]).toEqual([[['undone', 'foreign_shape']], document, 0])
    expect(failed(it)).toMatchObject({ failure: 'foreign_shape', step: 'create' })
    expect(sent(it, 'PutSecretValue')).toEqual([])
    expect(it.bench.database.all('SELECT * FROM replication')).toEqual([])
  })

  it('row 66: takes a value further down, at an index and under a key with a slash', async () => {
    for (const [pointer, document] of [
      ['/db/users/1/a~1b', '{"db":{"users":["x",{"a/b":"old"}]},"a/b":"other"}'],
      ['/n', '{"n":null}'],
    ] as const) {
      const it = await providedBench(into(pointer))
      it.aws.set(NAME, document)
      it.rotate()
      await it.settle()
      const text = it.aws.value(NAME)!
      expect(text.replace(/"[^"]{32}"/, document.includes('old') ? '"old"' : 'null')).toBe(document)
    }
  })

  it('row 66: is replaced as a whole by the one run that was told so', async () => {
    const it = await providedBench(byPostern)
    it.aws.set(NAME, DOCUMENT)
    it.replica.set(NAME, DOCUMENT)
    it.bench.granted('admin', 'rotation.start', { name: NAME, restores: null, force: false, replace: 'shape' })
    await it.settle()
    expect([it.runs(), it.aws.value(NAME)!.length]).toEqual([[['rotated', null]], 32])
    expect(it.bench.log().find(({ operation }) => operation === 'rotation.start')!.facts).toMatchObject({
      replace: 'shape',
    })
    await it.replicate()
    expect(it.replica.text(NAME)).toBe(it.aws.value(NAME))
    it.aws.set(NAME, DOCUMENT)
    it.rotate()
    await it.settle()
    expect([it.runs()[0], it.aws.value(NAME)]).toEqual([['undone', 'foreign_shape'], DOCUMENT])
  })

  it('row 66: keeps what was changed in it while the value was made, at a store that cannot tell', async () => {
    const primary = memoryProvider()
    const it = await providedBench(into('/password'), primary.provider)
    primary.set(NAME, '{"user":"u","password":"first"}')
    const { get, put } = primary.provider
    // Like a store without versions: the expected version always matches.
    let reads = 0
    primary.provider.get = async (name, options) => {
      // The second read is the look of the write.
      if (++reads === 2) primary.set(NAME, '{"user":"another","password":"first"}')
      return { ...(await get(name, options)), version: 'unversioned' }
    }
    primary.provider.put = (name, value, { expect: _, ...options }) => put(name, value, options)
    it.rotate()
    await it.settle()
    expect([it.runs(), primary.text(NAME)]).toEqual([[['undone', 'conflict']], '{"user":"another","password":"first"}'])
  })

  it('row 66: rotates by fields at a store that writes them in its own way', async () => {
    const server = fakeVault()
    server.sorts = true
    const credentials = { kind: 'token', token: new Redacted('root-test-token') } as const
    const address = 'https://vault.example:8200'
    const headers = { 'x-vault-token': 'root-test-token' }
    for (const mount of ['secret', 'kv1']) {
      const provider = new HashicorpProvider(
        { address, mount, credentials },
        { fetch: server.fetch, now: () => server.now },
      )
      const it = await providedBench(into('/password'), provider)
      const url = `${address}/v1/${mount === 'kv1' ? mount : 'secret/data'}/${NAME}`
      const body = mount === 'kv1' ? DOCUMENT : `{"data":${DOCUMENT}}`
      await server.fetch(new Request(url, { method: 'POST', headers, body }))
      it.rotate()
      await it.settle()
      expect(it.runs()).toEqual([['rotated', null]])
      const answer = await (await server.fetch(new Request(url, { headers }))).text()
      const { data } = JSON.parse(answer)
      const fields = mount === 'kv1' ? data : data.data
      expect(fields).toEqual({ ...JSON.parse(DOCUMENT), password: fields.password })
      expect(fields.password).toHaveLength(32)
      if (mount === 'kv1') expect(answer).toContain(DOCUMENT.replace('first', fields.password))
    }
  })

  it('row 66: takes no field where no provider keeps the secret', async () => {
    const { bench } = await providedBench()
    bench.granted('admin', 'secret.prepare', { name: 'open/a' })
    expect(bench.reason('admin', 'rotation.put', { name: 'open/a', config: into('/password') })).toBe('not_provided')
  })
})
