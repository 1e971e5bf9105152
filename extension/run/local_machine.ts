/**
 * The one place that decides whether programs run for a window or a folder: only on the machine that the extension itself
 * runs on.
 *
 * In a window on another machine (a container, SSH, WSL) VS Code prefers to run this extension on the user's own machine. A
 * path of the other machine then names another file here, or the same command in the wrong place.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { Machine, Platform } from '../platform/platform.ts'
import { ExtensionError } from '../shared/errors.ts'

/** The schemes of documents on this machine. An untitled one exists only in the editor. */
const LOCAL_SCHEMES = ['file', 'untitled']

/** The machine that the extension runs on, as far as programs may run there. */
export class LocalMachine {
  readonly #machine: Machine | null
  readonly #extensionKind: vscode.ExtensionKind

  /** @param extension Says whether the extension runs beside the user or beside the files. */
  constructor({ machine }: Pick<Platform, 'machine'>, extension: Pick<vscode.Extension<unknown>, 'extensionKind'>) {
    this.#machine = machine
    this.#extensionKind = extension.extensionKind
  }

  /**
   * Returns the machine to start programs on. Every start passes here.
   *
   * @param place The folder or the document that the program is started for; the folders of the window when not given.
   * @throws {ExtensionError} `no_machine` in a browser, `remote` or `virtual` for a place that is not on this machine,
   *   `restricted` in a workspace that is not trusted.
   */
  at(place?: vscode.Uri): Machine {
    if (this.#machine === null) throw new ExtensionError('no_machine')
    const elsewhere = this.#elsewhere(place)
    if (elsewhere !== null) throw elsewhere
    if (!vscode.workspace.isTrusted) throw new ExtensionError('restricted')
    return this.#machine
  }

  /** Whether programs can run for this window at all. */
  canRun(): boolean {
    return this.#machine !== null && this.#elsewhere() === null
  }

  #elsewhere(place?: vscode.Uri): ExtensionError | null {
    const places = place === undefined ? (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri) : [place]
    const [first] = places
    if (first !== undefined && !places.some(({ scheme }) => LOCAL_SCHEMES.includes(scheme))) {
      const { scheme, authority } = first
      if (scheme === 'vscode-remote') return new ExtensionError('remote', authority)
      return new ExtensionError('virtual', `${scheme}://${authority}`)
    }
    const { remoteName } = vscode.env
    // An extension that runs beside the files of the other machine sees them as `file`, and runs programs there.
    const isRemote = remoteName !== undefined && this.#extensionKind !== vscode.ExtensionKind.Workspace
    return isRemote ? new ExtensionError('remote', remoteName) : null
  }
}
