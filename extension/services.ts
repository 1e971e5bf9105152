/**
 * What the extension's features share.
 *
 * @module
 */
import type * as vscode from 'vscode'
import type { Platform } from './platform/platform.ts'
import type { Log } from './shared/output_log.ts'
import type { Known } from './values/known_values.ts'
import type { Accounts } from './vaults/authentication_provider.ts'
import type { Vaults } from './vaults/vaults.ts'

/** Made once, at the start. */
export interface Parts {
  context: vscode.ExtensionContext
  platform: Platform
  log: Log
  vaults: Vaults
  accounts: Accounts
  known: Known
}
