/**
 * Generates secret values by a recipe from the platform's random generator, uniformly.
 *
 * @module
 */

import { wordlist } from '@scure/bip39/wordlists/english.js'
import { type Bytes, base64, base64url, hex, randomBytes, utf8 } from '../bytes.ts'
import { DEFAULT_CONTENT_TYPE } from '../encoding.ts'
import { badRequest } from '../errors.ts'
import { Redacted } from '../redacted.ts'
import { type CharacterClass, CLASSES, classOf, type StrengthPolicy } from './strength.ts'

/** The recipe for a generated value. */
export type Recipe =
  | { kind: 'password'; length: number; alphabet?: string | undefined; require?: readonly CharacterClass[] | undefined }
  | { kind: 'passphrase'; words: number; separator: string }
  | { kind: 'hex' | 'base64' | 'base64url'; bytes: number }
  | { kind: 'uuid' }
  | { kind: 'ed25519'; format: 'pem' | 'jwk' }
  | { kind: 'rsa'; bits: 2048 | 3072 | 4096; format: 'pem' | 'jwk' }

/** The weakest recipe in bits, regardless of policies: an offline attack would find a weaker value. */
export const MIN_BITS = 80

/** Visible ASCII without quotes, backslash and backtick, which break shells and connection strings. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+,-./:;<=>?@[]^_{|}~'

/** The default recipe: 205 bits. */
export const DEFAULT_RECIPE: Recipe = { kind: 'password', length: 32, require: CLASSES }

/**
 * Generates a value.
 *
 * @returns Its bytes, always ASCII text. An RSA key can take seconds.
 */
