/**
 * Keyed hashes about secrets at providers. They are keyed because a bare hash of a value is an oracle for guesses.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, hex, utf8 } from '../bytes.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Redacted } from '../redacted.ts'

/** The idempotency key of a write at a provider, equal for each repeat of that write: 64 hexadecimal digits. */
export async function writeKey(keyring: Keyring, vault: string, about: readonly unknown[]): Promise<string> {
  return hex(hmac(sha256, await keyring.macKey(vault, 'request'), utf8(JSON.stringify(['provider', ...about]))))
}

/** A digest that tells whether two replicas have the same value, and nothing else. */
export async function replicaDigest(
  keyring: Keyring,
  vault: string,
  name: string,
  value: Redacted<Bytes>,
): Promise<string> {
  const mac = hmac.create(sha256, await keyring.macKey(vault, 'replica'))
  // The digest covers the name, so that equal values of two secrets do not look equal.
  return hex(
    mac
      .update(utf8(`${name}\0`))
      .update(value.reveal())
      .digest(),
  )
}
