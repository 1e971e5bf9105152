/**
 * The nodes of the tree of secrets: vaults, folders and names.
 *
 * @module
 */
import { formatReference } from '../../core/reference.ts'
import type { SignedInVault } from '../vaults/vaults.ts'

/** A vault, a folder in it, or a secret. */
export interface TreeNode {
  vault: SignedInVault
  /** The name so far; ends with a slash for a folder, and is empty for a vault. */
  name: string
  label: string
  isFolder: boolean
  /** For the commands beside a secret. */
  reference?: string
}

/** The node of a vault. */
export function vaultNode(vault: SignedInVault): TreeNode {
  return { vault, name: '', label: vault.id, isFolder: true }
}

/** The node of a folder, or of a secret. */
export function nodeOf(vault: SignedInVault, name: string, label = lastSegment(name)): TreeNode {
  const isFolder = name.endsWith('/')
  return { vault, name, label, isFolder, ...(!isFolder && { reference: formatReference({ vault: vault.id, name }) }) }
}

/** The node above. */
export function parentOf({ vault, name }: TreeNode): TreeNode | undefined {
  if (name === '') return undefined
  const folder = name.slice(0, name.slice(0, -1).lastIndexOf('/') + 1)
  return folder === '' ? vaultNode(vault) : nodeOf(vault, folder)
}

function lastSegment(name: string): string {
  return name.slice(name.slice(0, -1).lastIndexOf('/') + 1)
}
