/**
 * Hashes that are kept in storage which others can read: of what the user agreed to or put aside, values among it.
 *
 * A hash without a key would let a reader test guesses, and so would one whose key lies beside it. This key is in the editor's secret
 * storage.
 *
 * @module
 */
import type * as vscode from 'vscode'
import { base64, hex, parseBase64, randomBytes, utf8 } from '../../core/bytes.ts'

const NAME = 'hash-key'
const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' }

/** Hashes a text for a purpose: equal texts of two purposes have different hashes. */
export type KeyedHash = (purpose: string, text: string) => Promise<string>

/** Makes hashes under the user's key. It is read when the first text comes. */
export function keyedHash(secrets: vscode.SecretStorage): KeyedHash {
  return hashUnder(() => storedKey(secrets))
}

/** Makes hashes under a key of this window, which is never kept. */
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
    // Another window may have stored its own meanwhile: the one that is kept counts.
    return parseBase64((await secrets.get(NAME)) ?? '') ?? randomBytes(32)
  } catch {
    // Without secret storage what was kept is not recognized, and the user is asked again.
    return randomBytes(32)
  }
}