export async function generate(recipe: Recipe): Promise<Redacted<Bytes>> {
  switch (recipe.kind) {
    case 'password':
      return redacted(password(recipe))
    case 'passphrase':
      return redacted(
        Array.from({ length: recipe.words }, () => wordlist[uniform(wordlist.length)]).join(recipe.separator),
      )
    case 'hex':
      return redacted(hex(randomBytes(recipe.bytes)))
    case 'base64':
      return redacted(base64(randomBytes(recipe.bytes)))
    case 'base64url':
      return redacted(base64url(randomBytes(recipe.bytes)))
    case 'uuid':
      return redacted(crypto.randomUUID())
    case 'ed25519':
      return keyPair('Ed25519', recipe.format)
    case 'rsa': {
      const about = { modulusLength: recipe.bits, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' }
      return keyPair({ name: 'RSASSA-PKCS1-v1_5', ...about }, recipe.format)
    }
  }
}

/** The content type of generated values. */
export function contentTypeOf(recipe: Recipe): string {
  if (!('format' in recipe)) return DEFAULT_CONTENT_TYPE.utf8
  return recipe.format === 'pem' ? 'application/x-pem-file' : 'application/jwk+json'
}

/** The strength of a recipe in bits: the base-2 logarithm of the number of values, or the security level of a key. */
export function recipeBits(recipe: Recipe): number {
  switch (recipe.kind) {
    case 'password':
      return Math.max(0, log2(passwords(recipe)))
    case 'passphrase':
      return recipe.words * Math.log2(wordlist.length)
    case 'hex':
    case 'base64':
    case 'base64url':
      return recipe.bytes * 8
    case 'uuid':
      return 122
    case 'ed25519':
      return 128
    case 'rsa':
      // NIST SP 800-57 part 1, table 2. 4096 bits are between two rows.
      return recipe.bits === 2048 ? 112 : 128
  }
}

/**
 * Adapts a recipe to a policy: a password gets the required length and classes.
 *
 * @throws {PosternError} `bad_request` if that is impossible: too little entropy, or an alphabet without a class.
 */
export function underPolicy(recipe: Recipe, policy: StrengthPolicy | null): Recipe {
  const asked = policy === null || recipe.kind !== 'password' ? recipe : strengthened(recipe, policy)
  if (asked.kind === 'password' && passwords(asked) === 0n) {
    throw badRequest('generate', 'Alphabet and length must have room for every required class')
  }
  const minBits = Math.max(MIN_BITS, policy?.minEntropyBits ?? 0)
  if (recipeBits(asked) < minBits) throw badRequest('generate', `Must make values of at least ${minBits} bits`)
  return asked
}

function strengthened(recipe: Recipe & { kind: 'password' }, policy: StrengthPolicy): Recipe {
  const { requireUpper, requireLower, requireDigit, requireSpecial } = policy
  const asked = { upper: requireUpper, lower: requireLower, digit: requireDigit, special: requireSpecial }
  const require = CLASSES.filter((one) => asked[one] || recipe.require?.includes(one))
  return { ...recipe, length: Math.max(recipe.length, policy.minLength), require }
}

/**
 * Returns a uniform random number from 0 up to `below`, by rejection: a modulo alone would be biased.
 *
 * @param below At most 65536.
 */
export function uniform(below: number): number {
  const fair = 65_536 - (65_536 % below)
  for (;;) {
    const [high = 0, low = 0] = randomBytes(2)
    const drawn = high * 256 + low
    if (drawn < fair) return drawn % below
  }
}

/** Draws whole passwords until one has every class. Assigning classes to positions would be biased. */
function password(recipe: Recipe & { kind: 'password' }): string {
  const alphabet = [...(recipe.alphabet ?? ALPHABET)]
  for (;;) {
    const chars = Array.from({ length: recipe.length }, () => alphabet[uniform(alphabet.length)]!)
    const classes = new Set(chars.map(classOf))
    if ((recipe.require ?? []).every((one) => classes.has(one))) return chars.join('')
  }
}

/** The number of passwords of a recipe: all, minus those that lack a class (inclusion-exclusion). */
function passwords({ length, alphabet = ALPHABET, require = [] }: Recipe & { kind: 'password' }): bigint {
  const sizes = new Map<ReturnType<typeof classOf>, number>()
  for (const char of alphabet) sizes.set(classOf(char), (sizes.get(classOf(char)) ?? 0) + 1)
  const required = [...new Set(require)]
  if (required.some((one) => !sizes.has(one))) return 0n
  let count = 0n
  for (let subset = 0; subset < 1 << required.length; subset++) {
    const lacking = required.filter((_, i) => subset & (1 << i))
    const left = lacking.reduce((sum, one) => sum - sizes.get(one)!, alphabet.length)
    count += (lacking.length % 2 === 0 ? 1n : -1n) * BigInt(left) ** BigInt(length)
  }
  return count
}

/** The base-2 logarithm of a large number, to within a millionth. */
function log2(n: bigint): number {
  if (n <= 0n) return 0
  const digits = n.toString(2).length
  const shift = Math.max(0, digits - 53)
  return Math.log2(Number(n >> BigInt(shift))) + shift
}

type KeyAlgorithm = 'Ed25519' | { name: string; modulusLength: number; publicExponent: Bytes; hash: string }

/** Exports a key pair: the private key in PKCS #8 and the public key in SPKI, or one JWK with both. */
async function keyPair(algorithm: KeyAlgorithm, format: 'pem' | 'jwk'): Promise<Redacted<Bytes>> {
  const pair = (await crypto.subtle.generateKey(algorithm as 'Ed25519', true, ['sign', 'verify'])) as CryptoKeyPair
  if (format === 'jwk') {
    // Usages and extractability describe the platform's key object, not the key.
    const {
      key_ops: _,
      ext: __,
      alg: ___,
      ...jwk
    } = (await crypto.subtle.exportKey('jwk', pair.privateKey)) as JsonWebKey
    return redacted(JSON.stringify(jwk))
  }
  const privateKey = new Uint8Array((await crypto.subtle.exportKey('pkcs8', pair.privateKey)) as ArrayBuffer)
  const publicKey = new Uint8Array((await crypto.subtle.exportKey('spki', pair.publicKey)) as ArrayBuffer)
  return redacted(`${pem('PRIVATE KEY', privateKey)}${pem('PUBLIC KEY', publicKey)}`)
}

/** RFC 7468: lines of 64 characters. */
function pem(label: string, der: Bytes): string {
  return `-----BEGIN ${label}-----\n${base64(der).replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
}

function redacted(text: string): Redacted<Bytes> {
  return new Redacted(utf8(text))
}
