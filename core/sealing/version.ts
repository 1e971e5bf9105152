/**
 * Between a value and what the vault keeps of it. This side has keys and no rights; the vault has
 * rights and no keys.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, base64url, concat, parseBase64url, parseUtf8, randomBytes, utf8 } from '../bytes.ts'
import { type Binding, type DekCache, open, seal } from '../crypto/envelope.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { badRequest } from '../errors.ts'
import { NAME_MAX_LENGTH } from '../names.ts'
import type { Redacted } from '../redacted.ts'
import type { Under } from '../vault/keys/key_store.ts'
import type { SealedVersion } from '../vault/secrets/operations.ts'
import type { Encoding } from '../vault/secrets/store.ts'

/** Of a vault that has just begun. */
const FIRST: Under = { term: 1, root: null }

/** What a value is sealed as. */
export interface Place {
  vault: string
  name: string
  version: number
  contentType: string
  encoding: Encoding
}

/** A sealed value and the id of the key that it needs. */
export interface Sealed {
  kid: string
  sealed: Bytes
}

/**
 * Seals a value for one place, under a new key.
 *
 * @param under The key of the vault to seal under, as the vault says it.
 * @throws {PosternError} `unavailable` when its root key is not here.
 */
export async function sealValue(
  keyring: Keyring,
  value: Redacted<Bytes>,
  place: Place,
  { term, root }: Under = FIRST,
): Promise<Sealed> {
  const kek = await keyring.of(root).currentKek(place.vault, term)
  return { kid: kek.kid, sealed: await seal(kek, value.reveal(), bindingOf(place)) }
}

/**
 * Opens a version of a secret.
 *
 * @returns `tampered` when it was moved, changed, or is no envelope at all; `no_key` when it needs
 *   another root key.
 */
export async function openVersion(
  keyring: Keyring,
  cache: DekCache,
  vault: string,
  { name, version, kid, sealed, contentType, encoding }: SealedVersion,
): Promise<Redacted<Bytes> | 'tampered' | 'no_key'> {
  if (!keyring.has(kid)) return 'no_key'
  try {
    const kek = await keyring.kek(vault, kid)
    return await open(kek, sealed, bindingOf({ vault, name, version, contentType, encoding }), cache)
  } catch {
    // Whatever is wrong with the row, of the envelope or of what it is bound to: it is not what was written.
    return 'tampered'
  }
}

/**
 * Keyed hashes of a request, to tell a repeat of it from another under the same idempotency key: one a root key, that
 * which is to be kept first.
 */
export async function fingerprints(keyring: Keyring, vault: string, request: unknown): Promise<string[]> {
  const text = utf8(JSON.stringify(request))
  const of = async (ring: Keyring) => base64url(hmac(sha256, await ring.macKey(vault, 'request'), text))
  return Promise.all(keyring.all.map(of))
}

const IV_SIZE = 12
/** Names are padded to one length: how long a hidden one is must not be told either. */
const CURSOR_SIZE = NAME_MAX_LENGTH + 1

/**
 * Seals the place in a list to go on from. It is a name, perhaps one that the reader must not see, and
 * one that it must not choose: by going on from names of its own it could find others.
 *
 * @param list What is listed: a cursor goes on in the same list only.
 */
export async function sealCursor(keyring: Keyring, vault: string, list: string, name: string): Promise<string> {
  const iv = randomBytes(IV_SIZE)
  const params = { name: 'AES-GCM', iv, additionalData: utf8(list) }
  const sealed = await crypto.subtle.encrypt(params, await cursorKey(keyring, vault), utf8(name.padEnd(CURSOR_SIZE)))
  return base64url(concat(iv, new Uint8Array(sealed)))
}

/**
 * Opens a cursor.
 *
 * @throws {PosternError} `bad_request` when it is not one of this list.
 */
export async function openCursor(keyring: Keyring, vault: string, list: string, cursor: string): Promise<string> {
  const bytes = parseBase64url(cursor)
  for (const ring of bytes === null ? [] : keyring.all) {
    try {
      const params = { name: 'AES-GCM', iv: bytes!.subarray(0, IV_SIZE), additionalData: utf8(list) }
      const name = await crypto.subtle.decrypt(params, await cursorKey(ring, vault), bytes!.subarray(IV_SIZE))
      return parseUtf8(new Uint8Array(name))?.trimEnd() ?? ''
    } catch {
      // Of another root key, perhaps.
    }
  }
  throw badRequest('cursor', 'Cursor must be one that this list returned')
}

async function cursorKey(keyring: Keyring, vault: string): Promise<CryptoKey> {
  const key = await keyring.macKey(vault, 'cursor')
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

function bindingOf({ vault, name, version, contentType, encoding }: Place): Binding {
  // How a value is given back belongs to what it is.
  return { vault, name, version: BigInt(version), contentType: `${encoding};${contentType}` }
}
