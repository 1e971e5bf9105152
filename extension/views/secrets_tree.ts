/**
 * The tree of secrets, with vaults, folders and names. It contains no values.
 *
 * @module
 */
import * as vscode from 'vscode'
import { REFERENCE_MIME } from '../edit/paste.ts'
import type { HydratedDocuments } from '../hydration/documents.ts'
import { command } from '../shared/command.ts'
import { showError } from '../shared/errors.ts'
import type { OutputLog } from '../shared/output_log.ts'
import { describe, expiryOf } from '../values/describe.ts'
import type { Vaults } from '../vaults/vaults.ts'
import { decorationUri, registerDecorations } from './decorations.ts'
import { registerLinks } from './links_to_tree.ts'
import { RotatableSecrets, registerRotate } from './rotate.ts'
import { nodeOf, parentOf, type TreeNode, vaultNode } from './tree_nodes.ts'

interface Services {
  log: OutputLog
  vaults: Vaults
}

/** Registers the tree with its decorations, links and commands. */
export function registerSecretsTree(services: Services, hydrations: HydratedDocuments): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>()
  const rotatable = new RotatableSecrets(services)
  const provider: vscode.TreeDataProvider<TreeNode> = {
    onDidChangeTreeData: changed.event,
    getChildren: (node) =>
      childrenOf(services, rotatable, node).catch((error) => {
        showError(error)
        return []
      }),
    getParent: parentOf,
    getTreeItem: (node) => itemOf(node, rotatable),
  }
  const drag: vscode.TreeDragAndDropController<TreeNode> = {
    dragMimeTypes: [REFERENCE_MIME],
    dropMimeTypes: [],
    handleDrag(nodes, data) {
      const references = nodes.flatMap(({ reference }) => reference ?? [])
      if (references.length > 0) data.set(REFERENCE_MIME, new vscode.DataTransferItem(references.join('\n')))
    },
  }
  const view = vscode.window.createTreeView('postern.secrets', {
    treeDataProvider: provider,
    dragAndDropController: drag,
  })
  return vscode.Disposable.from(
    changed,
    view,
    services.vaults.onDidChange(() => changed.fire()),
    registerDecorations(services, hydrations, view),
    registerLinks(services, view),
    registerRotate(services, rotatable, () => changed.fire()),
    command(services.log, 'postern.copyReference', async (node) => {
      const { reference } = Object(node) as Partial<TreeNode>
      if (typeof reference === 'string') await vscode.env.clipboard.writeText(reference)
    }),
  )
}

async function childrenOf({ vaults }: Services, rotatable: RotatableSecrets, node?: TreeNode): Promise<TreeNode[]> {
  if (node === undefined) return (await vaults.all()).map(vaultNode)
  const { vault, name } = node
  const [index] = await Promise.all([vaults.call(vault, () => vault.names.names()), rotatable.load(vault)])
  return index.children(name).map((child) => nodeOf(vault, child.name, child.label))
}

function itemOf(node: TreeNode, rotatable: RotatableSecrets): vscode.TreeItem {
  const { vault, name, label, isFolder, reference } = node
  const { t } = vscode.l10n
  const { None, Collapsed, Expanded } = vscode.TreeItemCollapsibleState
  const item = new vscode.TreeItem(label, isFolder ? (name === '' ? Expanded : Collapsed) : None)
  item.id = `${vault.origin}/${vault.id}/${vault.principal}/${name}`
  if (name === '') {
    item.description = `${vault.principal} · ${new URL(vault.origin).host}`
    item.iconPath = new vscode.ThemeIcon('shield')
    return item
  }
  item.resourceUri = decorationUri(node)
  if (isFolder) {
    item.iconPath = vscode.ThemeIcon.Folder
    item.tooltip = name
  } else {
    const metadata = vault.names.known?.find(name)
    const expiry = metadata ? expiryOf(metadata) : null
    item.iconPath = new vscode.ThemeIcon(expiry === null ? 'key' : 'warning')
    item.contextValue = rotatable.graceOf(vault, name) === undefined ? 'secret' : 'secret rotatable'
    if (metadata) item.description = describe(metadata)
    item.tooltip = [reference, item.description].filter(Boolean).join('\n')
    item.accessibilityInformation = { label: t('Secret {0}, {1}', name, item.description?.toString() ?? '') }
  }
  return item
}
