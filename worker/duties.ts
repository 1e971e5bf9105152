/**
 * The duties of a vault's upkeep, in the order in which they are done.
 *
 * @module
 */
import { retentionDaysOf, type Settings } from '../core/settings.ts'
import type { TaskOutput } from '../core/tasks.ts'
import { signHead } from './checkpoint.ts'
import { noticing } from './notices.ts'
import { publication } from './publication.ts'
import { rekeying } from './rekeying.ts'
import { rotation } from './rotation.ts'
import { SINK, shipping } from './shipping.ts'
import type { Duty } from './upkeep.ts'

const DAY_MS = 24 * 60 * 60_000
/** How often the age of entries is looked at. */
const LOOK_MS = DAY_MS / 2

/** Erases entries of the log that are past their retention: announced first, and signed. */
const retention: Duty = {
  name: 'retention',
  afterWriteMs: null,
  async run(desk) {
    const { sinkUrl } = desk.settings.audit
    const sink = sinkUrl === undefined ? null : await desk.perform('delivery.find', { target: SINK })
    const shipped = sinkUrl === undefined ? null : (sink?.mark ?? 0)
    const keepMs = retentionDaysOf(desk.settings) * DAY_MS
    const announced = await desk.perform('retention.announce', { keepMs, shipped })
    if (announced === null) return Date.now() + LOOK_MS
    await signHead(await desk.perform('audit.head', {}), desk, (signed) => desk.perform('audit.sign', signed))
    while (!(await desk.perform('retention.prune', {})).done);
    // What one look found may not have been all.
    return Date.now()
  },
}

/** Erases versions that the policy of a vault keeps no longer. */
export const versions: Duty = {
  name: 'versions',
  afterWriteMs: null,
  wokenBy: ({ operation }) => operation === 'policy.put',
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

/** Every duty that these settings ask for. */
export function dutiesOf({ audit }: Settings, hasAnchors: boolean): Duty[] {
  const afterWriteMs = audit.publishSeconds * 1000
  return [
    ...(hasAnchors || audit.witnesses.length > 0 ? [publication(afterWriteMs)] : []),
    ...(audit.sinkUrl === undefined ? [] : [shipping(afterWriteMs)]),
    rotation,
    noticing,
    rekeying,
    versions,
    retention,
  ]
}
