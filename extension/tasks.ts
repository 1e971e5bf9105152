/**
 * Tasks with secrets: `{ "type": "postern", "command": "npm test", "envFile": ".env", "keys": ["DB_URL"] }`.
 *
 * @module
 */
import * as vscode from 'vscode'
import { envFileOf, environmentOf, machineOf, parseInjection } from './environment.ts'
import { explain } from './hindrance.ts'
import type { Parts } from './parts.ts'
import type { Running } from './platform/platform.ts'

const TYPE = 'postern'

export function registerTasks(parts: Parts): vscode.Disposable {
  return vscode.tasks.registerTaskProvider(TYPE, {
    // None of our own accord: which command is to run only its author knows.
    provideTasks: () => [],
    resolveTask(task) {
      const { definition, scope = vscode.TaskScope.Workspace } = task
      const execution = new vscode.CustomExecution(async (resolved) => new Run(parts, resolved, folderOf(scope)))
      return new vscode.Task(definition, scope, task.name, 'postern', execution, task.problemMatchers)
    },
  })
}

/** One run of a task, as a terminal without a shell: the values go from here into the program and nowhere else. */
class Run implements vscode.Pseudoterminal {
  readonly #parts: Parts
  readonly #definition: vscode.TaskDefinition
  readonly #folder: vscode.WorkspaceFolder | undefined
  readonly #written = new vscode.EventEmitter<string>()
  readonly #closed = new vscode.EventEmitter<number>()
  #running: Running | null = null
  #isClosed = false

  readonly onDidWrite = this.#written.event
  readonly onDidClose = this.#closed.event

  constructor(parts: Parts, definition: vscode.TaskDefinition, folder: vscode.WorkspaceFolder | undefined) {
    this.#parts = parts
    this.#definition = definition
    this.#folder = folder
  }

  open(): void {
    this.#start().catch((error) => {
      this.#parts.log.failed('task', error)
      this.#print(`Postern: ${explain(error).message}\n`)
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
    const machine = machineOf(this.#parts)
    const { command } = this.#definition
    const injection = parseInjection(this.#definition)
    if (injection === null || typeof command !== 'string' || this.#folder === undefined) {
      this.#print(`${vscode.l10n.t('The task needs a command, and may have envFile, keys and environment')}\n`)
      return void this.#closed.fire(1)
    }
    const document = await envFileOf(this.#folder, injection)
    const { values } = await environmentOf(this.#parts, document, injection)
    // The user may have closed it while the values came.
    if (this.#isClosed) return
    const folder = this.#folder.uri.fsPath
    this.#running = machine.run({ command, folder, values, onOutput: (text) => this.#print(text) })
    const { code } = await this.#running.ended
    this.#closed.fire(code ?? 1)
  }

  /** A terminal wants a carriage return before each line feed. */
  #print(text: string): void {
    this.#written.fire(text.replaceAll(/\r?\n/g, '\r\n'))
  }
}

function folderOf(scope: vscode.Task['scope']): vscode.WorkspaceFolder | undefined {
  return typeof scope === 'object' ? scope : vscode.workspace.workspaceFolders?.[0]
}
