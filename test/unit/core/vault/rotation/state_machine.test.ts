/** Rotation over real rows, with a target that can be asked what it accepts. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../../../../core/durations.ts'
import { PutPolicy } from '../../../../../core/wire/index.ts'
import { canary, leaks } from '../../../../support/canary.ts'
import { byWebhook, NAME, rotationBench } from './rotation_fixture.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

const typesOf = (told: { type: string }[]) => told.map(({ type }) => type.replace('rotation.', ''))

describe('a rotation', () => {
  it('creates, sets, tests, and finishes after the grace, with both credentials valid until then', async () => {
    const { bench, target, process, read, rotate, secret, outcomes } = await rotationBench()
    rotate()
    expect(await process()).toBe(bench.now + HOUR_MS)
    expect(typesOf(target.told)).toEqual(['create', 'set', 'test'])
    expect(secret()).toEqual({ current: 2, previous: 1, pending: null, latest: 2 })
    expect([await read(), await read(1)].every((value) => target.accepted.has(value))).toBe(true)
    bench.now += HOUR_MS - 1
    await process()
    expect(target.accepted.has('first value')).toBe(true)
    bench.now += 1
    expect(await process()).toBe(bench.now + 30 * DAY_MS)
    expect(typesOf(target.told)).toEqual(['create', 'set', 'test', 'finish'])
    expect([...target.accepted]).toEqual([await read()])
    expect(outcomes()).toEqual(['rotated'])
  })

  it('begins by itself when it is due, and not before', async () => {
    const { bench, process, outcomes } = await rotationBench()
    const due = bench.now + 30 * DAY_MS
    expect(await process()).toBe(due)
    bench.now = due - 1
    expect(await process()).toBe(due)
    expect(outcomes()).toEqual([])
    bench.now = due
    await process()
    expect(outcomes()).toEqual([null])
  })

  it('waits for the end of a freeze, unless it is forced', async () => {
    const now = 1_000_000
    const freeze = [{ from: now - 1, to: now + 40 * DAY_MS }]
    const { bench, process, outcomes } = await rotationBench({ ...byWebhook, freeze })
    bench.now = now + 35 * DAY_MS
    expect(await process()).toBe(now + 40 * DAY_MS)
    const start = { name: NAME, restores: null }
    expect(bench.reason('admin', 'rotation.start', { ...start, force: false })).toBe('frozen')
    expect(outcomes()).toEqual([])
    expect(bench.reason('admin', 'rotation.start', { ...start, force: true })).toBe('ok')
    await process()
    expect(outcomes()).toEqual([null])
  })

  it('runs once at a time per secret, and blocks writes in between', async () => {
    const { bench, target, process, rotate, writeByHand } = await rotationBench()
    rotate()
    expect(bench.reason('admin', 'rotation.start', { name: NAME, restores: null, force: true })).toBe('rotating')
    expect(bench.reason('admin', 'rotation.delete', { name: NAME })).toBe('rotating')
    target.answers = [() => null, () => null, () => new Response(null, { status: 503 })]
    await process()
    expect(await writeByHand('in between')).toBe(false)
    expect(bench.reason('admin', 'secret.destroy', { name: NAME })).toBe('rotating')
    expect(bench.reason('admin', 'secret.delete', { name: NAME })).toBe('ok')
  })

  it('accepts a value that the target makes', async () => {
    const { target, process, read, rotate } = await rotationBench()
    target.answers = [() => Response.json({ value: 'made by the target' })]
    rotate()
    await process()
    expect(await read()).toBe('made by the target')
  })

  it.each([
    ['no value', { value: '' }],
    ['a number', { value: 7 }],
    ['half a character', { value: '\ud800' }],
    ['bad base64', { value: '***', encoding: 'base64' }],
    ['too much', { value: 'x'.repeat(65_537) }],
  ])('does not accept %s as a value', async (_, answer) => {
    const { target, process, rotate, secret, active } = await rotationBench()
    target.answers = [() => Response.json(answer)]
    rotate()
    await process()
    expect(secret()).toMatchObject({ current: 1, pending: null })
    expect(active()).toEqual({ step: 'create', attempts: 1 })
  })

  it('is undone when the target refuses, and is retried before its next due time', async () => {
    const { bench, target, process, read, rotate, secret, outcomes } = await rotationBench()
    rotate()
    target.answers = [() => null, () => null, () => new Response('no', { status: 422 })]
    expect(await process()).toBe(bench.now + HOUR_MS)
    expect(typesOf(target.told)).toEqual(['create', 'set', 'test', 'undo'])
    expect(secret()).toEqual({ current: 1, previous: null, pending: null, latest: 2 })
    expect([...target.accepted]).toEqual([await read()])
    bench.now += HOUR_MS
    await process()
    expect(outcomes()).toEqual(['undone', null])
    expect(secret()).toMatchObject({ current: 3 })
  })

  it('waits for a silent target, then gives up, and keeps the pending version in the history', async () => {
    const { bench, target, settle, rotate, outcomes, secret, read } = await rotationBench({
      ...byWebhook,
      rotateEvery: null,
    })
    rotate()
    const down = () => new Response(null, { status: 503 })
    target.answers = [() => null, ...Array.from({ length: 14 }, () => down)]
    await settle()
    expect(typesOf(target.told)).toEqual(['create', ...Array(10).fill('set'), ...Array(5).fill('undo')])
    expect(outcomes()).toEqual(['undone'])
    expect(secret()).toEqual({ current: 1, previous: null, pending: null, latest: 2 })
    const { items } = bench.granted('admin', 'secret.versions', { name: NAME, below: 99, limit: 99 })
    expect(items.map(({ number, destroyedAt, why }) => [number, destroyedAt, why])).toEqual([
      [2, null, 'rotation'],
      [1, null, null],
    ])
    expect(await read()).toBe('first value')
  })

  it('restores an earlier value through the target as a new version', async () => {
    const { bench, target, settle, rotate, read, secret } = await rotationBench()
    rotate()
    await settle()
    expect(target.accepted.has('first value')).toBe(false)
    rotate(1)
    await settle()
    expect(await read()).toBe('first value')
    expect([...target.accepted]).toEqual(['first value'])
    expect(secret()).toMatchObject({ current: 3, previous: 2 })
    // To the same value again: what the target is to forget is what it is to keep.
    rotate(1)
    await settle()
    expect([...target.accepted]).toEqual([await read()])
    const { items } = bench.granted('admin', 'secret.versions', { name: NAME, below: 99, limit: 99 })
    expect(items[0]).toMatchObject({
      number: 4,
      why: 'rollback to 1',
      createdBy: 'admin',
      currentAt: expect.any(Number),
    })
  })

  it('can be cancelled before it is current, finished early afterwards, and given up', async () => {
    const { bench, target, process, rotate, outcomes, secret } = await rotationBench()
    const steer = (to: 'cancel' | 'finish' | 'abandon' | 'retry') =>
      bench.reason('admin', 'rotation.steer', { name: NAME, to })
    expect(steer('cancel')).toBe('not_rotating')
    rotate()
    target.answers = [() => null, () => new Response(null, { status: 503 })]
    await process()
    expect([steer('finish'), steer('cancel')]).toEqual(['not_rotating', 'ok'])
    await process()
    expect(outcomes()).toEqual(['undone'])
    rotate()
    await process()
    expect([steer('cancel'), steer('finish')]).toEqual(['not_rotating', 'ok'])
    await process()
    expect(outcomes()).toEqual(['undone', 'rotated'])
    rotate()
    target.answers = [() => null, () => new Response(null, { status: 503 })]
    await process()
    expect(steer('abandon')).toBe('ok')
    expect(outcomes()).toEqual(['undone', 'rotated', 'abandoned'])
    expect(secret()).toMatchObject({ pending: null })
  })

  it('is undone when its secret is deleted', async () => {
    const { bench, target, rotate, process, secret } = await rotationBench()
    rotate()
    target.answers = [() => null, () => null, () => new Response(null, { status: 503 })]
    await process()
    bench.granted('admin', 'secret.delete', { name: NAME })
    bench.now += HOUR_MS
    await process()
    bench.granted('admin', 'secret.restore', { name: NAME })
    expect(secret()).toMatchObject({ current: 1, pending: null })
    expect([...target.accepted]).toEqual(['first value'])
  })

  it('needs no target where the value is valid by itself', async () => {
    const { target, settle, rotate, read, secret } = await rotationBench({ ...byWebhook, target: { kind: 'generate' } })
    rotate()
    await settle()
    expect(target.told).toEqual([])
    expect(secret()).toEqual({ current: 2, previous: 1, pending: null, latest: 2 })
    expect(await read()).toHaveLength(32)
  })

  it('row 71: reveals nothing of the strength of a value that it did not make', async () => {
    const { bench, target, settle, rotate, outcomes } = await rotationBench()
    const secretComplexity = { resources: ['prod/**'], minLength: 12, denied: [] }
    bench.granted('admin', 'policy.put', PutPolicy.parse({ secretComplexity }))
    const made = () => bench.log().filter(({ operation }) => operation === 'rotation.create')
    target.answers = [() => Response.json({ value: 'short' })]
    rotate()
    await settle()
    target.answers = [() => Response.json({ value: 'Long-enough-4-everybody' })]
    rotate()
    await settle()
    // Its own, by the recipe; and back to the first, which is of before the policy.
    rotate()
    await settle()
    rotate(1)
    await settle()
    const told = made().map(({ facts }) => Object.keys(facts).sort())
    expect(told).toEqual(told.map(() => ['fence', 'run', 'version']))
    expect(outcomes()).toEqual(['rotated', 'rotated', 'rotated', 'rotated'])
    expect(JSON.stringify(bench.log())).not.toMatch(/weak|too_short/)
  })

  it('records each step, without values', async () => {
    const { bench, target, settle, rotate, writeByHand } = await rotationBench()
    const value = canary()
    await writeByHand(value)
    target.answers = [() => new Response(value, { status: 500 })]
    rotate()
    await settle()
    const steps = bench.log().filter(({ operation }) => operation.startsWith('rotation.'))
    expect(steps.map(({ operation, facts }) => [operation.slice(9), facts.step ?? null])).toEqual([
      ['put', null],
      ['start', null],
      ['claim', 'create'],
      ['fail', 'create'],
      ['claim', 'create'],
      ['create', null],
      ['claim', 'set'],
      ['advance', 'set'],
      ['claim', 'test'],
      ['advance', 'test'],
      ['claim', 'finish'],
      ['advance', 'finish'],
    ])
    const rows = bench.database.all('SELECT CAST(body AS TEXT) AS body FROM entry')
    const values = [value, ...target.told.flatMap(({ data }) => [data.pending?.value, data.current?.value])]
    expect(
      leaks(
        JSON.stringify(rows),
        values.filter((one) => one !== undefined),
      ),
    ).toEqual([])
  })
})

describe('a late answer', () => {
  it('row 40: moves no stage, and harms no target that checks the fence', async () => {
    const { bench, target, process, rotate, secret, read } = await rotationBench()
    rotate()
    // What the first process sends to set reaches the target a second time, much later.
    const heldBack: (() => Response)[] = []
    target.answers = [
      () => null,
      (told) => {
        heldBack.push(() => target.answer(told))
        return null
      },
    ]
    await process()
    expect(secret()).toMatchObject({ current: 2 })
    bench.now += HOUR_MS
    await process()
    // Another run since: its fence is higher.
    rotate()
    await process()
    const before = [...target.accepted].sort()
    expect(heldBack[0]!().status).toBe(409)
    expect([...target.accepted].sort()).toEqual(before)
    expect(target.accepted.has(await read())).toBe(true)
  })

  it.each(['rotation.create', 'rotation.advance', 'rotation.fail'] as const)(
    'row 40: is refused by %s',
    async (task) => {
      const { bench, rotate } = await rotationBench()
      const { id: run } = rotate()
      const claim = () => bench.vault.perform('rotation.claim', { name: NAME, run }, bench.now)
      const first = claim()
      // One lease at a time.
      expect(claim()).toMatchObject({ ok: true, value: null })
      bench.now += 120_000
      const second = claim()
      const fenceOf = (answer: typeof first) => (answer.ok ? answer.value!.fence : 0)
      expect(fenceOf(second)).toBeGreaterThan(fenceOf(first))
      const sealed = {
        number: 2,
        kid: 'k',
        sealed: Uint8Array.of(1),
        contentType: 'text/plain',
        encoding: 'utf8',
      } as const
      const inputs = {
        'rotation.create': { name: NAME, run, ...sealed },
        'rotation.advance': { name: NAME, run, step: 'create' },
        'rotation.fail': { name: NAME, run, step: 'create', failure: 'refused' },
      }
      const say = (fence: number) => bench.vault.perform(task, { ...inputs[task], fence } as never, bench.now)
      expect(say(fenceOf(first))).toMatchObject({ ok: false, reason: 'superseded' })
      if (task !== 'rotation.advance') expect(say(fenceOf(second)).ok).toBe(true)
      expect(say(fenceOf(second))).toMatchObject({ ok: false, reason: 'superseded' })
    },
  )
})

describe('a crash', () => {
  // More than a whole rotation does: looking, claiming, telling, writing down.
  const points = Array.from({ length: 14 }, (_, i) => i + 1).flatMap((at) => [
    { at, after: false },
    { at, after: true },
  ])

  it.each(points)(
    'row 40: at event $at (after it: $after), and again at every other, ends in a good credential',
    {
      timeout: 60_000,
    },
    async ({ at, after }) => {
      for (const second of [1, 3, 5, 8]) {
        const { bench, process, settle, target, read, rotate, active, secret } = await rotationBench()
        rotate()
        await process({ crashAt: at, after })
        bench.now += 120_000
        await process({ crashAt: second, after: !after })
        bench.now += 120_000
        await settle()
        expect(active()).toBeUndefined()
        expect([...target.accepted]).toEqual([await read()])
        expect(secret().current).toBeGreaterThan(1)
        bench.database.close()
      }
    },
  )
})
