/**
 * The user's word before a task or a launch configuration gets secrets.
 *
 * A trusted folder changes with every pull, an editor can start tasks by itself when a folder is opened, and any extension can
 * start one. So each is asked about once, and again when what would run or what it would get is another. What the program itself
 * does is its files' business: no question could tell.
 *
 * @module
 */
import * as vscode from 'vscode'
import { hex, utf8 } from '../core/bytes.ts'
import { printable } from '../core/redaction.ts'
import type { Injection } from './environment.ts'
import { environmentFor } from './settings.ts'
import { parseEnv } from './text/dotenv.ts'

const MEMORY = 'consents'
const MAX_KEPT = 200

/** Who wants which secrets. */
export interface Wish {
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

/** What the user has allowed in this workspace, by fingerprints: no name and no command is kept. */
export class Consents {
  readonly #memory: vscode.Memento

  constructor(memory: vscode.Memento) {
    this.#memory = memory
  }

  /**
   * Asks, unless exactly this was allowed before.
   *
   * @throws {vscode.CancellationError} when the user says no.
   */
  async ask(wish: Wish): Promise<void> {
    const { t } = vscode.l10n
    const { document, injection, name, runs } = wish
    const names = namesIn(document, injection)
    const fingerprint = await fingerprintOf(wish, names)
    if (this.#kept().includes(fingerprint)) return
    const keys = t('It gets {0}.', names.map(([key]) => key).join(', '))
    const again = t('You are asked once, and again when the command or the secrets are others.')
    const detail = `${runs.split('\n').map(printable).join('\n')}\n\n${keys} ${again}`
    const question = t('Give secrets of {0} to "{1}"?', vscode.workspace.asRelativePath(document.uri), name)
    const yes = t('Start')
    const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)
    if (answer !== yes) throw new vscode.CancellationError()
    await this.#memory.update(MEMORY, [...this.#kept(), fingerprint].slice(-MAX_KEPT))
    // The file may have become another while the user read.
    return this.ask(wish)
  }

  /** Has everything be asked about again. */
  async forget(): Promise<void> {
    await this.#memory.update(MEMORY, undefined)
    void vscode.window.showInformationMessage(
      `Postern: ${vscode.l10n.t('Tasks and launch configurations ask again before they get secrets')}`,
    )
  }

  #kept(): string[] {
    return this.#memory.get<string[]>(MEMORY, [])
  }
}

export function registerConsents(consents: Consents): vscode.Disposable {
  return vscode.commands.registerCommand('postern.forgetConsents', () => consents.forget())
}

/** Each key with the reference that it stands for. What stands in the file itself is no name, and may be a secret. */
function namesIn(document: vscode.TextDocument, { keys }: Injection): [key: string, reference: string][] {
  return parseEnv(document.getText()).entries.flatMap(({ key, value }) =>
    value.startsWith('postern://') && (keys?.includes(key) ?? true) ? [[key, value]] : [],
  )
}

async function fingerprintOf({ folder, document, injection, definition }: Wish, names: unknown): Promise<string> {
  // What an editor notes for itself, such as the id of a session, is another each time.
  const said = Object.entries(definition).filter(([key]) => !key.startsWith('__'))
  const environment = injection.environment ?? environmentFor(document.uri)
  const all = JSON.stringify([folder.uri.toString(), document.uri.toString(), said, environment, names])
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(all))))
}
