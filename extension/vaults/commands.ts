/**
 * Commands for accounts, servers and modes.
 *
 * @module
 */
import * as vscode from 'vscode'
import { environmentFor, environments, isPresenting, setPresenting } from '../settings.ts'
import { command } from '../shared/command.ts'
import { ExtensionError } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Accounts } from './authentication_provider.ts'
import { chooseEndpoint } from './authentication_provider.ts'
import type { SignedInVault, Vaults } from './vaults.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
  accounts: Accounts
}

/** Registers the commands for accounts, servers, the environment and presentation mode. */
export function registerVaultCommands(services: Services): vscode.Disposable {
  const { log } = services
  return vscode.Disposable.from(
    command(log, 'postern.signIn', () => signIn(services)),
    command(log, 'postern.signOut', () => signOut(services)),
    command(log, 'postern.enterCode', async () => services.accounts.enterCode(await chooseVault(services))),
    command(log, 'postern.selectEndpoint', selectEndpoint),
    command(log, 'postern.selectEnvironment', selectEnvironment),
    command(log, 'postern.refresh', () => refresh(services)),
    command(log, 'postern.showLog', () => log.show()),
    command(log, 'postern.togglePresentationMode', () => setPresenting(!isPresenting())),
  )
}

/** Signs in through the provider of the accounts menu, so that both show the same account. */
async function signIn(services: Services): Promise<void> {
  const { accountId } = await createSession(services)
  const message = vscode.l10n.t('Signed in as {0}', accountId)
  const insert = vscode.l10n.t('Insert Secret')
  void vscode.window.showInformationMessage(`Postern: ${message}`, insert).then((chosen) => {
    if (chosen === insert) void vscode.commands.executeCommand('postern.insertSecret')
  })
}

async function createSession({ accounts }: Services): Promise<{ accountId: string }> {
  const { account } = await accounts.createSession()
  return { accountId: account.label }
}

async function signOut(services: Services): Promise<void> {
  await services.accounts.removeSession((await chooseVault(services)).session.accessor)
}

/** Returns the vault for a command. Prompts if there are several. */
async function chooseVault({ vaults }: Services): Promise<SignedInVault> {
  const all = await vaults.all()
  if (all.length === 0) throw new ExtensionError('signed_out')
  if (all.length === 1) return all[0]!
  const items = all.map((vault) => ({ label: vault.principal, description: `${vault.id} · ${vault.origin}`, vault }))
  const picked = await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Which account?') })
  if (picked === undefined) throw new vscode.CancellationError()
  return picked.vault
}

async function selectEndpoint(): Promise<void> {
  const { alias } = await chooseEndpoint()
  await setForFolder('endpoint', alias)
}

async function selectEnvironment(): Promise<void> {
  const scope = vscode.window.activeTextEditor?.document.uri
  const current = environmentFor(scope)
  const items = environments(scope).map((label) => ({ label, ...(label === current && { description: '✓' }) }))
  const picked = await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Value of ${POSTERN_ENV}') })
  if (picked) await setForFolder('environment', picked.label)
}

async function setForFolder(key: string, value: string): Promise<void> {
  const { Workspace, Global } = vscode.ConfigurationTarget
  const target = vscode.workspace.workspaceFolders ? Workspace : Global
  await vscode.workspace.getConfiguration('postern').update(key, value, target)
}

/** Loads the names of every vault again. Fails if a server does not answer. */
async function refresh({ vaults }: Services): Promise<void> {
  for (const vault of await vaults.all()) vault.names.forget()
  vaults.reload()
  await Promise.all((await vaults.all()).map((vault) => vaults.call(vault, () => vault.names.names())))
}
