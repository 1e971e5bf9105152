/**
 * Keyed hashes of the user's consents and ignored findings, which can contain values. Other programs can read the storage that
 * holds the hashes.
 *
 * Without a key, or with the key in the same storage, a reader could test guesses against the hashes. The key is in the editor's
 * secret storage.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { base64, hex, parseBase64, randomBytes, utf8 } from '../../core/bytes.ts'

const NAME = 'hash-key'
const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' }

/** Hashes a text for a purpose. Equal texts have different hashes for different purposes. */
export type KeyedHash = (purpose: string, text: string) => Promise<string>

/** Makes a hash under the user's key, which is read from the secret storage on first use. */
export function keyedHash(secrets: vscode.SecretStorage): KeyedHash {
  return hashUnder(() => storedKey(secrets))
}

/** Makes a hash under a random key, which is never stored. Its hashes are valid in this window only. */
export function windowHash(): KeyedHash {
  return hashUnder(async () => randomBytes(32))
}

function hashUnder(load: () => Promise<Uint8Array<ArrayBuffer>>): KeyedHash {
  let key: Promise<CryptoKey> | undefined
  return async (purpose, text) => {
    key ??= load().then((bytes) => crypto.subtle.importKey('raw', bytes, ALGORITHM, false, ['sign']))
    const signed = await crypto.subtle.sign('HMAC', await key, utf8(JSON.stringify([purpose, text])))
    return hex(new Uint8Array(signed))
  }
}

async function storedKey(secrets: vscode.SecretStorage): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const kept = parseBase64((await secrets.get(NAME)) ?? '')
    if (kept?.length === 32) return kept
    await secrets.store(NAME, base64(randomBytes(32)))
    // Another window may have stored its key meanwhile. All windows use the stored key.
    return parseBase64((await secrets.get(NAME)) ?? '') ?? randomBytes(32)
  } catch {
    // Without secret storage, earlier hashes do not match, so Postern asks the user again.
    return randomBytes(32)
  }
}
