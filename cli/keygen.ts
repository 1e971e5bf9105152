/**
 * Makes a root key and prints it: `npm run keygen`. It is kept nowhere else.
 *
 * @module
 */
import { base64url, randomBytes } from '../core/bytes.ts'
import { ROOT_KEY_SIZE } from '../core/crypto/keyring.ts'
import { runCommand } from './command.ts'

await runCommand({
  help: `npm run -s keygen

Prints a new root key: 32 random bytes in base64url. Write it to a file that only you can read:
(umask 077; npm run -s keygen > root.key)`,
  run: async () => base64url(randomBytes(ROOT_KEY_SIZE)),
  failure: 'Root key cannot be made',
})
