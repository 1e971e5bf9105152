/**
 * The nodes of the tree of secrets, which are vaults, folders and names.
 *
 * @module
 */
import { formatReference } from '../../core/reference.ts'
import type { SignedInVault } from '../vaults/vaults.ts'

/** A vault, a folder in it, or a secret. */
export interface TreeNode {
  vault: SignedInVault
  /** The full name. It ends with a slash for a folder and is empty for a vault. */
  name: string
  label: string
  isFolder: boolean
  /** The reference to a secret, for the commands on its row. Missing for a vault or a folder. */
  reference?: string
}

/** Returns the node of a vault. */
export function vaultNode(vault: SignedInVault): TreeNode {
  return { vault, name: '', label: vault.id, isFolder: true }
}

/** Returns the node of a folder or a secret. */
export function nodeOf(vault: SignedInVault, name: string, label = lastSegment(name)): TreeNode {
  const isFolder = name.endsWith('/')
  return { vault, name, label, isFolder, ...(!isFolder && { reference: formatReference({ vault: vault.id, name }) }) }
}

/** Returns the parent of a node, or `undefined` for a vault. */
export function parentOf({ vault, name }: TreeNode): TreeNode | undefined {
  if (name === '') return undefined
  const folder = name.slice(0, name.slice(0, -1).lastIndexOf('/') + 1)
  return folder === '' ? vaultNode(vault) : nodeOf(vault, folder)
}

function lastSegment(name: string): string {
  return name.slice(name.slice(0, -1).lastIndexOf('/') + 1)
}
