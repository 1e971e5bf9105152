/**
 * The duties of a vault's upkeep, in the order in which they are done.
 *
 * @module
 */
import { retentionDaysOf } from '../core/settings.ts'
import type { TaskOutput } from '../core/tasks.ts'
import { signHead } from './checkpoint.ts'
import { rotation } from './rotation.ts'
import type { Desk, Duty } from './upkeep.ts'

const DAY_MS = 24 * 60 * 60_000
/** How often the age of entries is looked at. */
const LOOK_MS = DAY_MS / 2

/** Erases entries of the log that are past their retention: announced first, and signed. */
export const retention: Duty = {
  name: 'retention',
  afterWriteMs: null,
  async run(desk) {
    const keepMs = retentionDaysOf(desk.settings) * DAY_MS
    const announced = await desk.perform('retention.announce', { keepMs, shipped: null })
    if (announced === null) return Date.now() + LOOK_MS
    await checkpoint(desk)
    while (!(await desk.perform('retention.prune', {})).done);
    // What one look found may not have been all.
    return Date.now()
  },
}

/** Erases versions that the policy of a vault keeps no longer. */
export const versions: Duty = {
  name: 'versions',
  afterWriteMs: null,
  wokenBy: ['policy.put'],
  async run(desk) {
    for (let after: number | null = 0; after !== null; ) {
      const found: TaskOutput<'versions.find'> = await desk.perform('versions.find', { after })
      for (const name of found.names) {
        while ((await desk.perform('versions.prune', { name })).versions.length > 0);
      }
      after = found.after
    }
    return Date.now() + LOOK_MS
  },
}

/** Signs the head of the log, when it moved. */
async function checkpoint(desk: Desk): Promise<string> {
  return signHead(await desk.perform('audit.head', {}), desk, (signed) => desk.perform('audit.sign', signed))
}

/** Every duty that these settings ask for. */
export function dutiesOf(): Duty[] {
  return [rotation, versions, retention]
}
