/**
 * Values in the legacy format, `nonce:tag:ciphertext` in hexadecimal: AES-256-GCM without additional data. Read only by
 * an import that asks for the format, and never written.
 *
 * @module
 */
import { scryptAsync } from '@noble/hashes/scrypt.js'
import { type Bytes, concat, parseHex, utf8 } from '../bytes.ts'
import { badRequest, PosternError } from '../errors.ts'
import { Redacted } from '../redacted.ts'

/** The form of a value in the legacy format. */
export const LEGACY_FORMAT = 'nonce:tag:ciphertext'
const NONCE_SIZE = 12
const TAG_SIZE = 16
const KEY_SIZE = 32
const MIN_SALT_SIZE = 16
const MAX_SALT_SIZE = 1024
const MAX_VALUE_SIZE = 64 * 1024

/** Parameters of scrypt (RFC 7914). */
export interface ScryptParameters {
  salt: Bytes
  n: number
  r: number
  p: number
}

/** Bounds of the key derivation: weaker parameters were never safe, and costlier ones attack the reader. */
const N = { least: 2 ** 14, most: 2 ** 20 }
const R = { least: 8, most: 32 }
const P = { least: 1, most: 16 }
const MAX_MEMORY = 256 * 1024 * 1024
const MAX_COST = 2 ** 23

/**
 * Derives the key of such values from a passphrase.
 *
 * @throws {PosternError} `bad_request` for parameters that are too weak or too costly; before any work is done.
 */
export async function legacyKey(
  passphrase: Redacted<string>,
  { salt, n, r, p }: ScryptParameters,
): Promise<Redacted<Bytes>> {
  if (salt.length < MIN_SALT_SIZE || salt.length > MAX_SALT_SIZE)
    throw badRequest('salt', `Must have ${MIN_SALT_SIZE} to ${MAX_SALT_SIZE} bytes`)
  if (!within(n, N) || (n & (n - 1)) !== 0) throw badRequest('n', `Must be a power of two from ${N.least} to ${N.most}`)
  if (!within(r, R)) throw badRequest('r', `Must be from ${R.least} to ${R.most}`)
  if (!within(p, P)) throw badRequest('p', `Must be from ${P.least} to ${P.most}`)
  if (128 * n * r > MAX_MEMORY || n * r * p > MAX_COST)
    throw badRequest('n', 'Parameters would take too much memory or time')
  const text = passphrase.reveal()
  if (text === '' || !text.isWellFormed()) throw badRequest('passphrase', 'Must be text')
  return new Redacted(
    (await scryptAsync(utf8(text), salt, { N: n, r, p, dkLen: KEY_SIZE, maxmem: 2 * MAX_MEMORY })) as Bytes,
  )
}

/**
 * Opens a value in the legacy format.
 *
 * @param text Hostile input.
 * @throws {PosternError} `bad_request` for another form, `tampered` for a wrong key or changed bytes.
 */
export async function openLegacy(text: string, key: Redacted<Bytes>): Promise<Redacted<Bytes>> {
  if (key.reveal().length !== KEY_SIZE) throw badRequest('key', `Must be ${KEY_SIZE} bytes`)
  const parts = text.length > 2 * MAX_VALUE_SIZE + 100 ? [] : text.split(':').map(parseHex)
  const [nonce, tag, ciphertext] = parts
  if (parts.length !== 3 || nonce?.length !== NONCE_SIZE || tag?.length !== TAG_SIZE || !ciphertext) {
    throw badRequest('value', 'Must be nonce, tag and ciphertext in lower-case hexadecimal, separated by ":"')
  }
  try {
    const aes = await crypto.subtle.importKey('raw', key.reveal(), 'AES-GCM', false, ['decrypt'])
    const params = { name: 'AES-GCM', iv: nonce, tagLength: TAG_SIZE * 8 }
    return new Redacted(new Uint8Array(await crypto.subtle.decrypt(params, aes, concat(ciphertext, tag))))
  } catch {
    throw new PosternError('tampered', 'Value cannot be opened with this key')
  }
}

function within(n: number, { least, most }: { least: number; most: number }): boolean {
  return Number.isSafeInteger(n) && n >= least && n <= most
}
