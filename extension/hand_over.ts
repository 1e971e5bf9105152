/**
 * `${input:…}` in `launch.json` and `tasks.json`: a place to fetch values from, never a value.
 *
 * Whatever an input resolves to can be read by every extension while its session or task runs, and a task's environment
 * is kept with its terminal. So the command gives an address that answers once, within half a minute, to the program that
 * `postern.launcher` names. Any extension can call a command: the user is asked each time.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../core/errors.ts'
import { envFileOf, environmentOf, parseInjection } from './environment.ts'
import { complain } from './hindrance.ts'
import { machineOf } from './local_machine.ts'
import type { Parts } from './parts.ts'
import { parseEnv } from './text/dotenv.ts'

export function registerHandOver(parts: Parts): vscode.Disposable {
  const on = (command: string, work: (given: unknown) => Promise<string>) =>
    vscode.commands.registerCommand(command, async (given?: unknown) => {
      try {
        return await work(given)
      } catch (error) {
        parts.log.failed(command, error)
        complain(error)
        // Of an input that gives nothing the editor starts nothing, and says no word of its own about it.
        return undefined
      }
    })
  return vscode.Disposable.from(
    on('postern.handOver', (given) => handOver(parts, given)),
    on('postern.launcher', async () => machineOf(parts).launcher),
  )
}

async function handOver(parts: Parts, given: unknown): Promise<string> {
  const { t } = vscode.l10n
  const folder = vscode.workspace.workspaceFolders?.[0]
  const injection = parseInjection(given ?? {})
  if (injection === null || folder === undefined) {
    throw new PosternError('bad_request', t('The input may have args with envFile, keys and environment'))
  }
  const machine = machineOf(parts, folder.uri)
  const document = await envFileOf(folder, injection)
  const keys = injection.keys ?? referencedKeys(document)
  const yes = t('Hand Over')
  const question = t('Hand over the secrets of {0} to a program?', vscode.workspace.asRelativePath(document.uri))
  const asks = t('A task or a launch configuration asks for {0}.', keys.join(', '))
  const detail = `${asks} ${t('It is told where to fetch them, once and within 30 seconds. Go on only if you just started it.')}`
  const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)
  if (answer !== yes) throw new vscode.CancellationError()
  const { values } = await environmentOf(parts, document, injection)
  return (await machine.handOver(values)).address
}

function referencedKeys(document: vscode.TextDocument): string[] {
  const { entries } = parseEnv(document.getText())
  return entries.filter(({ value }) => value.startsWith('postern://')).map(({ key }) => key)
}
