/**
 * Tools that let language models list the names of secrets and run commands with them. No tool returns a value.
 *
 * @module
 */
import * as vscode from 'vscode'
import { printable } from '../core/sanitize.ts'
import { type Chunk, isShort, redact } from '../core/text/redact.ts'
import type { EnvironmentValues } from './platform/platform.ts'
import { commandLines, confirmLoaders } from './run/consent.ts'
import type { LocalMachine } from './run/local_machine.ts'
import { envFileOf, parseText, runEnvironmentOf, snapshotOf } from './run/process_environment.ts'
import { ExtensionError, explain } from './shared/errors.ts'
import { folderIn } from './shared/folders.ts'
import { toolApi } from './shared/optional_api.ts'
import type { OutputLog } from './shared/output_log.ts'
import { describe } from './values/describe.ts'
import type { Leases } from './values/lease.ts'
import type { Vaults } from './vaults/vaults.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
  leases: Leases
  localMachine: LocalMachine
}

const MAX_NAMES = 200
const MAX_OUTPUT = 64 * 1024

/** Registers the tools, if the editor supports them. */
export function registerLanguageModelTools(services: Services): vscode.Disposable {
  const api = toolApi()
  if (api === null) return new vscode.Disposable(() => {})
  const { t } = vscode.l10n
  const told = async (work: () => Promise<string>) => {
    try {
      return api.result(await work())
    } catch (error) {
      services.log.failed('tool', error)
      const refused = error instanceof vscode.CancellationError
      return api.result(refused ? 'Not started: the user said no' : `Error: ${explain(error).message}`)
    }
  }
  return vscode.Disposable.from(
    api.registerTool<{ prefix?: unknown }>('postern_list_secrets', {
      prepareInvocation: () => ({ invocationMessage: t('Listing secret names') }),
      invoke: ({ input }) => told(async () => listNames(services, parseText('prefix', input.prefix ?? ''))),
    }),
    api.registerTool<{ command?: unknown; envFile?: unknown }>('postern_run_with_secrets', {
      prepareInvocation: ({ input }) => ({
        invocationMessage: t('Running with secrets'),
        confirmationMessages: {
          title: t('Run with secrets?'),
          message: question(String(input.envFile ?? '.env'), String(input.command)),
        },
      }),
      invoke: ({ input: { command, envFile } }, token) =>
        told(async () =>
          runRedacted(services, parseText('command', command), parseText('envFile', envFile ?? '.env'), token),
        ),
    }),
  )
}

/** Makes the question to the user. It shows the command as a code block, because the model could hide parts of it with Markdown. */
function question(envFile: string, command: string): vscode.MarkdownString {
  const { t } = vscode.l10n
  const warning = t(
    'The command receives the values of {0} and can do anything with them. Postern removes them from the output that the model sees only if they are printed unchanged or in a common encoding. Run the command only if you know what it does:',
    printable(envFile),
  )
  return new vscode.MarkdownString().appendText(warning).appendCodeblock(commandLines(command), 'shellscript')
}

async function listNames({ vaults }: Services, prefix: string): Promise<string> {
  const all = await vaults.all()
  if (all.length === 0) throw new ExtensionError('signed_out')
  const lines = await Promise.all(
    all.map(async (vault) => {
      const index = await vaults.call(vault, () => vault.names.names())
      const found = index.startingWith(prefix, MAX_NAMES + 1)
      const listed = found.slice(0, MAX_NAMES).map((one) => `postern://${vault.id}/${one.name}  ${describe(one)}`)
      // Without the note, a model would take a truncated list for the complete one.
      const cut = `Not all names of the vault ${vault.id} are listed: give a longer prefix`
      return found.length > MAX_NAMES ? [...listed, cut] : listed
    }),
  )
  return lines.flat().join('\n') || 'No secret that you may list has a name with this prefix'
}

/** Makes a note for the model about the values that may still be in the output. */
function shortNote(values: EnvironmentValues): string {
  const short = Object.entries(values).filter(([, value]) => value.reveal() !== '' && isShort(value.reveal()))
  const keys = short.map(([key]) => key).join(', ')
  return keys === '' ? '' : `Too short to be taken out of the output everywhere: ${keys}\n`
}

async function runRedacted(
  services: Services,
  command: string,
  path: string,
  token: vscode.CancellationToken,
): Promise<string> {
  const { folder, envFile } = folderIn(path)
  const machine = services.localMachine.at(folder.uri)
  const snapshot = snapshotOf(await envFileOf(machine, folder, { envFile }))
  await confirmLoaders(snapshot)
  const { values, secrets } = await runEnvironmentOf(services.leases, snapshot, machine)
  const output: Chunk[] = []
  let length = 0
  let isCut = false
  const onOutput = (text: string, stream: string) => {
    output.push({ stream, text })
    length += text.length
    // A cut could leave half of a value, so the output is redacted first and truncated afterwards.
    isCut ||= length > 4 * MAX_OUTPUT
    if (isCut) running.stop()
  }
  const running = machine.run({ command, folder: folder.uri.fsPath, values, onOutput })
  const stopped = token.onCancellationRequested(() => running.stop())
  const { code } = await running.ended
  stopped.dispose()
  // A short plain entry, such as a port, is not a secret, so it stays in the output.
  const known = Object.entries(values)
    .map(([label, value]) => ({ label, value: value.reveal() }))
    .filter(({ label, value }) => secrets.includes(label) || !isShort(value))
  const clean = redact(output, known).slice(0, MAX_OUTPUT)
  return `Exit code: ${code ?? 'stopped'}${isCut ? ' (stopped: too much output)' : ''}\n${shortNote(values)}${clean}`
}
