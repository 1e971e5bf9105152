/**
 * The vaults that may use a provider, and the part of its store that each of them reaches.
 *
 * @module
 */
import { parseName, parseVaultId } from '../names.ts'
import { list, pattern } from './reader.ts'

const VAULT_MARK = '{vault}'

/** The vaults that may use a provider, and the prefix of the names there. */
export interface Reach {
  readonly vaults: readonly string[]
  readonly namePrefix?: string | undefined
}

/** The setting for {@link Reach.vaults}. */
export const vaultList = (description: string) => list((item) => parseVaultId(item), 'vault ids', description)

/** The setting for {@link Reach.namePrefix}. */
export const prefixText = (description: string) =>
  pattern(
    /^(?:[A-Za-z0-9_][A-Za-z0-9_.+=@-]*|\{vault\})(?:\/(?:[A-Za-z0-9_][A-Za-z0-9_.+=@-]*|\{vault\})){0,3}$/,
    description,
  )

/** Returns {@link Reach.namePrefix} for a vault, in Postern's grammar of names, with a trailing slash. */
export function namePrefixOf({ namePrefix }: Reach, vault: string): string {
  return namePrefix === undefined ? '' : `${parseName(namePrefix.replaceAll(VAULT_MARK, vault))}/`
}

/** Whether each vault has its own prefix. */
export function keepsVaultsApart({ vaults, namePrefix }: Reach): boolean {
  return vaults.length <= 1 || namePrefix?.split('/').includes(VAULT_MARK) === true
}
