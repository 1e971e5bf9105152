/**
 * Decides whether programs may run for a window or a folder. They run only on the machine that runs the extension.
 *
 * In a window on another machine (a container, SSH, WSL), VS Code prefers to run this extension on the user's own machine. A path
 * on the other machine would then name a different file here, and a command would run in the wrong place.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { Machine, Platform } from '../platform/platform.ts'
import { ExtensionError } from '../shared/errors.ts'

/** The schemes of documents on this machine. An untitled document exists only in the editor. */
const LOCAL_SCHEMES = ['file', 'untitled']

/** The machine that runs the extension, available only where programs may run for the window. */
export class LocalMachine {
  readonly #machine: Machine | null
  readonly #extensionKind: vscode.ExtensionKind

  /** @param extension Its `extensionKind` tells whether it runs on the user's machine or on the machine with the files. */
  constructor({ machine }: Pick<Platform, 'machine'>, extension: Pick<vscode.Extension<unknown>, 'extensionKind'>) {
    this.#machine = machine
    this.#extensionKind = extension.extensionKind
  }

  /**
   * Returns the machine to start programs on. Everything that starts a program calls this first.
   *
   * @param place The folder or the document that needs the program. Default: the folders of the window.
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

  /** Whether programs can run for this window, if its workspace is trusted. */
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
    // An extension that runs on the other machine sees its files with the scheme `file`, and runs programs there.
    const isRemote = remoteName !== undefined && this.#extensionKind !== vscode.ExtensionKind.Workspace
    return isRemote ? new ExtensionError('remote', remoteName) : null
  }
}
