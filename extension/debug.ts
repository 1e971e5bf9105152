/**
 * Debugging with secrets: `"postern": { "envFile": ".env", "keys": ["DB_URL"] }` in a launch configuration.
 *
 * A configuration can be read by every extension while its session runs. For Node it gets an address, good once, where
 * the program fetches its values. Other debuggers can only be given an environment: that needs `"inject": "env"` in the
 * block, and the user's word each time.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../core/errors.ts'
import type { Consents } from './consent.ts'
import { envFileOf, environmentOf, parseInjection } from './environment.ts'
import { complain } from './hindrance.ts'
import { machineOf } from './local_machine.ts'
import type { Parts } from './parts.ts'
import type { Values } from './platform/platform.ts'

const NODE_TYPES = ['node', 'pwa-node']

export function registerDebugging(parts: Parts, consents: Consents): vscode.Disposable {
  return vscode.debug.registerDebugConfigurationProvider('*', {
    async resolveDebugConfigurationWithSubstitutedVariables(folder, configuration) {
      if (configuration.postern === undefined) return configuration
      try {
        return await resolveConfiguration(parts, consents, folder, configuration)
      } catch (error) {
        parts.log.failed('debug', error)
        complain(error)
        // Nothing starts: a program without its secrets would fail later and worse.
        return undefined
      }
    },
  })
}

async function resolveConfiguration(
  parts: Parts,
  consents: Consents,
  given: vscode.WorkspaceFolder | undefined,
  { postern, ...configuration }: vscode.DebugConfiguration,
): Promise<vscode.DebugConfiguration> {
  const { t } = vscode.l10n
  const folder = given ?? vscode.workspace.workspaceFolders?.[0]
  const injection = parseInjection(postern)
  if (injection === null || folder === undefined) {
    throw new PosternError('bad_request', t('The block "postern" may have envFile, keys, environment and inject'))
  }
  const machine = machineOf(parts, folder.uri)
  const isNode = NODE_TYPES.includes(configuration.type)
  if (!isNode && postern.inject !== 'env') {
    const message = t(
      'the debugger {0} can only be given values that other extensions can read. Write "inject": "env" into the block "postern" to allow that',
      configuration.type,
    )
    throw new PosternError('bad_request', message)
  }
  const document = await envFileOf(folder, injection)
  if (!isNode)
    return inEnvironment(
      configuration as vscode.DebugConfiguration,
      await confirmed(parts, document, injection, configuration.name),
    )
  const definition = { postern, ...configuration }
  const { name } = configuration
  await consents.ask({ folder, document, injection, name, runs: commandLine(configuration), definition })
  const { values } = await environmentOf(parts, document, injection)
  const { address, script } = await machine.handOver(values)
  return {
    ...configuration,
    runtimeArgs: [...(configuration.runtimeArgs ?? []), '--require', script],
    env: { ...configuration.env, POSTERN_HANDOVER: address },
  } as unknown as vscode.DebugConfiguration
}

/** About what will run, to be read. */
function commandLine({ runtimeExecutable, runtimeArgs, program, args }: Record<string, unknown>): string {
  return [runtimeExecutable, runtimeArgs, program, args].flat().filter(Boolean).map(String).join(' ')
}

async function confirmed(
  parts: Parts,
  document: vscode.TextDocument,
  injection: NonNullable<ReturnType<typeof parseInjection>>,
  name: string,
): Promise<Values> {
  const { t } = vscode.l10n
  const yes = t('Start')
  const detail = t('While the session runs, other extensions can read these values in its configuration.')
  const question = t('Give secrets of {0} to "{1}"?', vscode.workspace.asRelativePath(document.uri), name)
  const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)
  if (answer !== yes) throw new vscode.CancellationError()
  return (await environmentOf(parts, document, injection)).values
}

function inEnvironment(configuration: vscode.DebugConfiguration, values: Values): vscode.DebugConfiguration {
  const revealed = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.reveal()]))
  return { ...configuration, env: { ...configuration.env, ...revealed } }
}
