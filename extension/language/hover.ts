/**
 * The hover card of a reference. It shows metadata and commands, but no value.
 *
 * @module
 */
import * as vscode from 'vscode'
import { findReferences, resolve } from '../../core/text/find_references.ts'
import { HYDRATED, type HydratedDocuments } from '../hydration/documents.ts'
import { environmentFor, variablesFor } from '../settings.ts'
import { describe, describeOutcome, reasonsOf, type SecretFacts } from '../values/describe.ts'
import type { LeaseOutcome } from '../values/lease.ts'
import type { RevealTarget } from '../values/reveal.ts'
import type { SignedInVault, Vaults } from '../vaults/vaults.ts'
import { commandAddress } from '../views/links_to_tree.ts'

interface Services {
  vaults: Vaults
}

/** Registers the hover card for references in every document. */
export function registerHover(services: Services, hydrations: HydratedDocuments): vscode.Disposable {
  return vscode.languages.registerHoverProvider(
    { pattern: '**' },
    { provideHover: (document, position) => hover(services, hydrations, document, position) },
  )
}

async function hover(
  { vaults }: Services,
  hydrations: HydratedDocuments,
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.Hover | null> {
  const isHydrated = document.uri.scheme === HYDRATED
  const found = isHydrated ? rowAt(hydrations, document, position) : referenceAt(document, position)
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

/** The facts that a card shows. */
interface CardFacts {
  target: RevealTarget
  name: string
  /** Whether the reference is pinned to a version. */
  isPinned: boolean
  vault: SignedInVault | undefined
  facts: (SecretFacts & { tags: Record<string, string> }) | undefined
  /** The outcome of the reference, if a document hydrates it. */
  outcome: LeaseOutcome | undefined
}

/** Renders the metadata and the commands. The card can run only the enabled commands, and all text from a server is escaped. */
function card({ target, name, isPinned, vault, facts, outcome }: CardFacts): vscode.MarkdownString {
  const { t } = vscode.l10n
  const text = new vscode.MarkdownString('', true)
  text.isTrusted = { enabledCommands: ['postern.peek', 'postern.copy', 'postern.signIn'] }
  text.appendMarkdown('$(shield) ').appendText(name)
  if (vault === undefined) return text.appendMarkdown(`\n\n[${t('Sign in to see more')}](command:postern.signIn)`)
  if (outcome) text.appendText(`\n\n${describeOutcome(outcome, isPinned ? undefined : facts)}`)
  else if (facts) text.appendText(`\n\n${describe(facts)}`)
  else text.appendText(`\n\n${t('Not listed. It may be in a provider, hidden from you, or missing')}`)
  const detours = outcome && 'secret' in outcome ? reasonsOf(outcome.secret) : []
  for (const line of detours) text.appendText(`\n${line}`)
  for (const [key, value] of Object.entries(facts?.tags ?? {})) text.appendText(`\n${key}: ${value}`)
  if (outcome && 'error' in outcome) return text
  const given = { ...target, scope: String(target.scope) }
  text.appendMarkdown(`\n\n[$(eye) ${t('Peek')}](${commandAddress('postern.peek', given)}) · `)
  return text.appendMarkdown(`[$(clippy) ${t('Copy Temporarily')}](${commandAddress('postern.copy', given)})`)
}

/** The reference under the pointer. */
interface ReferenceAt {
  text: string
  range: vscode.Range
  scope?: vscode.Uri
  environment?: string
  outcome?: LeaseOutcome | undefined
}

/** Finds the reference at a position. Searches only its line. */
function referenceAt(document: vscode.TextDocument, { line, character }: vscode.Position): ReferenceAt | null {
  const found = findReferences(document.lineAt(line).text).find(
    ({ start, end }) => start <= character && character <= end,
  )
  return found ? { text: found.text, range: new vscode.Range(line, found.start, line, found.end) } : null
}

/** Finds the reference behind a mask. */
function rowAt(
  hydrations: HydratedDocuments,
  { uri }: vscode.TextDocument,
  { line }: vscode.Position,
): ReferenceAt | null {
  const hydration = hydrations.of(uri)
  const reference = hydration?.rows.find((row) => row.line === line)?.reference
  if (!hydration || typeof reference !== 'string') return null
  const { source: scope, environment, outcomes } = hydration
  const range = new vscode.Range(line, 0, line, Number.MAX_SAFE_INTEGER)
  return { text: reference, range, scope, environment, outcome: outcomes.get(reference) }
}
