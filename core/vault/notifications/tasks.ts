/**
 * Notifications: written in the transaction of their event, and sent to the webhook that the policy names until it
 * takes them.
 *
 * @module
 */
import { HOUR_MS } from '../../durations.ts'
import type { Outcome } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { type TaskContext, task } from '../task.ts'
import type { PendingNotification } from './store.ts'
import type { Webhook } from './webhook_store.ts'

/** How often one is tried: some days. */
const MAX_ATTEMPTS = 100
const FIRST_WAIT_MS = 5000
const LAST_WAIT_MS = HOUR_MS

/** Writes a notice down, if the policy names a hook for it. Call inside a transaction. */
export function notify(
  { policy, notices }: Pick<Stores, 'policy' | 'notices'>,
  notice: Pick<PendingNotification, 'type' | 'data'>,
  now: number,
): void {
  if (policy.get().notify !== null) notices.add(notice, now)
}

/** The next notice that is due, and where it goes; or when to look again. */
export interface NextNotification {
  notice: PendingNotification | null
  hook: Webhook | null
  nextAt: number | null
}

/** Hands out the next notification. A webhook that the policy no longer names receives none. */
export const nextNotification = task({
  resource: () => 'hooks',
  run({ policy, hooks, notices, now }: TaskContext, _: Record<never, never>): Outcome<NextNotification> {
    const { notify: id } = policy.get()
    const hook = id === null ? null : hooks.find(id)
    if (hook === null) notices.clear()
    return { value: { hook, notice: notices.due(now), nextAt: notices.nextAt() }, unrecorded: true }
  },
})

/** Stores that a notification was taken, or must be sent again. It is dropped after many attempts. */
export const settleNotification = task({
  resource: () => 'hooks',
  run({ notices, now }: TaskContext, { id, sent }: { id: number; sent: boolean }): Outcome<{ id: number }> {
    const attempts = notices.attemptsOf(id) + 1
    const settled = sent || attempts >= MAX_ATTEMPTS
    if (settled) notices.remove(id)
    else notices.putOff(id, attempts, now + Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempts, 20)))
    return { value: { id }, facts: { notice: id, sent, attempts }, ...(settled ? {} : { unrecorded: true as const }) }
  },
})
