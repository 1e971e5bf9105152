/**
 * What the extension's features share.
 *
 * @module
 */
import type * as vscode from 'vscode'
import type { Platform } from './platform/platform.ts'
import type { OutputLog } from './shared/output_log.ts'
import type { KnownValues } from './values/known_values.ts'
import type { Accounts } from './vaults/authentication_provider.ts'
import type { Vaults } from './vaults/vaults.ts'

/** Made once, at the start. */
export interface Parts {
  context: vscode.ExtensionContext
  platform: Platform
  log: OutputLog
  vaults: Vaults
  accounts: Accounts
  known: KnownValues
}
