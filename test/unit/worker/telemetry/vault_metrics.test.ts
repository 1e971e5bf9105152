/** The metrics of vaults: on the port for all together, and for callers with the right for one. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../../../core/durations.ts'
import type { VaultStats } from '../../../../core/vault/stats.ts'
import { countedStats, vaultLines } from '../../../../worker/telemetry/vault_metrics.ts'
import { callOf, openVault, writeOf } from '../../../support/core.ts'
import { byWebhook, NAME, rotationBench } from '../../core/vault/rotation/rotation_fixture.ts'
import { byProvider, providedBench } from '../background/provider_rotation_fixture.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function countedIn({ vault, now }: ReturnType<typeof openVault>): VaultStats {
  const answer = vault.perform('vault.gauges', {}, now)
  if (!answer.ok) throw new Error(answer.reason)
  return answer.value
}

describe('the stats of a vault', () => {
  it('count rotations that are due, running, failed and frozen, and give the time of the next', async () => {
    const { bench, rotate, process, target } = await rotationBench()
    const due = bench.now + 30 * DAY_MS
    const none = { due: 0, running: 0, failed: 0, frozen: 0 }
    expect(countedIn(bench)).toMatchObject({ rotations: none, nextRotationAt: due })
    bench.now = due + 1
    expect(countedIn(bench)).toMatchObject({ rotations: { ...none, due: 1 }, nextRotationAt: due })
    rotate()
    expect(countedIn(bench)).toMatchObject({ rotations: { ...none, running: 1 }, nextRotationAt: null })
    target.answers = [() => null, () => new Response(null, { status: 422 })]
    await process()
    expect(countedIn(bench)).toMatchObject({ rotations: { ...none, failed: 1 } })
    const freeze = [{ from: bench.now, to: bench.now + HOUR_MS }]
    bench.granted('admin', 'rotation.put', { name: NAME, config: { ...byWebhook, freeze } })
    expect(countedIn(bench)).toMatchObject({ rotations: { ...none, frozen: 1 } })
    bench.now += HOUR_MS
    expect(countedIn(bench)).toMatchObject({ rotations: none })
    bench.granted('admin', 'rotation.put', { name: NAME, config: { ...byWebhook, rotateEvery: null } })
    expect(countedIn(bench)).toMatchObject({ rotations: none, nextRotationAt: null })
  })

  it('count rotations at providers', async () => {
    const { bench } = await providedBench(byProvider)
    bench.now += 30 * DAY_MS
    expect(countedIn(bench).rotations.due).toBe(1)
  })

  it('count requests for approval until they end', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', writeOf('prod/db'))
    for (const who of ['ann', 'bob']) bench.enrol(who)
    bench.rule('ann', 'ann', ['delete'], 'prod/**')
    const unless = { approvals: { required: 1, from: ['bob'], withinSeconds: 3600 } }
    bench.granted('admin', 'rule.put', {
      ...{ id: 'eyes', effect: 'forbid', principal: '*', actions: ['delete'], resource: 'prod/**', unless },
    })
    expect(countedIn(bench).approvals).toBe(0)
    const call = callOf('ann', 'secret.destroy', { name: 'prod/db' })
    bench.execute({ ...call, caller: { ...call.caller, approval: { ask: 'because' } } })
    expect(countedIn(bench).approvals).toBe(1)
    bench.now += HOUR_MS
    expect(countedIn(bench).approvals).toBe(0)
  })

  it('count the rows left to rewrap, between rounds and to the end', () => {
    const bench = openVault()
    bench.vault.claim('0'.repeat(16))
    for (let i = 0; i < 300; i++)
      bench.granted('admin', 'secret.write', writeOf(`a/${i}`, { kid: `${'0'.repeat(16)}.1` }))
    expect(countedIn(bench).rewrap).toBe(0)
    bench.granted('admin', 'keys.rekey', {})
    expect(countedIn(bench).rewrap).toBe(300)
    const move = (moves: boolean) => {
      const answer = bench.vault.perform('keys.stale', {}, bench.now)
      const batch = answer.ok ? answer.value! : null!
      const heads = batch.items.map((item) => (moves ? { kid: `${'0'.repeat(16)}.2`, head: item.head } : null))
      bench.vault.perform('keys.rewrap', { ...batch, heads }, bench.now)
    }
    move(true)
    expect(countedIn(bench).rewrap).toBe(100)
    move(false)
    // What could not be moved is left, also once all tables were gone through: it is tried again in another round.
    expect(countedIn(bench).rewrap).toBe(100)
    for (let i = 0; i < 3; i++) move(true)
    expect(countedIn(bench).rewrap).toBe(100)
    for (let i = 0; i < 5; i++) move(true)
    expect(countedIn(bench).rewrap).toBe(0)
  })
})

describe('the stats of a process', () => {
  it('are summed over all vaults, and counted once in ten seconds however often they are scraped', () => {
    vi.useFakeTimers()
    const [one, other, broken] = [openVault(), openVault(), openVault()]
    broken.vault.quarantine('rolled_back')
    for (const { granted } of [one, other])
      granted('admin', 'secret.write', writeOf('a', { kid: `${'0'.repeat(16)}.1` }))
    const read = countedStats(() => [one.vault, other.vault, broken.vault])
    expect(read().rewrap).toBe(0)
    for (const { granted } of [one, other]) granted('admin', 'keys.rekey', {})
    vi.advanceTimersByTime(9_000)
    expect(read().rewrap).toBe(0)
    vi.advanceTimersByTime(2_000)
    expect(read().rewrap).toBe(2)
  })

  it('are written in the text format of Prometheus', () => {
    const rotations = { due: 2, running: 1, failed: 3, frozen: 0 }
    const waiting = { rotations, nextRotationAt: 10_000, approvals: 4, rewrap: 5, locks: 6 }
    const rest = {
      lags: [
        { provider: 'aws', names: 2, since: 500 },
        { provider: 'aws', names: 1, since: 20_500 },
      ],
      deliveries: [
        { kind: 'sink', lag: 3, failingSince: null },
        { kind: 'sink', lag: 1, failingSince: 15_500 },
      ],
      staleCheckpointAt: 24_500,
    }
    const lines = vaultLines({ ...waiting, ...rest }, 25_500)
    expect(lines.filter((line) => !line.startsWith('#'))).toEqual([
      'postern_rotation_due 2',
      'postern_rotation_running 1',
      'postern_rotation_failed 3',
      'postern_rotation_frozen 0',
      'postern_rotation_overdue_seconds 15.5',
      'postern_rotation_next_timestamp_seconds 10',
      'postern_approvals_waiting 4',
      'postern_rewrap_remaining 5',
      'postern_locked_principals 6',
      'postern_replication_lag_names{provider="aws"} 2',
      'postern_replication_lag_seconds{provider="aws"} 25',
      'postern_audit_delivery_lag_entries{kind="sink"} 3',
      'postern_audit_delivery_failing_seconds{kind="sink"} 10',
      'postern_audit_checkpoint_age_seconds 1',
    ])
    const none = { rotations: { ...rotations, due: 0 }, nextRotationAt: null, approvals: 0, rewrap: 0, locks: 0 }
    const idle = vaultLines({ ...none, lags: [], deliveries: [], staleCheckpointAt: null }, 1)
    expect(idle).toContain('postern_rotation_overdue_seconds 0')
    expect(idle.join('\n')).not.toContain('next_timestamp')
  })
})

describe('the metrics of one vault', () => {
  it('need the right to administer metrics, and leave no entry', async () => {
    const { admin, send, log } = await openApp({}, { environment: { POSTERN_METRICS: 'true' } })
    await admin.putPrincipal('prometheus', { kind: 'service' })
    const { token } = await admin.createToken({ principal: 'prometheus' })
    const path = '/v1/vaults/default/metrics'
    const scrape = () => send(path, { headers: { Authorization: `Bearer ${token.reveal()}` } })
    expect((await scrape()).status).toBe(403)
    await admin.putRule('prometheus', {
      effect: 'permit',
      principal: 'prometheus',
      actions: ['admin'],
      resource: 'metrics',
    })
    const before = log().length
    const response = await scrape()
    expect([response.status, response.headers.get('Content-Type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ])
    expect(await response.text()).toMatch(/^postern_rotation_due 0$/m)
    expect(log()).toHaveLength(before)
    expect((await send(path, { headers: { Authorization: 'Bearer none' } })).status).toBe(401)
    // On Workers, where vaults are elsewhere, the port reveals nothing about them.
    expect(await (await send('/metrics')).text()).not.toContain('postern_rotation')
  })
})
