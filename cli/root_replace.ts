/**
 * Makes a new root key in the data folder: `npm run root:replace`. The next start moves the vaults to it; a server that is
 * running continues with the one before.
 *
 * @module
 */
import { resolve } from 'node:path'
import { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { replaceRootKeyFile } from '../worker/local/root_key_files.ts'
import { readLocalSettings } from '../worker/local/settings.ts'
import { confirm, runCommand } from './command.ts'

async function replace(yes: boolean): Promise<string> {
  const settings = readLocalSettings()
  if (settings.rootKey !== undefined) {
    throw new PosternError(
      'bad_request',
      'POSTERN_ROOT_KEY is set: make a key with npm run keygen, set it there, and set POSTERN_FORMER_ROOT_KEYS to the one before',
    )
  }
  const data = resolve(settings.data)
  await confirm(`Replace the root key in ${data}?`, yes)
  const { rootKey, former } = replaceRootKeyFile(data)
  const [{ rootId: to }, { rootId: from }] = [await Keyring.open(rootKey), await Keyring.open(former)]
  return [
    `Root key ${to} is in ${data}/root.key; ${from}, which it replaces, is in ${data}/root.former.key`,
    'Back up both, and restart the server. It logs when the former one can be removed',
  ].join('\n')
}

await runCommand({
  help: `
npm run root:replace -- [--yes]

Makes a new root key in the data folder. The one before moves to root.former.key, and the server needs it until all vaults
are moved to the new one. Back up both.

  --yes   skips the question, for use without a terminal`,
  options: { yes: { type: 'boolean' } },
  run: ({ yes }) => replace(yes === true),
  failure: 'Root key was not replaced',
})
