/**
 * Decides which folder of the window a request is for. The files of a folder are for that folder only. If VS Code does not pass the
 * folder of a request, the user chooses it by name or the request fails. The first folder is never a default for the others.
 *
 * @module
 */
import * as vscode from 'vscode'
import { PosternError } from '../../core/errors.ts'

/**
 * Returns the only folder of the window, or the one that the user chooses; `undefined` in a window without folders.
 *
 * @throws {vscode.CancellationError} when the user chooses no folder.
 */
export async function chooseFolder(): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = vscode.workspace.workspaceFolders ?? []
  if (folders.length < 2) return folders[0]
  const items = folders.map((folder) => ({ label: folder.name, description: folder.uri.fsPath, folder }))
  const title = vscode.l10n.t('Which folder’s secrets do you want to use?')
  const picked = await vscode.window.showQuickPick(items, { title, ignoreFocusOut: true })
  if (picked === undefined) throw new vscode.CancellationError()
  return picked.folder
}

/**
 * Returns the only folder of the window, or the one that the user chooses.
 *
 * @throws {PosternError} `bad_request` in a window without folders.
 * @throws {vscode.CancellationError} when the user chooses no folder.
 */
export async function requireFolder(): Promise<vscode.WorkspaceFolder> {
  const folder = await chooseFolder()
  if (folder === undefined) throw noFolder()
  return folder
}

/**
 * Returns the folder that a path names, and the rest of the path. In a window with several folders, a path begins with the name of
 * its folder, as the editor shows it, such as `api/.env`.
 *
 * @throws {PosternError} `bad_request` in a window without folders. Also if the window has several, and the path does not name
 *   exactly one of them.
 */
export function folderIn(path: string): { folder: vscode.WorkspaceFolder; envFile: string } {
  const { t } = vscode.l10n
  const folders = vscode.workspace.workspaceFolders ?? []
  const [only] = folders
  if (only === undefined) throw noFolder()
  if (folders.length === 1) return { folder: only, envFile: path }
  const named = folders.filter(({ name }) => path.startsWith(`${name}/`))
  const [folder] = named
  if (folder !== undefined && named.length === 1) return { folder, envFile: path.slice(folder.name.length + 1) }
  const names = folders.map(({ name }) => `${name}/.env`).join(', ')
  throw new PosternError(
    'bad_request',
    t('this window has several folders. Prefix the file with its folder: {0}', names),
  )
}

function noFolder(): PosternError {
  return new PosternError('bad_request', vscode.l10n.t('no folder is open'))
}
