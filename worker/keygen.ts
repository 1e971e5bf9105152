/**
 * Makes what an operator has to make before the first start of a server without a data folder.
 *
 * - `npm run keygen`: a root key
 * - `npm run mint -- VAULT`: a bootstrap token for an empty vault, under POSTERN_ROOT_KEY
 *
 * @module
 */
import process from 'node:process'
import { mintToken } from '../core/access/token.ts'
import { base64url, randomBytes } from '../core/bytes.ts'
import { Keyring, parseRootKey, ROOT_KEY_SIZE } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { parseVaultId } from '../core/secrets/name.ts'

async function make([what, vault]: string[]): Promise<string> {
  if (what === 'root') return base64url(randomBytes(ROOT_KEY_SIZE))
  const id = parseVaultId(vault ?? '')
  const keyring = await Keyring.open(parseRootKey(process.env.POSTERN_ROOT_KEY ?? '', 'POSTERN_ROOT_KEY'))
  return mintToken(id, await keyring.macKey(id, 'token')).text.reveal()
}

try {
  process.stdout.write(`${await make(process.argv.slice(2))}\n`)
} catch (error) {
  if (!(error instanceof PosternError)) throw error
  process.stderr.write(`${error.detail.field}: ${error.message}\n`)
  process.exitCode = 1
}
