/**
 * The metrics of vaults: of all vaults of this process together, or of one.
 *
 * @module
 */
import { totalStats, type VaultStats } from '../../core/vault/stats.ts'
import type { Vault } from '../../core/vault/vault.ts'
import { metric } from './prometheus.ts'

/** How long counts are kept. Metrics are public to the port, so scrapes must not set how often vaults are counted. */
const KEEP_MS = 10_000

/** Makes the function that counts what waits in all vaults of a process. */
export function countedStats(vaults: () => Iterable<Vault>): () => VaultStats {
  let counted: VaultStats | null = null
  let countedAt = Number.NEGATIVE_INFINITY
  return () => {
    if (counted === null || performance.now() - countedAt > KEEP_MS) {
      const answers = [...vaults()].map((vault) => vault.perform('vault.gauges', {}, Date.now()))
      counted = totalStats(answers.flatMap((answer) => (answer.ok ? [answer.value] : [])))
      countedAt = performance.now()
    }
    return counted
  }
}

/**
 * Writes the metrics of one vault, or of all together. The worst of several replicas or targets is shown, so that no vault
 * is named.
 *
 * @param now Milliseconds since the Unix epoch.
 */
export function vaultLines(stats: VaultStats, now: number): string[] {
  return [...rotationLines(stats, now), ...stateLines(stats), ...lagLines(stats, now)]
}

function rotationLines({ rotations, nextRotationAt }: VaultStats, now: number): string[] {
  const overdueMs = rotations.due === 0 || nextRotationAt === null ? 0 : Math.max(0, now - nextRotationAt)
  return [
    ...metric('postern_rotation_due', [[{}, rotations.due]]),
    ...metric('postern_rotation_running', [[{}, rotations.running]]),
    ...metric('postern_rotation_failed', [[{}, rotations.failed]]),
    ...metric('postern_rotation_frozen', [[{}, rotations.frozen]]),
    ...metric('postern_rotation_overdue_seconds', [[{}, overdueMs / 1000]]),
    ...metric('postern_rotation_next_timestamp_seconds', nextRotationAt === null ? [] : [[{}, nextRotationAt / 1000]]),
  ]
}

function stateLines({ approvals, rewrap, locks }: VaultStats): string[] {
  return [
    ...metric('postern_approvals_waiting', [[{}, approvals]]),
    ...metric('postern_rewrap_remaining', [[{}, rewrap]]),
    ...metric('postern_locked_principals', [[{}, locks]]),
  ]
}

function lagLines({ lags, deliveries, staleCheckpointAt }: VaultStats, now: number): string[] {
  const ageSeconds = (since: number | null) => (since === null ? 0 : Math.max(0, (now - since) / 1000))
  const byProvider = (of: (lag: VaultStats['lags'][number]) => number) =>
    worst(lags.map((lag) => [lag.provider, of(lag)])).map(([provider, value]) => [{ provider }, value] as const)
  const byKind = (of: (delivery: VaultStats['deliveries'][number]) => number) =>
    worst(deliveries.map((delivery) => [delivery.kind, of(delivery)])).map(
      ([kind, value]) => [{ kind }, value] as const,
    )
  return [
    ...metric(
      'postern_replication_lag_names',
      byProvider(({ names }) => names),
    ),
    ...metric(
      'postern_replication_lag_seconds',
      byProvider(({ since }) => ageSeconds(since)),
    ),
    ...metric(
      'postern_audit_delivery_lag_entries',
      byKind(({ lag }) => lag),
    ),
    ...metric(
      'postern_audit_delivery_failing_seconds',
      byKind(({ failingSince }) => ageSeconds(failingSince)),
    ),
    ...metric('postern_audit_checkpoint_age_seconds', [[{}, ageSeconds(staleCheckpointAt)]]),
  ]
}

/** The largest value of each label. */
function worst(values: readonly (readonly [label: string, value: number])[]): [string, number][] {
  const largest = new Map<string, number>()
  for (const [label, value] of values) largest.set(label, Math.max(value, largest.get(label) ?? 0))
  return [...largest]
}
