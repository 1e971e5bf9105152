/**
 * Finds and reads the files of a workspace without opening them.
 *
 * @module
 */
import * as vscode from 'vscode'

/** A glob of the `.env` files. */
export const ENV_FILES = '**/{.env,.env.*,*.env}'

/** The largest file to read, in bytes. A larger file is unlikely to be source code or a `.env`. */
const MAX_BYTES = 256 * 1024

/**
 * Reads a file, with its unsaved changes if it is open. Does not open the file, because that would make other extensions process
 * it too.
 *
 * @returns An empty string for a file of more than 256 KiB, or a file that cannot be read.
 */
export async function readText(uri: vscode.Uri): Promise<string> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString())
  if (open) return open.getText()
  const bytes = await vscode.workspace.fs.readFile(uri).then(undefined, () => new Uint8Array())
  return bytes.length > MAX_BYTES ? '' : new TextDecoder().decode(bytes)
}
