import type { TreeHead } from '../core/audit/log.ts'

/** A copy of a store that is no backup yet. */
export interface Copy {
  /** The head of the log in it, read from it. */
  head: TreeHead
  bytes: number
  /** Gives it its name for good, with its checkpoint beside it. @returns The name. */
  keep(checkpoint: string, now: number): string
  discard(): void
}

/** Where copies of one vault's store are kept. */
export interface Archive {
  /** When the next is due, in milliseconds since the Unix epoch; `Infinity` when none is. */
  dueAt(): number
  /** Copies the store as it is now. */
  copy(): Promise<Copy>
  /** Removes the oldest of too many. */
  prune(): void
}
