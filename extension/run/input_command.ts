/**
 * `${input:…}` in `launch.json` and `tasks.json`, which resolves to an address for the values and never to a value.
 *
 * Every extension can read what an input resolves to while its session or task runs, and a terminal keeps the environment of its
 * task. So the command returns an address that answers once, within 30 seconds, to the program that `postern.launcher` names. Any
 * extension can call a command, so Postern asks the user each time.
 *
 * @module
 */
import * as vscode from 'vscode'
import { command } from '../shared/command.ts'
import { requireFolder } from '../shared/folders.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Leases } from '../values/lease.ts'
import { notesOn, secretsIn } from './consent.ts'
import type { LocalMachine } from './local_machine.ts'
import { envFileOf, parseInjection, runEnvironmentOf, snapshotOf } from './process_environment.ts'

interface Services {
  log: OutputLog
  leases: Leases
  localMachine: LocalMachine
}

/** Registers the two commands that inputs can call: `postern.handOver` and `postern.launcher`. */
export function registerInputCommand(services: Services): vscode.Disposable {
  return vscode.Disposable.from(
    // VS Code does not pass the folder of the input.
    command(services.log, 'postern.handOver', (given) => handOver(services, given)),
    command(services.log, 'postern.launcher', () => services.localMachine.at().launcher),
  )
}

/**
 * Hands values over to the program of an input, once the user agrees.
 *
 * @param given The `args` of the input.
 * @param of The folder that defines the input. The user chooses among several folders if it is not given.
 * @returns An address that answers once.
 * @throws {vscode.CancellationError} when the user declines.
 */
export async function handOver(services: Services, given: unknown, of?: vscode.WorkspaceFolder): Promise<string> {
  const { t } = vscode.l10n
  const injection = parseInjection('args', given ?? {})
  const folder = of ?? (await requireFolder())
  const machine = services.localMachine.at(folder.uri)
  const snapshot = snapshotOf(await envFileOf(machine, folder, injection), injection)
  const yes = t('Hand Over')
  const question = t('Hand over the secrets of {0} to a program?', vscode.workspace.asRelativePath(snapshot.uri))
  const asks = t('A task or a launch configuration requests {0}.', secretsIn(snapshot).join(', '))
  const once = t('It can fetch them once, within 30 seconds. Continue only if you have just started it.')
  const detail = `${[asks, ...notesOn(snapshot)].join(' ')}\n\n${once}`
  const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)
  if (answer !== yes) throw new vscode.CancellationError()
  const { values } = await runEnvironmentOf(services.leases, snapshot, machine)
  return (await machine.handOver(values)).address
}
