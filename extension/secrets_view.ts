/**
 * The tree of secrets: vaults, folders and names. There is no value in it.
 *
 * @module
 */
import * as vscode from 'vscode'
import { formatReference } from '../core/reference.ts'
import { describe, expiryOf } from './facts.ts'
import { complain } from './hindrance.ts'
import type { Parts } from './parts.ts'
import { REFERENCE_MIME } from './paste.ts'
import type { Vault } from './vaults.ts'

/** A vault, a folder in it, or a secret. */
interface Node {
  vault: Vault
  /** The name so far; ends with a slash for a folder, and is empty for a vault. */
  name: string
  label: string
  isFolder: boolean
  /** For the commands beside a secret. */
  reference?: string
}

export function registerSecretsView(parts: Parts): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>()
  const provider: vscode.TreeDataProvider<Node> = {
    onDidChangeTreeData: changed.event,
    getChildren: (node) =>
      childrenOf(parts, node).catch((error) => {
        complain(error)
        return []
      }),
    getTreeItem: itemOf,
  }
  const drag: vscode.TreeDragAndDropController<Node> = {
    dragMimeTypes: [REFERENCE_MIME],
    dropMimeTypes: [],
    handleDrag(nodes, data) {
      const references = nodes.flatMap(({ reference }) => reference ?? [])
      if (references.length > 0) data.set(REFERENCE_MIME, new vscode.DataTransferItem(references.join('\n')))
    },
  }
  return vscode.Disposable.from(
    changed,
    vscode.window.createTreeView('postern.secrets', { treeDataProvider: provider, dragAndDropController: drag }),
    parts.vaults.onDidChange(() => changed.fire()),
    vscode.commands.registerCommand('postern.copyReference', async (node?: Partial<Node>) => {
      if (typeof node?.reference === 'string') await vscode.env.clipboard.writeText(node.reference)
    }),
  )
}

async function childrenOf({ vaults }: Parts, node?: Node): Promise<Node[]> {
  if (node === undefined) {
    return (await vaults.all()).map((vault) => ({ vault, name: '', label: vault.id, isFolder: true }))
  }
  const { vault, name } = node
  const index = await vaults.call(vault, () => vault.names.names())
  return index.children(name).map((child) => ({
    vault,
    ...child,
    ...(!child.isFolder && { reference: formatReference({ vault: vault.id, name: child.name }) }),
  }))
}

function itemOf({ vault, name, label, isFolder, reference }: Node): vscode.TreeItem {
  const { t } = vscode.l10n
  const { None, Collapsed, Expanded } = vscode.TreeItemCollapsibleState
  const item = new vscode.TreeItem(label, isFolder ? (name === '' ? Expanded : Collapsed) : None)
  item.id = `${vault.origin}/${vault.id}/${vault.principal}/${name}`
  if (name === '') {
    item.description = `${vault.principal} · ${new URL(vault.origin).host}`
    item.iconPath = new vscode.ThemeIcon('shield')
  } else if (isFolder) item.iconPath = vscode.ThemeIcon.Folder
  else {
    const metadata = vault.names.known?.find(name)
    const expiry = metadata ? expiryOf(metadata) : null
    item.iconPath = new vscode.ThemeIcon(expiry === null ? 'key' : 'warning')
    item.contextValue = 'secret'
    if (metadata) item.description = describe(metadata)
    item.tooltip = reference ?? ''
    item.accessibilityInformation = { label: t('Secret {0}, {1}', name, item.description?.toString() ?? '') }
  }
  return item
}
