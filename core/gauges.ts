/**
 * How a vault is, in numbers and without names: what waits, and since when.
 *
 * @module
 */
import { type Context, type Outcome, operation } from './operation.ts'
import { type TaskContext, task } from './task.ts'

/** What waits in a vault. */
export interface Gauges {
  /** Rotations that should have begun and have not, those that go on, those whose last run changed nothing. */
  rotations: { due: number; running: number; failed: number; frozen: number }
  /** When a rotation that does not run begins next, or should have; `null` when none does by itself. */
  nextRotationAt: number | null
  /** Requests for approval that are open. */
  approvals: number
  /** Rows that a move to the newest term of the key has still to look at, or could not move: an upper bound. */
  rewrap: number
}

/** Counts, for the process that the vault is in. */
export const countGauges = task({
  resource: () => 'gauges',
  run: (context: TaskContext, _: Record<never, never>): Outcome<Gauges> => ({ value: gaugesOf(context), quiet: true }),
})

/** The same for who asks. Not recorded: it is asked every few seconds, and names nothing. */
export const showGauges = operation({
  action: 'admin',
  resource: () => 'metrics',
  binds: 'nothing',
  run: (context: Context, _: Record<never, never>): Outcome<Gauges> => ({ value: gaugesOf(context), quiet: true }),
})

/** What several vaults have together. */
export function totalOf(all: readonly Gauges[]): Gauges {
  const sum = (of: (gauges: Gauges) => number) => all.reduce((total, gauges) => total + of(gauges), 0)
  const next = all.flatMap(({ nextRotationAt }) => (nextRotationAt === null ? [] : [nextRotationAt]))
  return {
    rotations: {
      due: sum(({ rotations }) => rotations.due),
      running: sum(({ rotations }) => rotations.running),
      failed: sum(({ rotations }) => rotations.failed),
      frozen: sum(({ rotations }) => rotations.frozen),
    },
    nextRotationAt: next.length === 0 ? null : Math.min(...next),
    approvals: sum(({ approvals }) => approvals),
    rewrap: sum(({ rewrap }) => rewrap),
  }
}

function gaugesOf({ rotations, approvals, keys, now }: Pick<TaskContext, 'rotations' | 'approvals' | 'keys' | 'now'>) {
  const { nextAt: nextRotationAt, ...counted } = rotations.count(now)
  return { rotations: counted, nextRotationAt, approvals: approvals.waiting(now), rewrap: keys.remaining() }
}
