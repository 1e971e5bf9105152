/**
 * The start of the extension, the same in every host. Nothing is awaited, and no server is asked.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { Accounts } from './account.ts'
import { registerCommands } from './commands.ts'
import { registerDebugging } from './debug.ts'
import { registerHints } from './hints.ts'
import { Hydrations, registerHydration } from './hydrated.ts'
import { registerInsert } from './insert.ts'
import { Known } from './known.ts'
import { openLog } from './log.ts'
import type { Parts } from './parts.ts'
import type { Platform } from './platform/platform.ts'
import { registerReveal } from './reveal.ts'
import { registerRun } from './run.ts'
import { Status } from './status.ts'
import { registerTasks } from './tasks.ts'
import { Vaults } from './vaults.ts'

/** Registers every feature. */
export function start(context: vscode.ExtensionContext, platform: Platform): void {
  const log = openLog()
  const vaults = new Vaults(context.secrets, platform)
  const accounts = new Accounts(vaults, platform)
  const parts: Parts = { context, platform, log, vaults, accounts, known: new Known() }
  const hydrations = new Hydrations(parts)
  context.subscriptions.push(
    log,
    vaults,
    accounts,
    new Status(parts),
    registerCommands(parts),
    registerHydration(parts, hydrations),
    registerReveal(parts, hydrations),
    registerHints(parts, hydrations),
    registerInsert(parts),
    registerRun(parts),
    registerTasks(parts),
    registerDebugging(parts),
  )
}
