/**
 * The start of the extension, the same in every host. Nothing is awaited, and no server is asked.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { registerKeys } from './edit/env_keys.ts'
import { registerInsert } from './edit/insert.ts'
import { registerStore } from './edit/move_to_vault.ts'
import { registerPaste } from './edit/paste.ts'
import { Hydrations, registerHydration } from './hydration/documents.ts'
import { registerHints } from './hydration/inlay_hints.ts'
import { registerCompletion } from './language/completion.ts'
import { registerDiagnostics } from './language/diagnostics.ts'
import { registerHover } from './language/hover.ts'
import { IgnoredFindings } from './language/ignored_findings.ts'
import { registerTools } from './language_model_tools.ts'
import type { Platform } from './platform/platform.ts'
import { Consents, registerConsents } from './run/consent.ts'
import { registerDebugging } from './run/debug.ts'
import { registerHandOver } from './run/input_command.ts'
import { accountsOf } from './run/process_environment.ts'
import { registerTasks } from './run/tasks.ts'
import { registerRun } from './run/terminal.ts'
import { registerEnvFile } from './run/write_env_file.ts'
import type { Parts } from './services.ts'
import { keyedHash } from './shared/keyed_hash.ts'
import { openLog } from './shared/output_log.ts'
import { Known } from './values/known_values.ts'
import { registerReveal } from './values/reveal.ts'
import { Accounts } from './vaults/authentication_provider.ts'
import { registerCommands } from './vaults/commands.ts'
import { Vaults } from './vaults/vaults.ts'
import { LogView } from './views/audit_log_view.ts'
import { registerHealthViews } from './views/provider_views.ts'
import { registerSecretsView } from './views/secrets_tree.ts'
import { Status } from './views/status_bar.ts'

/** Registers every feature. */
export function start(context: vscode.ExtensionContext, platform: Platform): void {
  const log = openLog()
  const vaults = new Vaults(context.secrets, platform)
  const accounts = new Accounts(vaults, platform)
  const parts: Parts = { context, platform, log, vaults, accounts, known: new Known() }
  const hydrations = new Hydrations(parts)
  const status = new Status(parts)
  const hash = keyedHash(context.secrets)
  const ignored = new IgnoredFindings(context.workspaceState, hash)
  const consents = new Consents(context.workspaceState, hash, (snapshot) => accountsOf(vaults, snapshot))
  context.subscriptions.push(
    log,
    vaults,
    accounts,
    status,
    new LogView(parts, status),
    registerCommands(parts),
    registerHydration(parts, hydrations),
    registerReveal(parts, hydrations),
    registerHints(parts, hydrations),
    registerInsert(parts),
    registerRun(parts),
    registerHandOver(parts),
    registerConsents(parts, consents),
    registerTasks(parts, consents),
    registerDebugging(parts, consents),
    registerCompletion(parts),
    registerHover(parts, hydrations),
    registerDiagnostics(parts, hydrations, ignored),
    registerStore(parts, ignored),
    registerPaste(parts, ignored),
    registerKeys(),
    registerSecretsView(parts, hydrations),
    registerHealthViews(parts),
    registerTools(parts),
    registerEnvFile(parts),
  )
}
