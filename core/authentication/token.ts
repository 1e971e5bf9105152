/**
 * API tokens, `pst_<vault>_<secret><tag>`, and session tokens, `pss_<vault>_<secret><tag>`.
 *
 * ```text
 * secret = 32 random bytes
 * mac    = HMAC-SHA-256(token key of the vault, "<prefix>_<vault>_" || secret), 32 bytes
 * tag    = mac[0:16]    travels in the token
 * hash   = mac[16:32]   is stored, and is all that is stored
 * ```
 *
 * `secret || tag` is written in base62, 65 characters, so that a double click selects a whole
 * token. The tag lets the edge refuse a guessed token before any vault is asked; the hash finds
 * the token's row. One half of a MAC tells nothing of the other, so a thief of the table can make
 * no token, and a token alone reveals no hash.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, concat, equal, randomBytes, utf8 } from '../bytes.ts'
import { Redacted } from '../redacted.ts'

const SECRET_SIZE = 32
const TAG_SIZE = 16
const TEXT_LENGTH = 65
const TOKEN = /^(pst|pss)_([a-z0-9-]{1,32})_([0-9A-Za-z]{65})$/
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The kinds of tokens: an API token is long-lived, a session is short-lived and may be bound to a key. */
export type TokenKind = 'token' | 'session'
const PREFIX = { token: 'pst', session: 'pss' } as const

/** A token whose tag is valid. It may still be unknown, expired or revoked. */
export interface Token {
  kind: TokenKind
  vault: string
  /** The hash by which the vault finds it: 16 bytes. */
  hash: Bytes
}

/** Makes a new token for a vault. The text is shown once; only the hash is kept. */
export function mintToken(
  vault: string,
  tokenKey: Uint8Array,
  kind: TokenKind = 'token',
): { text: Redacted<string>; hash: Bytes } {
  const secret = randomBytes(SECRET_SIZE)
  const head = `${PREFIX[kind]}_${vault}_`
  const mac = macOf(tokenKey, head, secret)
  const text = head + base62(concat(secret, mac.subarray(0, TAG_SIZE)))
  return { text: new Redacted(text), hash: mac.slice(TAG_SIZE) }
}

/** Reads the vault's id out of a token, without checking it; `null` when it has no token's shape. */
export function vaultOfToken(text: string): string | null {
  return TOKEN.exec(text)?.[2] ?? null
}

/**
 * Checks a token's shape and tag.
 *
 * @param text Hostile input.
 * @returns `null` if it is not a token of the vault under this key. Which check failed is not disclosed.
 */
export function parseToken(text: string, tokenKey: Uint8Array): Token | null {
  const [, prefix, vault, payload] = TOKEN.exec(text) ?? []
  if (vault === undefined || payload === undefined) return null
  const bytes = parseBase62(payload, SECRET_SIZE + TAG_SIZE)
  if (bytes === null) return null
  const mac = macOf(tokenKey, `${prefix}_${vault}_`, bytes.subarray(0, SECRET_SIZE))
  if (!equal(mac.subarray(0, TAG_SIZE), bytes.subarray(SECRET_SIZE))) return null
  return { kind: prefix === PREFIX.session ? 'session' : 'token', vault, hash: mac.slice(TAG_SIZE) }
}

// The keyed state after the pads, which is half of the work of so short a MAC. Freed with the key.
const keyed = new WeakMap<Uint8Array, ReturnType<typeof hmac.create>>()

function macOf(tokenKey: Uint8Array, head: string, secret: Uint8Array): Bytes {
  const start = keyed.get(tokenKey) ?? hmac.create(sha256, tokenKey)
  keyed.set(tokenKey, start)
  return start.clone().update(utf8(head)).update(secret).digest() as Bytes
}

/** Writes 48 bytes as 65 base62 digits, most significant first. */
function base62(bytes: Uint8Array): string {
  let n = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  let text = ''
  for (let i = 0; i < TEXT_LENGTH; i++, n /= 62n) text = ALPHABET[Number(n % 62n)] + text
  return text
}

/** Reads base62 digits; `null` for a number that needs more bytes, so each token has one spelling. */
function parseBase62(text: string, size: number): Bytes | null {
  // 24 bits each, least significant first: four digits (62^4 < 2^24) more, and a carry, stay below 2^53.
  const limbs = new Float64Array(size / 3)
  for (let at = 0; at < text.length; at += 4) {
    let carry = 0
    let factor = 1
    for (let i = at; i < Math.min(at + 4, text.length); i++, factor *= 62) carry = carry * 62 + digitOf(text, i)
    for (let i = 0; i < limbs.length; i++) {
      const sum = limbs[i]! * factor + carry
      carry = Math.floor(sum / 2 ** 24)
      limbs[i] = sum - carry * 2 ** 24
    }
    if (carry > 0) return null
  }
  return Uint8Array.from({ length: size }, (_, i) => {
    const fromRight = size - 1 - i
    return limbs[Math.floor(fromRight / 3)]! >>> (8 * (fromRight % 3))
  })
}

/** The value of a base62 digit, of which a token's shape was checked before. */
function digitOf(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code < 0x3a) return code - 0x30
  return code < 0x5b ? code - 0x37 : code - 0x3d
}
