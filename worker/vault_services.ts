/**
 * The services that work on one vault is done with, by jobs and when the vault is opened: the edge's keys, settings and
 * network, and a way to have the vault run its tasks.
 *
 * @module
 */
import type { Keyring } from '../core/crypto/keyring.ts'
import type { Reason } from '../core/errors.ts'
import type { Fetch } from '../core/http/send.ts'
import type { ProviderRegistry } from '../core/provider_registry/registry.ts'
import type { ReadFile } from '../core/providers/credential_file.ts'
import type { Settings } from '../core/settings/settings.ts'
import type { Anchor } from '../core/tlog/anchor.ts'
import { type Answer, unwrap } from '../core/vault/rpc.ts'
import type { TaskInput, TaskName, TaskOutput } from '../core/vault/task_table.ts'
import type { BackupStore } from './background/backup_store.ts'

/** The services of one vault. */
export interface VaultServices {
  /** The vault's id. */
  vault: string
  settings: Settings
  keyring: Keyring
  /** Where the newest checkpoint is kept, apart from the store. */
  anchors: readonly Anchor[]
  registry: ProviderRegistry
  /** Reads the files of credentials; `undefined` where there are none. */
  readFile?: ReadFile
  /** Replaces the fetch of the platform: with a proxy, and with the authorities of the operator. */
  fetch?: Fetch | undefined
  /** Where backups of the store are kept; `undefined` without backups. */
  backupStore?: BackupStore
  /** Stops serving the vault, because its log is not what it should be. */
  quarantine(reason: Reason): void
  /** Tells the scheduler that something was written. */
  notifyWrite(): void
  /**
   * Runs a task of the vault.
   *
   * @throws {PosternError} the vault's refusal.
   */
  perform<K extends TaskName>(task: K, input: TaskInput<K>): Promise<TaskOutput<K>>
}

/** Makes {@link VaultServices.perform} of the vault's own method, which answers with a refusal where this one throws. */
export function performer(
  perform: (task: TaskName, input: never, now: number) => Answer | Promise<Answer>,
): VaultServices['perform'] {
  return async (task, input) => unwrap((await perform(task, input as never, Date.now())) as Answer<never>).value
}
