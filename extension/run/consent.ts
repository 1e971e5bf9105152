/**
 * The user's word before a task or a launch configuration gets secrets.
 *
 * A trusted folder changes with every pull, an editor can start tasks by itself when a folder is opened, and any extension can
 * start one. So the user is asked about each once, and again when anything has changed of what runs, what it gets, or which server
 * and account the values come from. What the program itself does is its files' business: no question could tell.
 *
 * @module
 */
import * as vscode from 'vscode'
import { printable } from '../../core/sanitize.ts'
import { isLoaderVariable } from '../../core/text/loader_variables.ts'
import { command } from '../shared/command.ts'
import { type KeyedHash, windowHash } from '../shared/keyed_hash.ts'
import type { OutputLog } from '../shared/output_log.ts'
import { type EnvSnapshot, type Injection, isReference, snapshotOf } from './process_environment.ts'

const MEMORY = 'consents'
const MAX_KEPT = 200

/** Who wants which secrets. */
export interface ConsentRequest {
  folder: vscode.WorkspaceFolder
  /** The `.env` that the secrets are of. */
  document: vscode.TextDocument
  injection: Injection
  name: string
  /** The command line, to be read. */
  runs: string
  /** All that the folder says of it. */
  definition: Readonly<Record<string, unknown>>
}

/** Names the accounts that the values of a `.env` come from. */
export type AccountsOf = (snapshot: EnvSnapshot) => Promise<readonly string[]>

const ofWindow = windowHash()

/** What the user has allowed in this workspace, by fingerprints: no name and no command is kept. */
export class Consents {
  readonly #memory: vscode.Memento
  readonly #hash: KeyedHash
  readonly #accountsOf: AccountsOf

  /** @param hash Without one a yes is good in this window only. */
  constructor(memory: vscode.Memento, hash: KeyedHash = ofWindow, accountsOf: AccountsOf = async () => []) {
    this.#memory = memory
    this.#hash = hash
    this.#accountsOf = accountsOf
  }

  /**
   * Asks, unless exactly this was allowed before.
   *
   * @returns The `.env` as the user agreed to it: it alone may run.
   * @throws {vscode.CancellationError} when the user says no.
   */
  async ask(wish: ConsentRequest): Promise<EnvSnapshot> {
    const { t } = vscode.l10n
    const { document, injection, name, runs } = wish
    const snapshot = snapshotOf(document, injection)
    const fingerprint = await this.#fingerprintOf(wish, snapshot)
    if (this.#kept().includes(fingerprint)) return snapshot
    const again = t(
      'Postern asks once, and again when the command, an entry of the file, the server or the account changes.',
    )
    const detail = `${commandLines(runs)}\n\n${contentsOf(snapshot)} ${again}`
    const question = t('Pass the secrets of {0} to "{1}"?', vscode.workspace.asRelativePath(document.uri), name)
    const yes = t('Start')
    const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)
    if (answer !== yes) throw new vscode.CancellationError()
    await this.#memory.update(MEMORY, [...this.#kept(), fingerprint].slice(-MAX_KEPT))
    // The file may have changed while the prompt was open.
    return this.ask(wish)
  }

  /** Has everything be asked about again. */
  async forget(): Promise<void> {
    await this.#memory.update(MEMORY, undefined)
    void vscode.window.showInformationMessage(
      `Postern: ${vscode.l10n.t('Tasks and launch configurations will ask again before they receive secrets')}`,
    )
  }

  #kept(): string[] {
    return this.#memory.get<string[]>(MEMORY, [])
  }

  async #fingerprintOf({ folder, definition }: ConsentRequest, snapshot: EnvSnapshot): Promise<string> {
    const { uri, entries, environment, server } = snapshot
    // What an editor notes for itself, such as the id of a session, is another each time.
    const said = Object.entries(definition).filter(([key]) => !key.startsWith('__'))
    const accounts = await this.#accountsOf(snapshot)
    const from = [server?.origin ?? null, accounts, environment]
    return this.#hash(MEMORY, JSON.stringify([folder.uri.toString(), uri.toString(), said, from, [...entries]]))
  }
}

export function registerConsents({ log }: { log: OutputLog }, consents: Consents): vscode.Disposable {
  return command(log, 'postern.forgetConsents', () => consents.forget())
}

/** Says by name what a program gets of a `.env`, and which of it decides what code runs. */
export function contentsOf(snapshot: EnvSnapshot): string {
  const secrets = secretsIn(snapshot)
  const gets = secrets.length > 0 ? [vscode.l10n.t('It receives {0}.', secrets.join(', '))] : []
  return [...gets, ...notesOn(snapshot)].join(' ')
}

/** The keys that a vault has the values of. */
export function secretsIn({ entries }: EnvSnapshot): string[] {
  return [...entries.keys()].filter((key) => isReference(entries.get(key)!))
}

/** What is to be known of the other entries. */
export function notesOn(snapshot: EnvSnapshot): string[] {
  const { t } = vscode.l10n
  const secrets = secretsIn(snapshot)
  const others = [...snapshot.entries.keys()].filter((key) => !secrets.includes(key))
  const loaders = loadersIn(snapshot)
  return [
    ...(others.length > 0 ? [t('It also receives these plain entries of the file: {0}.', others.join(', '))] : []),
    ...(loaders.length > 0 ? [loaderWarning(loaders)] : []),
  ]
}

/**
 * Asks about entries that decide what code runs, before a command that the user or the editor was asked about without them.
 *
 * @throws {vscode.CancellationError} when the user says no.
 */
export async function confirmLoaders(snapshot: EnvSnapshot): Promise<void> {
  const { t } = vscode.l10n
  const loaders = loadersIn(snapshot)
  if (loaders.length === 0) return
  const yes = t('Start')
  const question = t('Start with the entries of {0}?', vscode.workspace.asRelativePath(snapshot.uri))
  const answer = await vscode.window.showWarningMessage(question, { modal: true, detail: loaderWarning(loaders) }, yes)
  if (answer !== yes) throw new vscode.CancellationError()
}

function loadersIn({ entries }: EnvSnapshot): string[] {
  return [...entries.keys()].filter(isLoaderVariable)
}

function loaderWarning(loaders: readonly string[]): string {
  return vscode.l10n.t(
    'WARNING: {0} can make the program load or run other code. Start it only if you know why this is set.',
    loaders.join(', '),
  )
}

/** A command line as it can be read: without characters that would hide a part of it. */
export function commandLines(command: string): string {
  return command.split('\n').map(printable).join('\n')
}
