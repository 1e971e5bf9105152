/**
 * Cursors of lists, sealed: a cursor holds the name at which the next page begins.
 *
 * @module
 */
import { base64url, concat, parseBase64url, parseUtf8, randomBytes, utf8 } from '../bytes.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { badRequest } from '../errors.ts'
import { NAME_MAX_LENGTH } from '../name_grammar.ts'

const IV_SIZE = 12
/** Every name is padded to one length, so that a cursor does not tell the length of a hidden name. */
const PADDED_LENGTH = NAME_MAX_LENGTH + 1

/**
 * Seals the name at which the next page of a list begins. The reader must neither see the name, which may be hidden
 * from it, nor choose one: with names of its own choice it could search for others.
 *
 * @param list The list that the cursor belongs to. No other list takes it.
 */
export async function sealCursor(keyring: Keyring, vault: string, list: string, name: string): Promise<string> {
  const iv = randomBytes(IV_SIZE)
  const params = { name: 'AES-GCM', iv, additionalData: utf8(list) }
  const sealed = await crypto.subtle.encrypt(params, await cursorKey(keyring, vault), utf8(name.padEnd(PADDED_LENGTH)))
  return base64url(concat(iv, new Uint8Array(sealed)))
}

/**
 * Opens a cursor, under any of the configured root keys.
 *
 * @param cursor Hostile input.
 * @throws {PosternError} `bad_request` when this list did not return it.
 */
export async function openCursor(keyring: Keyring, vault: string, list: string, cursor: string): Promise<string> {
  const bytes = parseBase64url(cursor)
  for (const ring of bytes === null ? [] : keyring.all) {
    try {
      const params = { name: 'AES-GCM', iv: bytes!.subarray(0, IV_SIZE), additionalData: utf8(list) }
      const name = await crypto.subtle.decrypt(params, await cursorKey(ring, vault), bytes!.subarray(IV_SIZE))
      return parseUtf8(new Uint8Array(name))?.trimEnd() ?? ''
    } catch {
      // It may be sealed under another root key.
    }
  }
  throw badRequest('cursor', 'Cursor must be one that this list returned')
}

async function cursorKey(keyring: Keyring, vault: string): Promise<CryptoKey> {
  const key = await keyring.macKey(vault, 'cursor')
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt'])
}
