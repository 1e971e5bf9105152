/**
 * Turns references into links to the tree of secrets.
 *
 * @module
 */
import * as vscode from 'vscode'
import { findReferences, resolve } from '../../core/text/find_references.ts'
import { HYDRATED } from '../hydration/documents.ts'
import { environmentFor, variablesFor } from '../settings.ts'
import { command } from '../shared/command.ts'
import { explainMalformed } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import type { Vaults } from '../vaults/vaults.ts'
import { nodeOf, type TreeNode } from './tree_nodes.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
}

const MAX_LINKED_CHARS = 256 * 1024
const MAX_LINKS = 1000

/** Registers the links on references, and the command that they run. */
export function registerLinks(services: Services, view: vscode.TreeView<TreeNode>): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.languages.registerDocumentLinkProvider({ pattern: '**' }, { provideDocumentLinks: linksOf }),
    command(services.log, 'postern.showInTree', (reference, scope) => showInTree(services, view, reference, scope)),
  )
}

/**
 * Returns the address of a command with its arguments. Parentheses are encoded too, because they would end a link in Markdown
 * and `encodeURIComponent` keeps them.
 */
export function commandAddress(command: string, ...given: unknown[]): string {
  const args = encodeURIComponent(JSON.stringify(given))
  return `command:${command}?${args.replaceAll('(', '%28').replaceAll(')', '%29')}`
}

/** Creates a link for each reference without a lookup. Whether the secret exists is checked when the user follows the link. */
function linksOf(document: vscode.TextDocument): vscode.DocumentLink[] {
  const text = document.uri.scheme === HYDRATED ? '' : document.getText().slice(0, MAX_LINKED_CHARS)
  const scope = document.uri.toString()
  return findReferences(text)
    .slice(0, MAX_LINKS)
    .map(({ text: reference, start, end }) => {
      const range = new vscode.Range(document.positionAt(start), document.positionAt(end))
      const link = new vscode.DocumentLink(
        range,
        vscode.Uri.parse(commandAddress('postern.showInTree', reference, scope)),
      )
      link.tooltip = vscode.l10n.t('Show in Secrets View')
      return link
    })
}

/** Reveals a listed secret in the tree. Any extension can call the command, so it fetches no value. */
async function showInTree(
  { vaults }: Services,
  view: vscode.TreeView<TreeNode>,
  reference: unknown,
  given: unknown,
): Promise<void> {
  const { t } = vscode.l10n
  const scope = typeof given === 'string' ? vscode.Uri.parse(given) : undefined
  const resolved = resolve(String(reference), variablesFor(environmentFor(scope)))
  if (!('reference' in resolved)) {
    const why =
      'missing' in resolved ? t('The variable {0} is not set', resolved.missing) : explainMalformed(resolved.malformed)
    return void vscode.window.showWarningMessage(`Postern: ${why}`)
  }
  const { vault: id, name } = resolved.reference
  const vault = await vaults.find(id, scope)
  const index = await vaults.call(vault, () => vault.names.names())
  if (index.find(name) === undefined) {
    const message = t('Not listed. It may be in a provider, hidden from you, or missing')
    return void vscode.window.showWarningMessage(`Postern: ${message}: ${name}`)
  }
  await view.reveal(nodeOf(vault, name), { select: true, focus: true, expand: true })
}
