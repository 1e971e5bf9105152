/**
 * Completes references and environment variables. The items show names and metadata, but no values.
 *
 * @module
 */
import * as vscode from 'vscode'
import { ACCESSOR_LANGUAGES, typedKey } from '../../core/text/accessors.ts'
import { parseEnv } from '../../core/text/dotenv.ts'
import { expand } from '../../core/text/variables.ts'
import { HYDRATED } from '../hydration/documents.ts'
import { environmentFor, variablesFor } from '../settings.ts'
import { ENV_FILES, readText } from '../shared/env_files.ts'
import { describe } from '../values/describe.ts'
import type { Vaults } from '../vaults/vaults.ts'

interface Services {
  vaults: Vaults
}

const MAX_ITEMS = 500
const MAX_FILES = 20
const TYPED = /postern:\/\/((?:\$\{[A-Za-z_][A-Za-z0-9_]{0,127}(?::-[^}\s]{0,512})?\}|[A-Za-z0-9_.+=@/-]){0,600})$/

/** Registers the completion of references in every document, and of keys in the languages with an accessor. */
export function registerCompletion(services: Services): vscode.Disposable {
  const { registerCompletionItemProvider } = vscode.languages
  return vscode.Disposable.from(
    registerCompletionItemProvider(
      { pattern: '**' },
      { provideCompletionItems: (document, position) => completeReference(services, document, position) },
      '/',
      ':',
    ),
    registerCompletionItemProvider(
      ACCESSOR_LANGUAGES.map((language) => ({ language })),
      { provideCompletionItems: completeKey },
      '.',
      '"',
      "'",
      '$',
      '{',
      ':',
    ),
  )
}

/** Completes vaults after `postern://`, then folders and secrets, one segment at a time. */
async function completeReference(
  services: Services,
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.CompletionItem[]> {
  if (document.uri.scheme === HYDRATED) return []
  const before = document.lineAt(position.line).text.slice(Math.max(0, position.character - 700), position.character)
  const typed = TYPED.exec(before)?.[1]
  if (typed === undefined) return []
  const vaults = await services.vaults.at(document.uri)
  const slash = typed.indexOf('/')
  if (slash < 0) return vaults.map(({ id }) => itemOf(id, `${id}/`, vscode.CompletionItemKind.Module, position, typed))
  // The expanded variables select the names. The document keeps the variables.
  const expanded = expand(typed, variablesFor(environmentFor(document.uri)))
  if ('missing' in expanded) return []
  const [id, prefix] = cut(expanded.text)
  const vault = vaults.find((one) => one.id === id)
  if (vault === undefined) return []
  const index = await vault.names.namesQuietly()
  const segment = typed.slice(typed.lastIndexOf('/') + 1)
  return index.children(prefix, MAX_ITEMS).map(({ label, name, isFolder }) => {
    const kind = isFolder ? vscode.CompletionItemKind.Folder : vscode.CompletionItemKind.Constant
    const item = itemOf(label, label, kind, position, segment)
    const metadata = isFolder ? undefined : index.find(name)
    if (metadata) item.detail = describe(metadata)
    return item
  })
}

/** Completes a key in code from the `.env` files of the workspace folder. */
async function completeKey(document: vscode.TextDocument, position: vscode.Position): Promise<vscode.CompletionItem[]> {
  const line = document.lineAt(position.line).text
  const typed = typedKey(line.slice(0, position.character), document.languageId)
  if (typed === null) return []
  const folder = vscode.workspace.getWorkspaceFolder(document.uri)
  if (folder === undefined) return []
  const pattern = new vscode.RelativePattern(folder, ENV_FILES)
  const files = await vscode.workspace.findFiles(pattern, '**/node_modules/**', MAX_FILES)
  const keys = new Map<string, string>()
  for (const file of files) {
    for (const { key, value } of parseEnv(await readText(file)).entries) {
      // A reference contains no value, so it is safe to show. Any other value is replaced with the path of its file.
      if (!keys.has(key)) keys.set(key, value.startsWith('postern://') ? value : vscode.workspace.asRelativePath(file))
    }
  }
  return [...keys].map(([key, detail]) => {
    const item = itemOf(key, key, vscode.CompletionItemKind.Variable, position, typed)
    item.detail = detail
    return item
  })
}

function itemOf(
  label: string,
  insertText: string,
  kind: vscode.CompletionItemKind,
  position: vscode.Position,
  typed: string,
): vscode.CompletionItem {
  const item = new vscode.CompletionItem(label, kind)
  item.insertText = insertText
  item.range = new vscode.Range(position.translate(0, -typed.length), position)
  if (insertText.endsWith('/')) item.command = { title: '', command: 'editor.action.triggerSuggest' }
  return item
}

function cut(text: string): [string, string] {
  const slash = text.indexOf('/')
  return [text.slice(0, slash), text.slice(slash + 1)]
}
