/**
 * The start of the extension, the same in every host. Nothing is awaited, and no server is asked.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { registerEnvKeys } from './edit/env_keys.ts'
import { registerInsert } from './edit/insert.ts'
import { registerMoveToVault } from './edit/move_to_vault.ts'
import { registerPaste } from './edit/paste.ts'
import { HydratedDocuments, registerHydration } from './hydration/documents.ts'
import { registerInlayHints } from './hydration/inlay_hints.ts'
import { registerCompletion } from './language/completion.ts'
import { registerDiagnostics } from './language/diagnostics.ts'
import { registerHover } from './language/hover.ts'
import { IgnoredFindings } from './language/ignored_findings.ts'
import { registerLanguageModelTools } from './language_model_tools.ts'
import type { Platform } from './platform/platform.ts'
import { Consents, registerConsents } from './run/consent.ts'
import { registerDebugging } from './run/debug.ts'
import { registerInputCommand } from './run/input_command.ts'
import { accountsOf } from './run/process_environment.ts'
import { registerTasks } from './run/tasks.ts'
import { registerTerminals } from './run/terminal.ts'
import { registerWriteEnvFile } from './run/write_env_file.ts'
import type { Parts } from './services.ts'
import { keyedHash } from './shared/keyed_hash.ts'
import { openOutputLog } from './shared/output_log.ts'
import { KnownValues } from './values/known_values.ts'
import { registerReveal } from './values/reveal.ts'
import { Accounts } from './vaults/authentication_provider.ts'
import { registerVaultCommands } from './vaults/commands.ts'
import { Vaults } from './vaults/vaults.ts'
import { AuditLogView } from './views/audit_log_view.ts'
import { registerProviderViews } from './views/provider_views.ts'
import { registerSecretsTree } from './views/secrets_tree.ts'
import { StatusBar } from './views/status_bar.ts'

/** Registers every feature. */
export function start(context: vscode.ExtensionContext, platform: Platform): void {
  const log = openOutputLog()
  const vaults = new Vaults(context.secrets, platform)
  const accounts = new Accounts(vaults, platform)
  const parts: Parts = { context, platform, log, vaults, accounts, known: new KnownValues() }
  const hydrations = new HydratedDocuments(parts)
  const status = new StatusBar(parts)
  const hash = keyedHash(context.secrets)
  const ignored = new IgnoredFindings(context.workspaceState, hash)
  const consents = new Consents(context.workspaceState, hash, (snapshot) => accountsOf(vaults, snapshot))
  context.subscriptions.push(
    log,
    vaults,
    accounts,
    status,
    new AuditLogView(parts, status),
    registerVaultCommands(parts),
    registerHydration(parts, hydrations),
    registerReveal(parts, hydrations),
    registerInlayHints(parts, hydrations),
    registerInsert(parts),
    registerTerminals(parts),
    registerInputCommand(parts),
    registerConsents(parts, consents),
    registerTasks(parts, consents),
    registerDebugging(parts, consents),
    registerCompletion(parts),
    registerHover(parts, hydrations),
    registerDiagnostics(parts, hydrations, ignored),
    registerMoveToVault(parts, ignored),
    registerPaste(parts, ignored),
    registerEnvKeys(),
    registerSecretsTree(parts, hydrations),
    registerProviderViews(parts),
    registerLanguageModelTools(parts),
    registerWriteEnvFile(parts),
  )
}
