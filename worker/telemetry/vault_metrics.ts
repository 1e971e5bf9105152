/**
 * What waits in vaults, for Prometheus: of all vaults of this process at once, or of one that is asked.
 *
 * @module
 */
import { type Gauges, totalOf } from '../../core/vault/stats.ts'
import type { Vault } from '../../core/vault/vault.ts'
import { family } from './prometheus.ts'

/** Whoever reaches the port may ask, so that this is how often vaults are looked at for it, however often it is asked. */
const KEEP_MS = 10_000

/** Makes the function that counts what waits in all vaults of a process. */
export function gaugesOf(vaults: () => Iterable<Vault>): () => Gauges {
  let counted: Gauges | null = null
  let countedAt = Number.NEGATIVE_INFINITY
  return () => {
    if (counted === null || performance.now() - countedAt > KEEP_MS) {
      const answers = [...vaults()].map((vault) => vault.perform('vault.gauges', {}, Date.now()))
      counted = totalOf(answers.flatMap((answer) => (answer.ok ? [answer.value] : [])))
      countedAt = performance.now()
    }
    return counted
  }
}

/** Writes them in the text format of Prometheus. */
export function gaugeLines(
  {
    rotations,
    nextRotationAt,
    approvals,
    rewrap,
  }: Pick<Gauges, 'rotations' | 'nextRotationAt' | 'approvals' | 'rewrap'>,
  now: number,
): string[] {
  const seconds = (ms: number) => ms / 1000
  const overdueMs = rotations.due === 0 || nextRotationAt === null ? 0 : Math.max(0, now - nextRotationAt)
  const next = nextRotationAt === null ? [] : [` ${seconds(nextRotationAt)}`]
  return [
    ...gauge('postern_rotation_due', 'Rotations that should have begun.', rotations.due),
    ...gauge('postern_rotation_running', 'Rotations that go on.', rotations.running),
    ...gauge('postern_rotation_failed', 'Rotations whose last run changed nothing.', rotations.failed),
    ...gauge('postern_rotation_frozen', 'Rotations that must not begin now.', rotations.frozen),
    ...gauge(
      'postern_rotation_overdue_seconds',
      'How long the oldest that is due should have begun.',
      seconds(overdueMs),
    ),
    ...family('postern_rotation_next_timestamp_seconds', 'gauge', 'When the next rotation begins by itself.', next),
    ...gauge('postern_approvals_waiting', 'Requests for approval that are open.', approvals),
    ...gauge('postern_rewrap_remaining', 'Rows that are still to be moved to the newest term of a key.', rewrap),
  ]
}

/** Writes how vaults are beside what waits in them: locks, replicas that lag, and the log on its way elsewhere. */
export function stateLines(
  { locks, lags, deliveries, staleCheckpointAt }: Pick<Gauges, 'locks' | 'lags' | 'deliveries' | 'staleCheckpointAt'>,
  now: number,
): string[] {
  const ageSeconds = (since: number) => Math.max(0, (now - since) / 1000)
  const names = most(lags.map(({ provider, names }) => [`provider="${provider}"`, names]))
  const seconds = most(lags.map(({ provider, since }) => [`provider="${provider}"`, ageSeconds(since)]))
  const entries = most(deliveries.map(({ kind, lag }) => [`kind="${kind}"`, lag]))
  const failing = most(
    deliveries.map(({ kind, failingSince }) => [
      `kind="${kind}"`,
      failingSince === null ? 0 : ageSeconds(failingSince),
    ]),
  )
  const checkpoint = staleCheckpointAt === null ? 0 : ageSeconds(staleCheckpointAt)
  return [
    ...gauge('postern_locked_principals', 'Principals that are locked somewhere.', locks),
    ...family('postern_replication_lag_names', 'gauge', 'Names whose last write has not arrived, at most.', names),
    ...family('postern_replication_lag_seconds', 'gauge', 'How old the oldest write is that has not arrived.', seconds),
    ...family('postern_audit_delivery_lag_entries', 'gauge', 'Entries of a log that a target does not have.', entries),
    ...family('postern_audit_delivery_failing_seconds', 'gauge', 'How long a target has taken nothing.', failing),
    ...gauge('postern_audit_checkpoint_age_seconds', 'Age of a checkpoint that its log has outgrown.', checkpoint),
  ]
}

/** Of several vaults the one that is worst off: no vault is named. */
function most(samples: readonly [string, number][]): string[] {
  const worst = new Map<string, number>()
  for (const [labels, value] of samples) worst.set(labels, Math.max(value, worst.get(labels) ?? 0))
  return [...worst].map(([labels, value]) => `{${labels}} ${value}`)
}

function gauge(name: string, help: string, value: number): string[] {
  return family(name, 'gauge', help, [` ${value}`])
}
