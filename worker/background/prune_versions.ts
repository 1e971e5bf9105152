import { DAY_MS } from '../../core/durations.ts'
import type { TaskOutput } from '../../core/vault/task_table.ts'
import type { Duty } from './scheduler.ts'

/** How often the age of versions is looked at. */
const LOOK_MS = DAY_MS / 2

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
