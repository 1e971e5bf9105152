/**
 * While typing: completion of references and of environment variables, hover, and links. Names only.
 *
 * @module
 */
import * as vscode from 'vscode'
import { describe, type Facts } from './facts.ts'
import { HYDRATED } from './hydrated.ts'
import type { Parts } from './parts.ts'
import { environmentFor, variablesFor } from './settings.ts'
import { ACCESSOR_LANGUAGES, typedKey } from './text/accessors.ts'
import { expand, parseEnv } from './text/dotenv.ts'
import { type FoundReference, findReferences, resolve } from './text/references.ts'
import type { Vault } from './vaults.ts'

const MAX_ITEMS = 500
const TYPED = /postern:\/\/((?:\$\{[A-Za-z_][A-Za-z0-9_]{0,127}(?::-[^}\s]{0,512})?\}|[a-z0-9_./-]){0,600})$/

export function registerCompletion(parts: Parts): vscode.Disposable {
  const { registerCompletionItemProvider, registerHoverProvider } = vscode.languages
  return vscode.Disposable.from(
    registerCompletionItemProvider(
      { pattern: '**' },
      { provideCompletionItems: (document, position) => completeReference(parts, document, position) },
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
    registerHoverProvider(
      { pattern: '**' },
      { provideHover: (document, position) => hover(parts, document, position) },
    ),
  )
}

/** After `postern://`: vaults, then folders and secrets, a segment at a time. */
async function completeReference(
  parts: Parts,
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.CompletionItem[]> {
  if (document.uri.scheme === HYDRATED) return []
  const before = document.lineAt(position.line).text.slice(Math.max(0, position.character - 700), position.character)
  const typed = TYPED.exec(before)?.[1]
  if (typed === undefined) return []
  const vaults = await parts.vaults.at(document.uri)
  const slash = typed.indexOf('/')
  if (slash < 0) return vaults.map(({ id }) => itemOf(id, `${id}/`, vscode.CompletionItemKind.Module, position, typed))
  // What the variables stand for decides on the names; the text keeps the variables.
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

/** In code: the keys that the `.env` files of the folder have. */
async function completeKey(document: vscode.TextDocument, position: vscode.Position): Promise<vscode.CompletionItem[]> {
  const line = document.lineAt(position.line).text
  const typed = typedKey(line.slice(0, position.character), document.languageId)
  if (typed === null) return []
  const folder = vscode.workspace.getWorkspaceFolder(document.uri)
  if (folder === undefined) return []
  const pattern = new vscode.RelativePattern(folder, '**/{.env,.env.*,*.env}')
  const files = await vscode.workspace.findFiles(pattern, '**/node_modules/**', 20)
  const keys = new Map<string, string>()
  for (const file of files) {
    const env = await vscode.workspace.openTextDocument(file)
    for (const { key, value } of parseEnv(env.getText()).entries) {
      // A reference holds no value; what is not one is not shown.
      if (!keys.has(key)) keys.set(key, value.startsWith('postern://') ? value : vscode.workspace.asRelativePath(file))
    }
  }
  return [...keys].map(([key, detail]) => {
    const item = itemOf(key, key, vscode.CompletionItemKind.Variable, position, typed)
    item.detail = detail
    return item
  })
}

async function hover(
  parts: Parts,
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.Hover | null> {
  if (document.uri.scheme === HYDRATED) return null
  const found = referenceAt(document, position)
  if (found === null) return null
  const range = new vscode.Range(document.positionAt(found.start), document.positionAt(found.end))
  const resolved = resolve(found.text, variablesFor(environmentFor(document.uri)))
  if (!('reference' in resolved)) return null
  const { vault: id, name } = resolved.reference
  const vault = (await parts.vaults.at(document.uri)).find((one) => one.id === id)
  const facts = (await vault?.names.namesQuietly())?.find(name)
  return new vscode.Hover(card({ found, name, document, vault, facts }), range)
}

interface About {
  found: FoundReference
  name: string
  document: vscode.TextDocument
  vault: Vault | undefined
  facts: (Facts & { tags: Record<string, string> }) | undefined
}

/** Metadata and two commands. Only those two may be run from it, and everything else is escaped. */
function card({ found, name, document, vault, facts }: About): vscode.MarkdownString {
  const { t } = vscode.l10n
  const text = new vscode.MarkdownString('', true)
  text.isTrusted = { enabledCommands: ['postern.peek', 'postern.copy', 'postern.signIn'] }
  text.appendMarkdown('$(shield) ').appendText(name)
  if (vault === undefined) return text.appendMarkdown(`\n\n[${t('Sign in to see more')}](command:postern.signIn)`)
  if (facts === undefined) return text.appendText(`\n\n${t('No secret has this name, or you may not see it')}`)
  text.appendText(`\n\n${describe(facts)}`)
  for (const [key, value] of Object.entries(facts.tags)) text.appendText(`\n${key}: ${value}`)
  const target = encodeURIComponent(JSON.stringify([{ reference: found.text, scope: document.uri.toString() }]))
  text.appendMarkdown(`\n\n[$(eye) ${t('Peek')}](command:postern.peek?${target}) · `)
  return text.appendMarkdown(`[$(clippy) ${t('Copy for a while')}](command:postern.copy?${target})`)
}

/** The reference at a place. Only its line is looked at. */
function referenceAt(document: vscode.TextDocument, position: vscode.Position): FoundReference | null {
  const line = document.lineAt(position.line)
  const found = findReferences(line.text).find(
    ({ start, end }) => start <= position.character && position.character <= end,
  )
  if (found === undefined) return null
  const at = document.offsetAt(line.range.start)
  return { ...found, start: at + found.start, end: at + found.end }
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
