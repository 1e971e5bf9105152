/**
 * Adds an entry to a `.env` file as a part of a larger edit.
 *
 * @module
 */
import * as vscode from 'vscode'
import { parseEnv } from '../../core/text/dotenv.ts'
import { quoteEnvValue } from '../../core/text/dotenv_edit.ts'
import { chooseFolder } from '../shared/folders.ts'

/** The result of adding an entry. */
export interface AddedEntry {
  /** Whether the key already has another value. Then nothing was added. */
  conflict: boolean
  /** Saves the file, unless it already had unsaved changes. */
  save(): Promise<void>
}

/**
 * Finds the `.env` for a document. It is the one in the folder of the document, whether or not it exists yet. For a document
 * outside all folders, the user chooses among several.
 *
 * @returns `null` in a window without folders.
 * @throws {vscode.CancellationError} when the user chooses no folder.
 */
export async function envFileFor(uri: vscode.Uri): Promise<vscode.Uri | null> {
  const folder = vscode.workspace.getWorkspaceFolder(uri) ?? (await chooseFolder())
  return folder ? vscode.Uri.joinPath(folder.uri, '.env') : null
}

/** Adds `key=value` at the end of a `.env`. Creates the file if it is missing. */
export async function appendEntry(
  edit: vscode.WorkspaceEdit,
  env: vscode.Uri,
  { key, value }: { key: string; value: string },
): Promise<AddedEntry> {
  const document = await vscode.workspace.openTextDocument(env).then(
    (opened) => opened,
    () => null,
  )
  // Quoted where another reader would cut it, such as at the `#` of a pointer.
  const line = `${key}=${quoteEnvValue(value) ?? value}\n`
  const save = async () => void (await (await vscode.workspace.openTextDocument(env)).save())
  if (document === null) {
    edit.createFile(env, { ignoreIfExists: true })
    edit.insert(env, new vscode.Position(0, 0), line)
    return { conflict: false, save }
  }
  const text = document.getText()
  const there = parseEnv(text).entries.findLast((entry) => entry.key === key)
  if (there) return { conflict: there.value !== value, save: async () => {} }
  const separator = text === '' || text.endsWith('\n') ? '' : '\n'
  edit.insert(env, document.positionAt(text.length), separator + line)
  return { conflict: false, save: document.isDirty ? async () => {} : save }
}
