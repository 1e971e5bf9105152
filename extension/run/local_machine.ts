/**
 * Programs run only for a window and a folder of the machine that the extension itself runs on.
 *
 * In a window on another machine (a container, SSH, WSL) the editor prefers to run this extension on the user's own one. A
 * path of the other machine then names another file here, or the same command in the wrong place.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { Machine } from '../platform/platform.ts'
import type { Parts } from '../services.ts'
import { ExtensionError } from '../shared/errors.ts'

/** Documents of this machine. An untitled one is only in the editor. */
const LOCAL_SCHEMES = ['file', 'untitled']

/**
 * Returns the machine to start programs on. Every start passes here.
 *
 * @param at The folder or the document that the program is started for; the folders of the window when not given.
 * @throws {Hindrance} `no_machine` in a browser, `remote` or `virtual` for a place that is not on this machine,
 *   `restricted` in a workspace that is not trusted.
 */
export function machineOf(parts: Parts, at?: vscode.Uri): Machine {
  const { machine } = parts.platform
  if (machine === null) throw new ExtensionError('no_machine')
  const elsewhere = elsewhereOf(parts, at)
  if (elsewhere !== null) throw elsewhere
  if (!vscode.workspace.isTrusted) throw new ExtensionError('restricted')
  return machine
}

/** Whether programs can run for this window at all. */
export function canRun(parts: Parts): boolean {
  return parts.platform.machine !== null && elsewhereOf(parts) === null
}

function elsewhereOf({ context }: Parts, at?: vscode.Uri): ExtensionError | null {
  const places = at === undefined ? (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri) : [at]
  const [first] = places
  if (first !== undefined && !places.some(({ scheme }) => LOCAL_SCHEMES.includes(scheme))) {
    const { scheme, authority } = first
    if (scheme === 'vscode-remote') return new ExtensionError('remote', authority)
    return new ExtensionError('virtual', `${scheme}://${authority}`)
  }
  const { remoteName } = vscode.env
  // An extension that runs beside the files of the other machine sees them as `file`, and runs programs there.
  const isRemote = remoteName !== undefined && context?.extension?.extensionKind !== vscode.ExtensionKind.Workspace
  return isRemote ? new ExtensionError('remote', remoteName) : null
}
