/**
 * Running a command in a terminal with secrets in its environment.
 *
 * The terminal's own options hold an address, good once; the command fetches its values there. So nothing that other
 * extensions can read of a terminal, and nothing that the editor keeps of it, has a value in it.
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
import { environmentOf, snapshotOf } from './process_environment.ts'

interface Services {
  log: OutputLog
  leases: Leases
  localMachine: LocalMachine
}

export function registerTerminals(services: Services): vscode.Disposable {
  // Offered again in this window; a command line may hold what is nobody's business, so it is not kept.
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

/** The same shell from the terminal's own menu. */
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

/** What makes a terminal in which a command fetches its values. */
async function terminalFor(
  services: Services,
  document: vscode.TextDocument,
  command: string,
): Promise<vscode.TerminalOptions> {
  const { t } = vscode.l10n
  const machine = services.localMachine.at(document.uri)
  const snapshot = snapshotOf(document)
  await confirmLoaders(snapshot)
  const { values, secrets } = await environmentOf(services.leases, snapshot)
  const { script, node, environment } = await machine.handOver(values)
  const folder = vscode.workspace.getWorkspaceFolder(document.uri)?.uri
  services.log.info('run', { secrets: secrets.length })
  return {
    name: t('with secrets: {0}', command.slice(0, 40)),
    iconPath: new vscode.ThemeIcon('shield'),
    shellPath: node,
    // A shell ends when its user wants it to; a command's output is to be read.
    shellArgs:
      command === userShell()
        ? [script, command]
        : [script, command, t('Exited with code {0}. Press any key to close')],
    env: environment,
    ...(folder && { cwd: folder }),
    // Not brought back with the window: its output may hold what the command printed.
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
    // A terminal that ends meanwhile hides the panel, which takes the focus: what was typed would be gone without a word.
    ignoreFocusOut: true,
  })
  if (command === undefined || command.trim() === '') throw new vscode.CancellationError()
  return command
}
