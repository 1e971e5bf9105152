/**
 * While typing: completion of references and of environment variables, hover, and links. Names only.
 *
 * @module
 */
import * as vscode from 'vscode'
import { ACCESSOR_LANGUAGES, typedKey } from '../../core/text/accessors.ts'
import { expand, parseEnv } from '../../core/text/dotenv.ts'
import { findReferences, resolve } from '../../core/text/find_references.ts'
import { HYDRATED, type Hydrations } from '../hydration/documents.ts'
import type { Parts } from '../services.ts'
import { environmentFor, variablesFor } from '../settings.ts'
import { describe, describeOutcome, type Facts, reasonsOf } from '../values/describe.ts'
import type { Outcome } from '../values/lease.ts'
import type { Target } from '../values/reveal.ts'
import type { Vault } from '../vaults/vaults.ts'
import { commandAddress } from '../views/links_to_tree.ts'

const MAX_ITEMS = 500
const TYPED = /postern:\/\/((?:\$\{[A-Za-z_][A-Za-z0-9_]{0,127}(?::-[^}\s]{0,512})?\}|[a-z0-9_./-]){0,600})$/

export function registerCompletion(parts: Parts, hydrations: Hydrations): vscode.Disposable {
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
      { provideHover: (document, position) => hover(parts, hydrations, document, position) },
    ),
  )
}

/** After `postern://`: vaults, then folders and secrets, a segment at a time. */
async function completeReference(
  parts: Parts,
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.CompletionItem[]> {
  if (isHydrated(document)) return []
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
  { vaults }: Parts,
  hydrations: Hydrations,
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.Hover | null> {
  const found = isHydrated(document) ? rowAt(hydrations, document, position) : referenceAt(document, position)
  if (found === null) return null
  const { text, range, scope = document.uri, environment = environmentFor(scope) } = found
  const resolved = resolve(text, variablesFor(environment))
  if (!('reference' in resolved)) return null
  const { vault: id, name, version } = resolved.reference
  const vault = (await vaults.at(scope)).find((one) => one.id === id)
  const facts = (await vault?.names.namesQuietly())?.find(name)
  const outcome = found.outcome ?? hydrations.outcomeOf(scope, text)
  const target = { reference: text, scope, environment }
  return new vscode.Hover(card({ target, name, isPinned: version !== undefined, vault, facts, outcome }), range)
}

interface About {
  target: Target
  name: string
  /** Whether the reference stays at a version. */
  isPinned: boolean
  vault: Vault | undefined
  facts: (Facts & { tags: Record<string, string> }) | undefined
  /** What came of it, when it is hydrated somewhere. */
  outcome: Outcome | undefined
}

/** Metadata and two commands. Only those two may be run from it, and everything else is escaped. */
function card({ target, name, isPinned, vault, facts, outcome }: About): vscode.MarkdownString {
  const { t } = vscode.l10n
  const text = new vscode.MarkdownString('', true)
  text.isTrusted = { enabledCommands: ['postern.peek', 'postern.copy', 'postern.signIn'] }
  text.appendMarkdown('$(shield) ').appendText(name)
  if (vault === undefined) return text.appendMarkdown(`\n\n[${t('Sign in to see more')}](command:postern.signIn)`)
  if (outcome) text.appendText(`\n\n${describeOutcome(outcome, isPinned ? undefined : facts)}`)
  else if (facts) text.appendText(`\n\n${describe(facts)}`)
  else text.appendText(`\n\n${t('Not in the list: a provider keeps it, it is hidden from you, or it is not there')}`)
  const detours = outcome && 'secret' in outcome ? reasonsOf(outcome.secret) : []
  for (const line of detours) text.appendText(`\n${line}`)
  for (const [key, value] of Object.entries(facts?.tags ?? {})) text.appendText(`\n${key}: ${value}`)
  if (outcome && 'error' in outcome) return text
  const given = { ...target, scope: String(target.scope) }
  text.appendMarkdown(`\n\n[$(eye) ${t('Peek')}](${commandAddress('postern.peek', given)}) · `)
  return text.appendMarkdown(`[$(clippy) ${t('Copy for a while')}](${commandAddress('postern.copy', given)})`)
}

/** A reference that the pointer is on. */
interface At {
  text: string
  range: vscode.Range
  scope?: vscode.Uri
  environment?: string
  outcome?: Outcome | undefined
}

/** The reference at a place. Only its line is looked at. */
function referenceAt(document: vscode.TextDocument, { line, character }: vscode.Position): At | null {
  const found = findReferences(document.lineAt(line).text).find(
    ({ start, end }) => start <= character && character <= end,
  )
  return found ? { text: found.text, range: new vscode.Range(line, found.start, line, found.end) } : null
}

/** The reference behind a mask. */
function rowAt(hydrations: Hydrations, { uri }: vscode.TextDocument, { line }: vscode.Position): At | null {
  const hydration = hydrations.of(uri)
  const reference = hydration?.rows.find((row) => row.line === line)?.reference
  if (!hydration || typeof reference !== 'string') return null
  const { source: scope, environment, outcomes } = hydration
  const range = new vscode.Range(line, 0, line, Number.MAX_SAFE_INTEGER)
  return { text: reference, range, scope, environment, outcome: outcomes.get(reference) }
}

function isHydrated({ uri }: vscode.TextDocument): boolean {
  return uri.scheme === HYDRATED
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
