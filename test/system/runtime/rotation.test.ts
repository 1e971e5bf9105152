/** Rotation, approvals, notices and a new term of the key over HTTP, on each runtime. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import { PosternError } from '../../../core/errors.ts'
import { Redacted } from '../../../core/redacted.ts'
import { until } from '../../support/until.ts'
import { startReceiver } from './hook_receiver.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'

async function refusal(call: Promise<unknown>): Promise<PosternError> {
  const error = await call.then(
    () => null,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(PosternError)
  return error as PosternError
}

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let receiver: Awaited<ReturnType<typeof startReceiver>>
  let admin: Client
  const clientOf = (token: Redacted<string>, approval?: { ask: string } | { id: string }) =>
    connect({ endpoint: server.endpoint, vault: site.vault, token, ...(approval && { approval }) })

  async function enrol(id: string): Promise<Redacted<string>> {
    await admin.putPrincipal(id, { kind: 'user' })
    const actions = ['read', 'rotate', 'delete'] as const
    await admin.putRule(id, { effect: 'permit', principal: id, actions: [...actions], resource: 'prod/**' })
    return (await admin.createToken({ principal: id })).token
  }

  beforeAll(async () => {
    receiver = await startReceiver()
    site = await makeSite()
    server = await startServer(runtime, site, { POSTERN_SECURITY__ALLOW_LOOPBACK_HOOKS: 'true' })
    admin = clientOf(site.token)
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
    receiver?.close()
  })

  it('rotates through a webhook, with both credentials good in the grace, and finishes when told', async () => {
    receiver.accepted.add('first')
    await admin.put('prod/db', new Redacted('first'))
    const { secret } = await admin.putHook('db', { url: receiver.url })
    receiver.secret = secret!.reveal()
    const target = { kind: 'webhook', hook: 'db' } as const
    await admin.putRotation('prod/db', { rotateEvery: 'P30D', target, generate: { kind: 'password', length: 40 } })
    await admin.rotate('prod/db')
    const shown = await until(
      () => admin.rotation('prod/db'),
      ({ run }) => run?.step === 'finish',
    )
    expect(shown).toMatchObject({ state: 'running', run: { version: 2, replaces: 1, by: 'admin' } })
    const { value, version } = await admin.get('prod/db')
    expect([version, value.reveal().length, receiver.accepted.has(value.reveal())]).toEqual([2, 40, true])
    expect(receiver.accepted.has('first')).toBe(true)
    await admin.steer('prod/db', 'finish')
    const { items } = await until(
      () => admin.rotations(),
      ({ items }) => items[0]?.state === 'idle',
    )
    expect(items[0]).toMatchObject({ name: 'prod/db', failures: 0, run: { state: 'rotated' } })
    expect([...receiver.accepted]).toEqual([value.reveal()])
    expect(receiver.refused).toBe(0)
    const history = await admin.versions('prod/db')
    expect(history.items.map(({ version, stage, why }) => [version, stage, why])).toEqual([
      [2, 'current', 'rotation'],
      [1, 'previous', undefined],
    ])
    expect(new Set(history.items.map(({ checksum }) => checksum)).size).toBe(2)
  })

  it('rolls back through the target, and without one writes the old value as a new version', async () => {
    await admin.put('plain', new Redacted('one'))
    await admin.put('plain', new Redacted('two'))
    expect(await admin.rollback('plain', { version: 1 })).toEqual({ name: 'plain', version: 3 })
    expect((await admin.get('plain')).value.reveal()).toBe('one')
    expect((await admin.rollback('prod/db', { version: 1 })).run).toMatchObject({ why: 'rollback', restores: 1 })
    await until(
      () => admin.get('prod/db'),
      ({ version }) => version === 3,
    )
    expect((await admin.get('prod/db')).value.reveal()).toBe('first')
    await admin.steer('prod/db', 'finish')
    await until(
      () => admin.rotation('prod/db'),
      ({ state }) => state === 'idle',
    )
    expect([...receiver.accepted]).toEqual(['first'])
  })

  it('has others approve, tells the hook of the policy, and lets it through once', async () => {
    const [ann, bob] = [await enrol('ann'), await enrol('bob')]
    await admin.putPolicy({ notify: 'db' })
    const demand = { effect: 'forbid', principal: '*', actions: ['rotate', 'delete'], resource: 'prod/**' } as const
    const unless = { approvals: { required: 1, from: ['ann', 'bob'] } }
    await admin.putRule('four-eyes', { ...demand, actions: ['rotate', 'delete'], unless })
    expect((await refusal(clientOf(ann).rotate('prod/db'))).code).toBe('approval_required')
    const asked = await refusal(clientOf(ann, { ask: 'password was in a screenshot' }).rotate('prod/db'))
    const { id, hash } = asked.detail.approval!
    await until(
      async () => receiver.messages.filter(({ type }) => type === 'approval.asked'),
      (found) => found.length === 1,
    )
    expect((await clientOf(bob).approvals()).items).toMatchObject([{ id, hash, requester: 'ann', state: 'open' }])
    expect((await refusal(clientOf(ann).decide(id, { decision: 'approve', hash }))).detail.reason).toBe('not_approver')
    await clientOf(bob).decide(id, { decision: 'approve', hash })
    expect((await refusal(clientOf(ann, { id }).destroy('prod/db', 'all'))).detail.reason).toBe('approval_mismatch')
    expect(await clientOf(ann, { id }).rotate('prod/db')).toMatchObject({ by: 'ann', why: 'manual' })
    expect((await refusal(clientOf(ann, { id }).rotate('prod/db'))).detail.reason).toBe('approval_used')
  })

  it('refuses values that are weaker than the policy asks, and says why', async () => {
    await admin.putPolicy({ secretComplexity: { resources: ['strong/**'], minLength: 12 } })
    const error = await refusal(admin.put('strong/a', new Redacted('weak')))
    expect(error).toMatchObject({ code: 'bad_request', detail: { field: 'value', reason: 'weak' } })
    await admin.put('strong/a', new Redacted('Xk7#qR9!vB2$'))
    await admin.put('other/a', new Redacted('weak'))
  })

  it('moves all that is sealed to a new term of the key', async () => {
    const before = await admin.get('strong/a')
    expect(await admin.rekey()).toMatchObject({ term: 2, state: 'moving' })
    const { items } = await until(
      () => admin.terms(),
      ({ items }) => items[0]?.state === 'current',
    )
    expect(items.map(({ term, state }) => [term, state])).toEqual([
      [2, 'current'],
      [1, 'retired'],
    ])
    expect(items[0]!.moved).toBeGreaterThan(5)
    expect((await admin.get('strong/a')).value.reveal()).toBe(before.value.reveal())
    await admin.put('strong/a', new Redacted('Yk7#qR9!vB2$'))
    expect((await admin.get('strong/a')).version).toBe(2)
  })
})
