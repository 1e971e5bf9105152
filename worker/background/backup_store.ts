import type { TreeHead } from '../../core/tlog/merkle.ts'

/** A copy of a store that is no backup yet. */
export interface StoreCopy {
  /** The head of the log in it, read from it. */
  head: TreeHead
  bytes: number
  /** Gives it its name for good, with its checkpoint beside it. @returns The name. */
  keep(checkpoint: string, now: number): string
  discard(): void
}

/** A backup that is kept, whichever server made it. */
export interface KeptBackup {
  file: string
  /** When it was made by the clock of then, in milliseconds since the Unix epoch. */
  at: number
  /** The number of entries in its log. */
  size: number
}

/** Where copies of one vault's store are kept. */
export interface BackupStore {
  /** Whether a backup was asked for. */
  isRequested(): boolean
  /** Copies the store as it is now. */
  copy(): Promise<StoreCopy>
  /** Every backup of a vault with this id: others may keep theirs in the same place. */
  list(): KeptBackup[]
  /** The checkpoint beside a backup; `null` when there is none. */
  checkpoint(file: string): string | null
  remove(file: string): void
}
