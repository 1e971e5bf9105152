/**
 * Tasks with secrets, such as `{ "type": "postern", "command": "npm test", "envFile": ".env", "keys": ["DB_URL"] }`.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { RunningProgram } from '../platform/platform.ts'
import { explain } from '../shared/errors.ts'
import { requireFolder } from '../shared/folders.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Leases } from '../values/lease.ts'
import type { Consents } from './consent.ts'
import type { LocalMachine } from './local_machine.ts'
import { envFileOf, parseInjection, parseText, runEnvironmentOf } from './process_environment.ts'

interface Services {
  log: OutputLog
  leases: Leases
  localMachine: LocalMachine
}

const TYPE = 'postern'

/** Registers the provider of tasks of the type `postern`. */
export function registerTasks(services: Services, consents: Consents): vscode.Disposable {
  return vscode.tasks.registerTaskProvider(TYPE, {
    // Postern cannot know which commands need secrets, so it proposes no tasks.
    provideTasks: () => [],
    resolveTask(task) {
      const { definition, scope = vscode.TaskScope.Workspace } = task
      const run = { name: task.name, folder: folderOf(scope) }
      const execution = new vscode.CustomExecution(
        async (resolved) => new TaskTerminal(services, consents, { ...run, definition: resolved }),
      )
      return new vscode.Task(definition, scope, task.name, 'postern', execution, task.problemMatchers)
    },
  })
}

/** The task to run. */
interface TaskRun {
  name: string
  definition: vscode.TaskDefinition
  /** The folder that defines the task; `undefined` for a task of the workspace or of the user. */
  folder: vscode.WorkspaceFolder | undefined
}

/** One run of a task, as a terminal without a shell. The values go directly into the program, and nowhere else. */
class TaskTerminal implements vscode.Pseudoterminal {
  readonly #services: Services
  readonly #consents: Consents
  readonly #wanted: TaskRun
  readonly #written = new vscode.EventEmitter<string>()
  readonly #closed = new vscode.EventEmitter<number>()
  #running: RunningProgram | null = null
  #isClosed = false

  readonly onDidWrite = this.#written.event
  readonly onDidClose = this.#closed.event

  constructor(services: Services, consents: Consents, wanted: TaskRun) {
    this.#services = services
    this.#consents = consents
    this.#wanted = wanted
  }

  open(): void {
    this.#start().catch((error) => {
      this.#services.log.failed('task', error)
      const { t } = vscode.l10n
      const why = error instanceof vscode.CancellationError ? t('Not started: you declined') : explain(error).message
      this.#print(`Postern: ${why}\n`)
      this.#closed.fire(1)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#running?.stop()
  }

  handleInput(data: string): void {
    if (data === '\x03') this.#running?.stop()
    else this.#running?.write(data.replaceAll('\r', '\n'))
  }

  async #start(): Promise<void> {
    const { name, definition } = this.#wanted
    // A task of the workspace, or of the user, has no folder.
    const command = parseText('command', definition.command)
    const injection = parseInjection('task', definition)
    const folder = this.#wanted.folder ?? (await requireFolder())
    const machine = this.#services.localMachine.at(folder.uri)
    const document = await envFileOf(machine, folder, injection)
    const snapshot = await this.#consents.ask({ folder, document, injection, name, runs: command, definition })
    const { values } = await runEnvironmentOf(this.#services.leases, snapshot, machine)
    // The user may have closed the terminal while the values were fetched.
    if (this.#isClosed) return
    const onOutput = (text: string) => this.#print(text)
    this.#running = machine.run({ command, folder: folder.uri.fsPath, values, onOutput })
    const { code } = await this.#running.ended
    this.#closed.fire(code ?? 1)
  }

  /** Prints text. A terminal needs a carriage return before each line feed. */
  #print(text: string): void {
    this.#written.fire(text.replaceAll(/\r?\n/g, '\r\n'))
  }
}

function folderOf(scope: vscode.Task['scope']): vscode.WorkspaceFolder | undefined {
  return typeof scope === 'object' ? scope : undefined
}
