/**
 * Where backups of a vault's store are kept: the port of the job that makes them.
 *
 * @module
 */
import type { TreeHead } from '../../core/tlog/merkle.ts'

/** A copy of a store that is not a backup yet. */
export interface StoreCopy {
  /** The head of its log, read from the copy. */
  head: TreeHead
  bytes: number
  /** Makes it a backup, with its checkpoint beside it. @param now Milliseconds since the Unix epoch. @returns Its name. */
  keep(checkpoint: string, now: number): string
  discard(): void
}

/** A backup, made by any server. */
export interface KeptBackup {
  file: string
  /** When it was made, by the clock of that time, in milliseconds since the Unix epoch. */
  at: number
  /** The number of entries in its log. */
  size: number
}

/** The backups of one vault's store. */
export interface BackupStore {
  /** Whether a backup was requested and not made yet. */
  isRequested(): boolean
  /** Copies the store as it is now. */
  copy(): Promise<StoreCopy>
  /** The backups of all vaults with this id: other servers may keep theirs in the same place. */
  list(): KeptBackup[]
  /** The checkpoint beside a backup; `null` when there is none. */
  checkpoint(file: string): string | null
  remove(file: string): void
}
