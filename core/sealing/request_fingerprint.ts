/**
 * Fingerprints of requests: they tell a repeat of a request from a different request under the same idempotency key.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { base64url, utf8 } from '../bytes.ts'
import type { Keyring } from '../crypto/keyring.ts'

/** Computes the keyed hash of a request under each configured root key. The first is the one to store. */
export async function fingerprints(keyring: Keyring, vault: string, request: unknown): Promise<string[]> {
  const text = utf8(JSON.stringify(request))
  const of = async (ring: Keyring) => base64url(hmac(sha256, await ring.macKey(vault, 'request'), text))
  return Promise.all(keyring.all.map(of))
}
