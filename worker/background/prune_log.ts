/**
 * Erases log entries past their retention.
 *
 * @module
 */
import { DAY_MS } from '../../core/durations.ts'
import { retentionDaysOf } from '../../core/settings/settings.ts'
import { sleep } from '../../core/sleep.ts'
import { NOTICE_MS } from '../../core/vault/audit/log_retention.ts'
import { signHead } from '../integrity/sign_checkpoint.ts'
import { targetsOf } from './publish_checkpoints.ts'
import type { Job } from './scheduler.ts'
import { sinkOf } from './ship_log.ts'

/** How often the age of entries is checked. */
const LOOK_MS = DAY_MS / 2

/** Erases log entries past their retention, a day after it announced the erasure in the log and signed that. */
export const pruneLog: Job = {
  name: 'retention',
  afterWriteMs: null,
  async run(services) {
    const keepMs = retentionDaysOf(services.settings) * DAY_MS
    const announced = await services.perform('retention.announce', {
      keepMs,
      targets: [...sinkOf(services), ...targetsOf(services)],
    })
    if (announced === null) return Date.now() + LOOK_MS
    await signHead(await services.perform('audit.head', {}), services, (signed) =>
      services.perform('audit.sign', signed),
    )
    const due = announced.announcedWhen + NOTICE_MS
    if (Date.now() < due) return due
    // Requests have their turn between two steps.
    while (!(await services.perform('retention.prune', {})).done) await sleep()
    // One announcement may not cover all that is past its retention.
    return Date.now() + 1000
  },
}
