/**
 * Makes another root key in the data folder: `npm run root:replace`. A server that is started afterwards moves its vaults
 * to it; one that runs goes on with the one before.
 *
 * @module
 */
import { resolve } from 'node:path'
import process from 'node:process'
import { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { readLocalSettings } from './local.ts'
import { replaceRootFile } from './root_files.ts'

async function replace(): Promise<string> {
  const settings = readLocalSettings()
  if (settings.rootKey !== undefined) {
    throw new PosternError(
      'bad_request',
      'POSTERN_ROOT_KEY is set: make a key with npm run keygen, set it there, and the one before as POSTERN_FORMER_ROOT_KEYS',
    )
  }
  const data = resolve(settings.data)
  const { rootKey, former } = replaceRootFile(data)
  const [{ rootId: to }, { rootId: from }] = [await Keyring.open(rootKey), await Keyring.open(former)]
  return [
    `Root key ${to} is in ${data}/root.key, and ${from}, whose place it takes, in ${data}/root.former.key`,
    'Back both up, and start the server anew. It says when the former one can be taken away',
  ].join('\n')
}

try {
  process.stdout.write(`${await replace()}\n`)
} catch (error) {
  // An error of the platform, as of a disk that is full, is told by its kind.
  const kind = error instanceof Error ? ((error as { code?: string }).code ?? error.name) : 'unknown'
  process.stderr.write(`${error instanceof PosternError ? error.message : `Root key is as it was: ${kind}`}\n`)
  process.exitCode = 1
}
