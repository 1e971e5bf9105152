/**
 * Makes another root key in the data folder: `npm run root:replace`. A server that is started afterwards moves its vaults
 * to it; one that runs goes on with the one before.
 *
 * @module
 */
import { resolve } from 'node:path'
import { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { replaceRootFile } from '../worker/local/root_key_files.ts'
import { readLocalSettings } from '../worker/local/settings.ts'
import { confirm, runCommand } from './command.ts'

async function replace(yes: boolean): Promise<string> {
  const settings = readLocalSettings()
  if (settings.rootKey !== undefined) {
    throw new PosternError(
      'bad_request',
      'POSTERN_ROOT_KEY is set: make a key with npm run keygen, set it there, and the one before as POSTERN_FORMER_ROOT_KEYS',
    )
  }
  const data = resolve(settings.data)
  await confirm(`Replace the root key in ${data}?`, yes)
  const { rootKey, former } = replaceRootFile(data)
  const [{ rootId: to }, { rootId: from }] = [await Keyring.open(rootKey), await Keyring.open(former)]
  return [
    `Root key ${to} is in ${data}/root.key, and ${from}, whose place it takes, in ${data}/root.former.key`,
    'Back both up, and start the server anew. It says when the former one can be taken away',
  ].join('\n')
}

await runCommand({
  help: `
npm run root:replace -- [--yes]

Makes a new root key in the data folder. The one before moves to root.former.key, which the server still needs until it has
moved every vault to the new one. Back both up.

  --yes   does not ask first: for use without a terminal`,
  options: { yes: { type: 'boolean' } },
  run: ({ yes }) => replace(yes === true),
  failure: 'Root key is as it was',
})
