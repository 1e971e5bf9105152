/**
 * Deliveries of a vault, and how far each has come: entries to a sink, checkpoints to anchors and witnesses.
 *
 * @module
 */
import type { Outcome } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { task } from '../task.ts'
import type { Delivery } from './delivery_store.ts'

/** Finds how far a target has come. */
export const findDelivery = task({
  resource: () => 'audit',
  run: ({ deliveries }: Stores, { target }: { target: string }): Outcome<Delivery | null> => ({
    value: deliveries.find(target),
    unrecorded: true,
  }),
})

/** The result of a delivery: how far it came, or why it failed. */
export type DeliveryReport = { target: string } & ({ mark: number } | { failure: string })

/**
 * Stores the result of a delivery. Only a change is recorded, when a target starts to fail or recovers: an entry for
 * each delivery would itself need a delivery.
 */
export const reportDelivery = task({
  securityEvent: true,
  resource: () => 'audit',
  resourceFacts: ({ target }: DeliveryReport) => ({ target }),
  run({ deliveries, now }, report: DeliveryReport): Outcome<Delivery> {
    const { target } = report
    const before = deliveries.find(target) ?? { target, mark: 0, deliveredAt: null, failure: null, failingSince: null }
    const failing = 'failure' in report
    const after: Delivery = failing
      ? { ...before, failure: report.failure, failingSince: before.failingSince ?? now }
      : // The mark never goes back: a late report must not cause entries to be sent twice.
        { target, mark: Math.max(before.mark, report.mark), deliveredAt: now, failure: null, failingSince: null }
    deliveries.put(after)
    const { mark, failure } = after
    const facts = { mark, failure, since: before.failingSince && new Date(before.failingSince).toISOString() }
    return failing === (before.failure !== null) ? { value: after, unrecorded: true } : { value: after, facts }
  },
})
