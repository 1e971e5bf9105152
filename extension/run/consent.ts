/**
 * The user's consent before a task or a launch configuration receives secrets.
 *
 * A trusted folder changes with every pull, an editor can start tasks by itself when it opens a folder, and any extension can
 * start a task. So Postern asks about each task once, and again when its command, its entries, or the server or the accounts that
 * supply the values have changed. The prompt cannot show what the program itself does; that depends on the program's files.
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

/** A task or a launch configuration, and the secrets that it requests. */
export interface ConsentRequest {
  folder: vscode.WorkspaceFolder
  /** The `.env` that refers to the secrets. */
  document: vscode.TextDocument
  injection: Injection
  name: string
  /** The command line, as the prompt shows it. */
  runs: string
  /** The whole definition in the folder. */
  definition: Readonly<Record<string, unknown>>
}

/** Lists the accounts that supply the values of a `.env`. */
export type AccountsOf = (snapshot: EnvSnapshot) => Promise<readonly string[]>

const ofWindow = windowHash()

/** The consents that the user has given in this workspace, as fingerprints. No name and no command is stored. */
export class Consents {
  readonly #memory: vscode.Memento
  readonly #hash: KeyedHash
  readonly #accountsOf: AccountsOf

  /** @param hash The hash of the fingerprints. By default, a consent is valid in this window only. */
  constructor(memory: vscode.Memento, hash: KeyedHash = ofWindow, accountsOf: AccountsOf = async () => []) {
    this.#memory = memory
    this.#hash = hash
    this.#accountsOf = accountsOf
  }

  /**
   * Asks for consent, unless the user has allowed exactly this request before.
   *
   * @returns The `.env` that the user agreed to. The program may receive only this version.
   * @throws {vscode.CancellationError} when the user declines.
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

  /** Forgets all consents, so that every task and launch configuration asks again. */
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
    // The editor adds keys such as `__sessionId`, which differ in each run.
    const said = Object.entries(definition).filter(([key]) => !key.startsWith('__'))
    const accounts = await this.#accountsOf(snapshot)
    const from = [server?.origin ?? null, accounts, environment]
    return this.#hash(
      MEMORY,
      JSON.stringify([folder.uri.toString(), uri.toString(), said, from, [...entries], [...snapshot.literals]]),
    )
  }
}

/** Registers the command that forgets all consents. */
export function registerConsents({ log }: { log: OutputLog }, consents: Consents): vscode.Disposable {
  return command(log, 'postern.forgetConsents', () => consents.forget())
}

/** Describes the entries that a program receives, by name, with a warning about those that decide what code runs. */
export function contentsOf(snapshot: EnvSnapshot): string {
  const secrets = secretsIn(snapshot)
  const gets = secrets.length > 0 ? [vscode.l10n.t('It receives {0}.', secrets.join(', '))] : []
  return [...gets, ...notesOn(snapshot)].join(' ')
}

/** Lists the keys whose values come from a vault. */
export function secretsIn({ entries }: EnvSnapshot): string[] {
  return [...entries.keys()].filter((key) => isReference(entries.get(key)!))
}

/** Describes the plain entries, with a warning about those that decide what code runs. */
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
 * Asks about entries that decide what code runs. Call it before a command whose own prompt does not show these entries.
 *
 * @throws {vscode.CancellationError} when the user declines.
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

/** Makes a command line safe to display, without characters that could hide a part of it. */
export function commandLines(command: string): string {
  return command.split('\n').map(printable).join('\n')
}
