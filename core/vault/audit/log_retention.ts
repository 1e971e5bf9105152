/**
 * Retention: the log forgets what is old, and stays verifiable (C2SP tlog-tiles, section "Pruning").
 *
 * The log has a minimum index, a multiple of 256. Entries below it are gone, and of their hashes only those of
 * whole tiles are left: enough for every proof about what is kept. It moves in two steps. First an entry announces
 * how far it is to go; once a signed checkpoint covers that entry, what it announced is erased.
 *
 * @module
 */

import { DAY_MS } from '../../durations.ts'
import { type Outcome, operation } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { task } from '../task.ts'
import type { AnnouncedErasure, LogRetention } from './retention_store.ts'

/** How many bundles of 256 entries one transaction erases, so that no request waits long for it. */
const BUNDLES_A_STEP = 8

/**
 * How long announced entries still stay: an operator has that time to notice a wrong clock or setting and to place a
 * hold.
 */
export const NOTICE_MS = DAY_MS

/**
 * Finds the entries older than `keepMs`, and announces their erasure.
 *
 * @returns `null` when there is nothing to erase now.
 */
export const announceRetention = task({
  resource: () => 'audit',
  securityEvent: true,
  run(
    { log, retention, deliveries, now },
    { keepMs, targets }: { keepMs: number; targets: string[] },
  ): Outcome<AnnouncedErasure | null> {
    const { min, announced, announcedAt, announcedWhen, hold } = retention.current()
    if (hold !== null) return { value: null, unrecorded: true }
    if (announced > min) return { value: { announced, announcedAt, announcedWhen }, unrecorded: true }
    // An entry stays until the sink has it and an anchor covers it.
    const elsewhere = targets.map((target) => deliveries.find(target)?.mark ?? 0)
    const to = retention.expired(now - keepMs, Math.min(log.size, ...elsewhere))
    if (to === min) return { value: null, unrecorded: true }
    // Where the entry about it will be: it is appended next, in this transaction.
    const next = { announced: to, announcedAt: log.size, announcedWhen: now }
    retention.announce(next)
    return { value: next, facts: { from: min, to, keepDays: keepMs / DAY_MS } }
  },
})

/** Erases some of what was announced, once it was for long enough. */
export const pruneLog = task({
  resource: () => 'audit',
  run({ retention, checkpoints, now }: Stores & { now: number }, _: Record<never, never>): Outcome<{ done: boolean }> {
    const { min, announced, announcedAt, announcedWhen, hold } = retention.current()
    if (hold !== null) return { reason: 'held' }
    const covered = (checkpoints.newest()?.size ?? 0) > announcedAt
    if (announced === min || !covered || now < announcedWhen + NOTICE_MS)
      return { value: { done: true }, unrecorded: true }
    const to = retention.prune(BUNDLES_A_STEP)
    return { value: { done: to === announced }, unrecorded: true }
  },
})

const onAudit = { action: 'admin', resource: () => 'audit' } as const

/** Places or ends a legal hold: no entry of the log is erased while it lasts. A hold withdraws an announced erasure. */
export const holdLog = operation({
  ...onAudit,
  securityEvent: true,
  // Binds the present hold: another hold may replace it before an approval to end it is used.
  approvalBinding: ({ retention }, { reason }: { reason: string | null }) => {
    const { hold, heldAt, heldBy } = retention.current()
    return { reason, before: hold === null ? null : { reason: hold, heldAt, heldBy } }
  },
  run({ retention, principal, now }, { reason }: { reason: string | null }): Outcome<LogRetention> {
    const before = retention.current()
    retention.hold(reason, principal, now)
    const takenBack = reason !== null && before.announced > before.min ? { takenBack: before.announced } : {}
    const { min } = before
    return { value: retention.current(), facts: { before: before.hold, after: reason, min, ...takenBack } }
  },
})
