/**
 * What can be asked of a vault's log.
 *
 * @module
 */
import { type Outcome, operation } from '../operation.ts'
import type { Entry, TreeHead } from './log.ts'

export const readEntries = operation({
  action: 'admin',
  resource: () => 'audit',
  // The head is that of before this very request is recorded: it covers the entries shown.
  run({ log }, { from, limit }: { from: number; limit: number }): Outcome<{ head: TreeHead; entries: Entry[] }> {
    const entries = log.entries(from, limit)
    return { value: { head: log.head(), entries }, facts: { from, count: entries.length } }
  },
})
