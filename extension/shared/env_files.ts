/**
 * Finding and reading the files of a workspace without opening them.
 *
 * @module
 */
import * as vscode from 'vscode'

/** A glob of the files that are read as `.env`. */
export const ENV_FILES = '**/{.env,.env.*,*.env}'

/** A larger file is not read: it is no source and no `.env`. */
const MAX_BYTES = 256 * 1024

/**
 * Reads a file as the editor has it: with unsaved changes when it is open. It is not opened, which would make other
 * extensions look at it too.
 *
 * @returns An empty text for a file of more than 256 KiB, and for one that cannot be read.
 */
export async function readText(uri: vscode.Uri): Promise<string> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString())
  if (open) return open.getText()
  const bytes = await vscode.workspace.fs.readFile(uri).then(undefined, () => new Uint8Array())
  return bytes.length > MAX_BYTES ? '' : new TextDecoder().decode(bytes)
}
