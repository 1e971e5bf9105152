/**
 * The root keys of a server: from its settings, or from its data folder.
 *
 * @module
 */
import { Keyring } from '../../core/crypto/keyring.ts'
import type { Settings } from '../../core/settings/settings.ts'
import { type RootKeyFiles, readRootKeyFiles } from './root_key_files.ts'
import { findRootKeyHint } from './settings.ts'

/**
 * Opens the root keys from the settings, or else from the data folder, where one is made if nothing says that there was
 * one.
 *
 * @returns The keyring, and the source of the root key in words for the operator.
 * @throws {PosternError} `bad_request` when the root key is missing or malformed.
 */
export async function openKeyring(settings: Settings, data: string): Promise<{ keyring: Keyring; origin: string }> {
  const { rootKey, origin, former } = rootsOf(settings, data)
  const formerRootKeys = [...former, ...settings.formerRootKeys]
  return { keyring: await Keyring.open(rootKey, { formerRootKeys, nextRootKey: settings.nextRootKey }), origin }
}

function rootsOf({ rootKey }: Settings, data: string): RootKeyFiles {
  return rootKey === undefined
    ? readRootKeyFiles(data, findRootKeyHint)
    : { rootKey, origin: 'from POSTERN_ROOT_KEY', former: [] }
}
