/**
 * Debugging with secrets: `"postern": { "envFile": ".env", "keys": ["DB_URL"] }` in a launch configuration.
 *
 * Every extension can read a configuration while its session runs. A configuration for Node receives a single-use address, from
 * which the program fetches its values. Other debuggers can only take an environment. That requires `"inject": "env"` in the
 * block, and the user's consent each time.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'
import type { EnvironmentValues, Machine } from '../platform/platform.ts'
import { explained } from '../shared/command.ts'
import { requireFolder } from '../shared/folders.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Leases } from '../values/lease.ts'
import { type Consents, contentsOf } from './consent.ts'
import { handOver } from './input_command.ts'
import type { LocalMachine } from './local_machine.ts'
import { type EnvSnapshot, envFileOf, parseInjection, runEnvironmentOf, snapshotOf } from './process_environment.ts'

interface Services {
  log: OutputLog
  leases: Leases
  localMachine: LocalMachine
}

const NODE_TYPES = ['node', 'pwa-node']

/** Registers the provider that gives secrets to launch configurations. */
export function registerDebugging(services: Services, consents: Consents): vscode.Disposable {
  // On failure nothing starts, because a program without its secrets would fail later and less clearly.
  const orNothing = (work: () => Promise<vscode.DebugConfiguration>) => explained(services.log, 'debug', work)
  return vscode.debug.registerDebugConfigurationProvider('*', {
    resolveDebugConfiguration(folder, configuration) {
      if (folder === undefined || (vscode.workspace.workspaceFolders ?? []).length < 2) return configuration
      return orNothing(() => resolveInputs(services, folder, configuration))
    },
    resolveDebugConfigurationWithSubstitutedVariables(folder, configuration) {
      if (configuration.postern === undefined) return configuration
      return orNothing(() => resolveConfiguration(services, consents, folder, configuration))
    },
  })
}

/**
 * Resolves each `${input:…}` of our command before the editor does. The editor would call the command without the folder whose
 * `launch.json` defines the input.
 */
async function resolveInputs(
  services: Services,
  folder: vscode.WorkspaceFolder,
  configuration: vscode.DebugConfiguration,
): Promise<vscode.DebugConfiguration> {
  const before = JSON.stringify(configuration)
  let text = before
  for (const { id, args } of inputsOf(folder)) {
    const variable = JSON.stringify(`\${input:${id}}`).slice(1, -1)
    if (!text.includes(variable)) continue
    const address = JSON.stringify(await handOver(services, args, folder)).slice(1, -1)
    text = text.replaceAll(variable, () => address)
  }
  return text === before ? configuration : JSON.parse(text)
}

/** Lists the inputs for our command in a folder's own `launch.json`. They are hostile input, like all files of the folder. */
function inputsOf(folder: vscode.WorkspaceFolder): { id: string; args: unknown }[] {
  const own = vscode.workspace.getConfiguration('launch', folder.uri).inspect<unknown>('inputs')?.workspaceFolderValue
  return (Array.isArray(own) ? own : []).flatMap((one) => {
    const { id, type, command, args } = Object(one) as Record<string, unknown>
    return typeof id === 'string' && type === 'command' && command === 'postern.handOver' ? [{ id, args }] : []
  })
}

async function resolveConfiguration(
  services: Services,
  consents: Consents,
  given: vscode.WorkspaceFolder | undefined,
  { postern, ...configuration }: vscode.DebugConfiguration,
): Promise<vscode.DebugConfiguration> {
  const { t } = vscode.l10n
  // A configuration of the workspace, or of the user, has no folder.
  const injection = parseInjection('postern', postern)
  const folder = given ?? (await requireFolder())
  const machine = services.localMachine.at(folder.uri)
  const isNode = NODE_TYPES.includes(configuration.type)
  if (!isNode && postern.inject !== 'env') {
    const message = t(
      'the debugger {0} takes values only in a form that other extensions can read. To allow that, add "inject": "env" to the block "postern"',
      configuration.type,
    )
    throw new PosternError('bad_request', message)
  }
  const document = await envFileOf(machine, folder, injection)
  const { name } = configuration
  if (!isNode) {
    const snapshot = snapshotOf(document, injection)
    const values = await confirmed({ ...services, machine }, snapshot, name)
    return inEnvironment(configuration as vscode.DebugConfiguration, machine.fitting(values))
  }
  const definition = { postern, ...configuration }
  const wish = { folder, document, injection, name, runs: commandLine(configuration), definition }
  const { values } = await runEnvironmentOf(services.leases, await consents.ask(wish), machine)
  const { address, script } = await machine.handOver(values)
  return {
    ...configuration,
    runtimeArgs: [...(configuration.runtimeArgs ?? []), '--require', script],
    env: { ...configuration.env, POSTERN_HANDOVER: address },
  } as unknown as vscode.DebugConfiguration
}

/** Describes what will run, for the prompt. It is not an exact command line. */
function commandLine({ runtimeExecutable, runtimeArgs, program, args }: Record<string, unknown>): string {
  return [runtimeExecutable, runtimeArgs, program, args].flat().filter(Boolean).map(String).join(' ')
}

async function confirmed(
  services: Services & { machine: Machine },
  snapshot: EnvSnapshot,
  name: string,
): Promise<EnvironmentValues> {
  const { t } = vscode.l10n
  const yes = t('Start')
  const readable = t('While the session runs, other extensions can read these values in its configuration.')
  const detail = `${contentsOf(snapshot)}\n\n${readable}`
  const question = t('Pass the secrets of {0} to "{1}"?', vscode.workspace.asRelativePath(snapshot.uri), name)
  const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)
  if (answer !== yes) throw new vscode.CancellationError()
  return (await runEnvironmentOf(services.leases, snapshot, services.machine)).values
}

function inEnvironment(
  configuration: vscode.DebugConfiguration,
  revealed: Readonly<Record<string, string>>,
): vscode.DebugConfiguration {
  return { ...configuration, env: { ...configuration.env, ...revealed } }
}
