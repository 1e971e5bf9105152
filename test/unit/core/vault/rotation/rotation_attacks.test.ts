/** Attacks on rotation: removing what a running rotation depends on. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseSettings } from '../../../../../core/settings/settings.ts'
import { unwrap } from '../../../../../core/vault/rpc.ts'
import { PutPolicy } from '../../../../../core/wire/index.ts'
import { pruneVersions } from '../../../../../worker/background/prune_versions.ts'
import type { VaultServices } from '../../../../../worker/vault_services.ts'
import { writeOf } from '../../../../support/core.ts'
import { NAME, rotationBench } from './rotation_fixture.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

type Bench = Awaited<ReturnType<typeof rotationBench>>['bench']

/** Keeps two versions of each secret, and erases the rest now. */
async function eraseOld(bench: Bench): Promise<void> {
  bench.granted('admin', 'policy.put', PutPolicy.parse({ keepVersions: 2 }))
  bench.now += 86_400_000
  const perform = async (task: never, input: never) =>
    unwrap(bench.vault.perform(task, input, bench.now) as never).value
  await pruneVersions.run({
    vault: 'v',
    settings: parseSettings({ environment: {} }),
    perform,
  } as unknown as VaultServices)
}

describe('a rollback through the target', () => {
  it('makes no new value when the value to restore was destroyed meanwhile', async () => {
    const { bench, target, writeByHand, rotate, settle, read, outcomes, secret } = await rotationBench()
    await writeByHand('second value')
    rotate(1)
    bench.granted('admin', 'secret.destroy', { name: NAME, version: 1 })
    await settle()
    expect(await read()).toBe('second value')
    expect(secret()).toMatchObject({ current: 2, pending: null, latest: 2 })
    expect(outcomes()).toEqual(['undone'])
    expect(target.told.map(({ type }) => type)).toEqual(['rotation.undo'])
  })

  it('keeps its value until it is done, against any policy', async () => {
    const { bench, writeByHand, rotate, settle, read } = await rotationBench()
    for (const value of ['second', 'third', 'fourth']) await writeByHand(value)
    rotate(1)
    await eraseOld(bench)
    await settle()
    expect(await read()).toBe('first value')
    await eraseOld(bench)
    expect(bench.reason('admin', 'secret.read', { name: NAME, version: 1 })).toBe('destroyed')
  })

  it('restores no expired value, and restores an expiry', async () => {
    const { bench, rotate, settle } = await rotationBench()
    const expiresAt = bench.now + 90_000_000
    bench.database.all('UPDATE version SET expires_at = ? WHERE number = 1', expiresAt)
    rotate()
    await settle()
    rotate(1)
    await settle()
    const { items } = bench.granted('admin', 'secret.versions', { name: NAME, below: 99, limit: 99 })
    expect(items[0]).toMatchObject({ number: 3, expiresAt })
    bench.now = expiresAt
    expect(bench.reason('admin', 'rotation.start', { name: NAME, restores: 1, force: false })).toBe('expired')
  })
})

describe('the grace of a rotation', () => {
  it('keeps the previous credential from destruction, since its target has yet to revoke it', async () => {
    const { bench, target, rotate, process, settle } = await rotationBench()
    rotate()
    await process()
    for (const which of [{ name: NAME, version: 1 }, { name: NAME }])
      expect(bench.reason('admin', 'secret.destroy', which)).toBe('rotating')
    bench.granted('admin', 'rotation.steer', { name: NAME, to: 'finish' })
    await settle()
    expect(target.accepted.has('first value')).toBe(false)
    expect(bench.reason('admin', 'secret.destroy', { name: NAME, version: 1 })).toBe('ok')
  })

  it('ends with revoking the previous credential, even after another write and erased versions', async () => {
    const { bench, target, writeByHand, rotate, process, settle } = await rotationBench()
    rotate()
    await process()
    await writeByHand('written in the grace')
    await eraseOld(bench)
    await settle()
    expect(target.accepted.has('first value')).toBe(false)
  })
})

describe('a rollback', () => {
  it('to an expired version is refused', async () => {
    const { bench } = await rotationBench()
    bench.granted('admin', 'secret.write', writeOf('x', { expiresAt: bench.now + 1000 }))
    bench.granted('admin', 'secret.write', writeOf('x'))
    bench.now += 1000
    expect(bench.reason('admin', 'secret.read', { name: 'x', version: 1 })).toBe('expired')
    expect(bench.reason('admin', 'secret.rollback', { name: 'x', version: 1 })).toBe('expired')
  })
})
