/**
 * What waits in vaults, for Prometheus: of all vaults of this process at once, or of one that is asked.
 *
 * @module
 */
import { type Gauges, totalOf } from '../core/gauges.ts'
import type { Vault } from '../core/vault.ts'
import { family } from './metrics.ts'

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
export function gaugeLines({ rotations, nextRotationAt, approvals, rewrap }: Gauges, now: number): string[] {
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

function gauge(name: string, help: string, value: number): string[] {
  return family(name, 'gauge', help, [` ${value}`])
}
