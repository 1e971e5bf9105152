/**
 * Runs a command in a terminal with secrets in its environment.
 *
 * The options of the terminal hold a single-use address, from which the command fetches its values. So no value is in anything
 * that other extensions can read about a terminal, or that the editor stores about it.
 *
 * @module
 */
import * as vscode from 'vscode'
import { envDocument } from '../hydration/documents.ts'
import { command, explained } from '../shared/command.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Leases } from '../values/lease.ts'
import { confirmLoaders } from './consent.ts'
import type { LocalMachine } from './local_machine.ts'
import { runEnvironmentOf, snapshotOf } from './process_environment.ts'

interface Services {
  log: OutputLog
  leases: Leases
  localMachine: LocalMachine
}

/** Registers the commands, and the terminal profile, that start programs with secrets. */
export function registerTerminals(services: Services): vscode.Disposable {
  // The next prompt in this window suggests the last command. A command line can be confidential, so it is not stored.
  let last = ''
  const run = async (given: unknown, commandLine?: string) => {
    services.localMachine.at()
    const active = vscode.window.activeTextEditor?.document.uri
    const document = await envDocument(given instanceof vscode.Uri ? given : active)
    last = commandLine ?? (await askCommand(document, last))
    await runInTerminal(services, document, last)
  }
  return vscode.Disposable.from(
    command(services.log, 'postern.runInTerminal', (given) => run(given)),
    command(services.log, 'postern.newShell', (given) => run(given, userShell())),
    vscode.window.registerTerminalProfileProvider('postern.shell', {
      provideTerminalProfile: () => shellProfile(services),
    }),
  )
}

/** Makes the profile for a shell with secrets, which the editor's terminal menu offers. */
function shellProfile(services: Services): Promise<vscode.TerminalProfile | undefined> {
  return explained(services.log, 'profile', async () => {
    services.localMachine.at()
    const document = await envDocument(vscode.window.activeTextEditor?.document.uri)
    const options = await terminalFor(services, document, userShell())
    const name = vscode.l10n.t('secrets of {0}', vscode.workspace.asRelativePath(document.uri))
    return new vscode.TerminalProfile({ ...options, name })
  })
}

function userShell(): string {
  const { shell } = vscode.env
  return shell === '' ? 'sh' : `"${shell}"`
}

async function runInTerminal(services: Services, document: vscode.TextDocument, command: string): Promise<void> {
  const terminal = vscode.window.createTerminal(await terminalFor(services, document, command))
  terminal.show()
}

/** Makes the options of a terminal in which a command fetches its values. */
async function terminalFor(
  services: Services,
  document: vscode.TextDocument,
  command: string,
): Promise<vscode.TerminalOptions> {
  const { t } = vscode.l10n
  const machine = services.localMachine.at(document.uri)
  const snapshot = snapshotOf(document)
  await confirmLoaders(snapshot)
  const { values, secrets } = await runEnvironmentOf(services.leases, snapshot, machine)
  const { script, node, environment } = await machine.handOver(values)
  const folder = vscode.workspace.getWorkspaceFolder(document.uri)?.uri
  services.log.info('run', { secrets: secrets.length })
  return {
    name: t('with secrets: {0}', command.slice(0, 40)),
    iconPath: new vscode.ThemeIcon('shield'),
    shellPath: node,
    // The user ends a shell. After a command, the terminal waits for a key, so that the user can read the output.
    shellArgs:
      command === userShell()
        ? [script, command]
        : [script, command, t('Exited with code {0}. Press any key to close')],
    env: environment,
    ...(folder && { cwd: folder }),
    // The editor must not restore the terminal with the window, because the command may have printed values.
    isTransient: true,
  }
}

async function askCommand(document: vscode.TextDocument, last: string): Promise<string> {
  const { t } = vscode.l10n
  const command = await vscode.window.showInputBox({
    title: t('Run with the secrets of {0}', vscode.workspace.asRelativePath(document.uri)),
    prompt: t('Only the command receives the values, in its environment'),
    placeHolder: 'npm start',
    value: last,
    // If a terminal ends while the prompt is open, the panel closes and takes the focus. The prompt would close and lose its text.
    ignoreFocusOut: true,
  })
  if (command === undefined || command.trim() === '') throw new vscode.CancellationError()
  return command
}
