/**
 * Starts the extension in the same way in every host, without awaiting anything or sending a request.
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
import { LocalMachine } from './run/local_machine.ts'
import { accountsOf } from './run/process_environment.ts'
import { registerTasks } from './run/tasks.ts'
import { registerTerminals } from './run/terminal.ts'
import { registerWriteEnvFile } from './run/write_env_file.ts'
import { keyedHash } from './shared/keyed_hash.ts'
import { openOutputLog } from './shared/output_log.ts'
import { KnownValues } from './values/known_values.ts'
import { Leases } from './values/lease.ts'
import { registerReveal } from './values/reveal.ts'
import { Accounts } from './vaults/authentication_provider.ts'
import { registerVaultCommands } from './vaults/commands.ts'
import { Vaults } from './vaults/vaults.ts'
import { AuditLogView } from './views/audit_log_view.ts'
import { registerProviderViews } from './views/provider_views.ts'
import { registerSecretsTree } from './views/secrets_tree.ts'
import { StatusBar } from './views/status_bar.ts'

/** Registers every feature. Only this function knows all services. */
export function start(context: vscode.ExtensionContext, platform: Platform): void {
  const { extension, globalState, secrets, workspaceState } = context
  const log = openOutputLog()
  const vaults = new Vaults(secrets, platform)
  const accounts = new Accounts(vaults, platform)
  const known = new KnownValues()
  const leases = new Leases({ vaults, known })
  const localMachine = new LocalMachine(platform, extension)
  const hash = keyedHash(secrets)
  const ignored = new IgnoredFindings(workspaceState, hash)
  const consents = new Consents(workspaceState, hash, (snapshot) => accountsOf(vaults, snapshot))
  const hydrations = new HydratedDocuments({ log, leases })
  const status = new StatusBar({ vaults, localMachine })
  const running = { log, leases, localMachine }
  context.subscriptions.push(
    ...[log, vaults, accounts, status],
    new AuditLogView({ log, vaults, globalState }, status),
    registerVaultCommands({ log, vaults, accounts }),
    registerHydration({ log }, hydrations),
    registerReveal({ log, leases }, hydrations),
    registerInlayHints({ vaults }, hydrations),
    registerInsert({ log, vaults, leases }),
    registerTerminals(running),
    registerInputCommand(running),
    registerConsents({ log }, consents),
    registerTasks(running, consents),
    registerDebugging(running, consents),
    registerCompletion({ vaults }),
    registerHover({ vaults }, hydrations),
    registerDiagnostics({ log, vaults, platform }, hydrations, ignored),
    registerMoveToVault({ log, vaults, known }, ignored),
    registerPaste({ known }, ignored),
    registerEnvKeys(),
    registerSecretsTree({ log, vaults }, hydrations),
    registerProviderViews({ vaults }),
    registerLanguageModelTools({ ...running, vaults }),
    registerWriteEnvFile({ ...running, platform, workspaceState }),
  )
}
