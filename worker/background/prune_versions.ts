/**
 * Erases versions of secrets past their retention.
 *
 * @module
 */
import { DAY_MS } from '../../core/durations.ts'
import type { TaskOutput } from '../../core/vault/task_table.ts'
import type { Job } from './scheduler.ts'

/** How often the age of versions is checked. */
const LOOK_MS = DAY_MS / 2

/** Erases versions past the retention of the vault's value policy. */
export const pruneVersions: Job = {
  name: 'versions',
  afterWriteMs: null,
  triggeredBy: ({ operation }) => operation === 'policy.put',
  async run(services) {
    for (let after: number | null = 0; after !== null; ) {
      const found: TaskOutput<'versions.find'> = await services.perform('versions.find', { after })
      for (const name of found.names) {
        while ((await services.perform('versions.prune', { name })).versions.length > 0);
      }
      after = found.after
    }
    return Date.now() + LOOK_MS
  },
}
