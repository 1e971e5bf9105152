/**
 * The state of a vault in numbers, without names: the work that waits, and since when.
 *
 * @module
 */

import type { Lag } from './chains/replication_store.ts'
import { type OperationContext, type Outcome, operation } from './operation.ts'
import type { Stores } from './stores.ts'
import { type TaskContext, task } from './task.ts'

/** The work that waits in a vault. */
export interface VaultStats {
  /** Rotations that are overdue, those that are running, and those whose last run changed nothing. */
  rotations: { due: number; running: number; failed: number; frozen: number }
  /** When a rotation that does not run begins next, or should have; `null` when none does by itself. */
  nextRotationAt: number | null
  /** Requests for approval that are open. */
  approvals: number
  /** Rows that a move to the newest term of the key has still to look at, or could not move: an upper bound. */
  rewrap: number
  /** Principals that are locked somewhere. */
  locks: number
  /** By provider: the number of names whose writes have not arrived, and since when the oldest waits. */
  lags: readonly Lag[]
  /** Deliveries of the log: how many entries each target lacks, and since when it has been failing. */
  deliveries: readonly { kind: string; lag: number; failingSince: number | null }[]
  /** When the newest checkpoint was signed; `null` when there is none, or the log has not moved on since. */
  staleCheckpointAt: number | null
}

/** Counts, for the process that the vault is in. */
export const countStats = task({
  resource: () => 'gauges',
  run: (context: TaskContext, _: Record<never, never>): Outcome<VaultStats> => ({
    value: gaugesOf(context),
    unrecorded: true,
  }),
})

/** The same numbers for a caller. Unrecorded: metrics are read every few seconds, and name nothing. */
export const showStats = operation({
  action: 'admin',
  resource: () => 'metrics',
  approvalBinding: 'nothing',
  run: (context: OperationContext, _: Record<never, never>): Outcome<VaultStats> => ({
    value: gaugesOf(context),
    unrecorded: true,
  }),
})

/** Adds up the numbers of several vaults. */
export function totalStats(all: readonly VaultStats[]): VaultStats {
  const sum = (of: (gauges: VaultStats) => number) => all.reduce((total, gauges) => total + of(gauges), 0)
  return {
    rotations: {
      due: sum(({ rotations }) => rotations.due),
      running: sum(({ rotations }) => rotations.running),
      failed: sum(({ rotations }) => rotations.failed),
      frozen: sum(({ rotations }) => rotations.frozen),
    },
    nextRotationAt: earliest(all.map(({ nextRotationAt }) => nextRotationAt)),
    approvals: sum(({ approvals }) => approvals),
    rewrap: sum(({ rewrap }) => rewrap),
    locks: sum(({ locks }) => locks),
    lags: all.flatMap(({ lags }) => lags),
    deliveries: all.flatMap(({ deliveries }) => deliveries),
    staleCheckpointAt: earliest(all.map(({ staleCheckpointAt }) => staleCheckpointAt)),
  }
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((at) => at !== null)
  return known.length === 0 ? null : Math.min(...known)
}

function gaugesOf(stores: Stores & { now: number }): VaultStats {
  const { rotations, approvals, keys, lockout, replication, log, checkpoints, deliveries, now } = stores
  const { nextAt: nextRotationAt, ...counted } = rotations.count(now)
  const { size } = log.head()
  const checkpoint = checkpoints.newest()
  return {
    ...{ rotations: counted, nextRotationAt, approvals: approvals.waiting(now), rewrap: keys.remaining() },
    locks: lockout.locked(now),
    lags: replication.lags(),
    deliveries: deliveries.list().map(({ target, mark, failingSince }) => {
      return { kind: target.split(':')[0]!, lag: Math.max(0, size - mark), failingSince }
    }),
    staleCheckpointAt: checkpoint === null || checkpoint.size === size ? null : checkpoint.signedAt,
  }
}
