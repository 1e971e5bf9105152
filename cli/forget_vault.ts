/**
 * Gives up the content of a vault: `npm run forget -- VAULT`, while no server runs. The next start takes its file as it is;
 * without a file, a ticket makes a new vault.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { PosternError } from '../core/errors.ts'
import { parseVaultId } from '../core/names.ts'
import { DEFAULT_VAULT } from '../worker/local/bootstrap_ticket.ts'
import { fileOfVault } from '../worker/local/data_folder.ts'
import { openKeyring } from '../worker/local/open_keyring.ts'
import { hasRootKeyFile } from '../worker/local/root_key_files.ts'
import { readLocalSettings } from '../worker/local/settings.ts'
import { VaultList } from '../worker/local/vault_list.ts'
import { confirm, runCommand } from './command.ts'

async function forget(id: string, yes: boolean): Promise<string> {
  const vault = parseVaultId(id)
  const settings = readLocalSettings()
  const data = resolve(settings.data)
  if (!existsSync(data)) throw new PosternError('bad_request', `POSTERN_DATA: ${data} does not exist`)
  if (settings.rootKey === undefined && !hasRootKeyFile(data))
    throw new PosternError('bad_request', 'POSTERN_ROOT_KEY: Must be set, or the root key be in the data folder')
  const { keyring } = await openKeyring(settings, data)
  const file = fileOfVault(data, vault)
  const next = existsSync(file) ? `The next start takes ${file} as it is` : 'A ticket makes a new, empty vault'
  const list = await VaultList.open(data, keyring)
  // The default vault may be missing in a folder with a root key and no list, which a start refuses.
  if (list.find(vault) === null && vault !== DEFAULT_VAULT)
    throw new PosternError('bad_request', `No vault ${vault} was served from ${data}: there is nothing to forget`)
  await confirm(`Forget the vault ${vault} of ${data}? ${next}`, yes)
  list.forget(vault)
  return `The vault ${vault} is forgotten. ${next}`
}

await runCommand({
  help: `
npm run forget -- VAULT [--yes]

Gives up the content of a vault whose file was emptied, deleted or replaced, when no backup of it can be restored. Run it
while no server runs. The next start takes the file as it is; without a file, a ticket makes a new vault.

  --yes   skips the question, for use without a terminal`,
  options: { yes: { type: 'boolean' } },
  arguments: ['VAULT'],
  run: ({ yes }, [vault = '']) => forget(vault, yes === true),
  failure: 'Vault cannot be forgotten',
})
