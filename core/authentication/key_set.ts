/**
 * Sets of public keys (RFC 7517): which keys may verify a signature, and which of them fits a token.
 *
 * @module
 */
import type { JWK } from 'jose'
import { parseBase64url } from '../bytes.ts'

const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 16_384
// FIPS 186-5 section 5.4: e is below 2^256.
const MAX_EXPONENT_BITS = 256
/** The most keys that one token is tried with. */
const MAX_TRIES = 20

interface KeyType {
  kty: string
  crv?: string
}

/** The algorithms of signatures (RFC 7518 section 3.1, RFC 9864), each with its type of key. They are only verified here, never made. */
const ALGORITHMS: Readonly<Record<string, KeyType>> = {
  ...{ RS256: { kty: 'RSA' }, RS384: { kty: 'RSA' }, RS512: { kty: 'RSA' } },
  ...{ PS256: { kty: 'RSA' }, PS384: { kty: 'RSA' }, PS512: { kty: 'RSA' } },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
}

/** Members of a JWK that are private (RFC 7518 section 6), or the whole of a shared secret. */
export const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

const VERIFYING_MEMBERS = ['kid', 'alg', 'crv', 'n', 'e', 'x', 'y'] as const

/** Whether signatures of this algorithm are accepted. */
export function isAccepted(alg: unknown): alg is string {
  return typeof alg === 'string' && Object.hasOwn(ALGORITHMS, alg)
}

/**
 * Selects the keys of a set that may verify signatures, each without the members that are not needed for it. Keys for
 * encryption, symmetric keys, private keys, keys of other types and weak keys are left out (RFC 7517 section 5).
 *
 * @param keys Hostile input: the items of the `keys` of a set.
 */
export function usableKeys(keys: readonly unknown[]): JWK[] {
  return keys.filter(isUsable).map((key) => membersOf(key, VERIFYING_MEMBERS))
}

/** The members of a key that are public and say what it verifies. */
export function publicMembers(key: Readonly<Record<string, unknown>>): Record<string, unknown> & { kty: string } {
  return membersOf(key, [...VERIFYING_MEMBERS, 'use', 'key_ops'])
}

/**
 * Selects the keys that a token can be signed with: of its algorithm, and of its key id where the set has that id. The
 * id only selects (RFC 7515 section 4.1.4): a token without an id, or a key without one, may match any other.
 */
export function fittingKeys(keys: readonly JWK[], { alg, kid }: { alg: string; kid?: string | undefined }): JWK[] {
  const fitting = keys.filter((key) => isOfType(key, ALGORITHMS[alg]!) && (key.alg === undefined || key.alg === alg))
  const named = fitting.filter((key) => kid !== undefined && key.kid === kid)
  const unnamed = () => fitting.filter((key) => kid === undefined || key.kid === undefined)
  return (named.length > 0 ? named : unnamed()).slice(0, MAX_TRIES)
}

/**
 * Why an RSA key proves nothing: with e = 1 a signature is its own message, and some runtimes import it. The exponent
 * is odd and at least 3 (RFC 8017 section 3.1), the modulus has at least 2048 bits (RFC 7518 section 3.3), and neither
 * is so large that verifying takes long.
 *
 * @returns `null` for a sound key, and for a key of another type: runtimes refuse points that are not on their curve.
 */
export function weaknessOf({ kty, n, e }: Readonly<Record<string, unknown>>): string | null {
  if (kty !== 'RSA') return null
  const [modulus, exponent] = [integerOf(n, MAX_RSA_BITS), integerOf(e, MAX_EXPONENT_BITS)]
  if (modulus === null || modulus.toString(2).length < MIN_RSA_BITS)
    return `n must have ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, in base64url`
  if (exponent === null || exponent < 3n || exponent % 2n === 0n)
    return `e must be odd, from 3 and below 2^${MAX_EXPONENT_BITS}, in base64url`
  return null
}

/**
 * Whether a key may verify signatures by what it says about itself (RFC 7517 sections 4.2 and 4.3, and the standard of
 * JWT-SVID, section 6.1, whose sets have keys for certificates, too).
 */
export function isForSignatures({ use, key_ops: operations }: Readonly<Record<string, unknown>>): boolean {
  const isUse = use === undefined || use === 'sig' || use === 'jwt-svid'
  return isUse && (!Array.isArray(operations) || operations.includes('verify'))
}

function membersOf(
  key: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Record<string, unknown> & { kty: string } {
  const given = names.filter((name) => key[name] !== undefined)
  return { kty: String(key.kty), ...Object.fromEntries(given.map((name) => [name, key[name]])) }
}

function isUsable(key: unknown): key is Record<string, unknown> {
  if (typeof key !== 'object' || key === null || Array.isArray(key)) return false
  const members = key as Record<string, unknown>
  const ofText = [members.kid, members.alg].every((member) => member === undefined || typeof member === 'string')
  const isPublic = !PRIVATE_MEMBERS.some((name) => members[name] !== undefined)
  const isOfKnownType = Object.values(ALGORITHMS).some((type) => isOfType(members, type))
  return ofText && isPublic && isOfKnownType && isForSignatures(members) && weaknessOf(members) === null
}

function isOfType({ kty, crv }: Readonly<Record<string, unknown>>, type: KeyType): boolean {
  return kty === type.kty && (type.crv === undefined || crv === type.crv)
}

/**
 * Parses a number in base64url (RFC 7518 section 2, Base64urlUInt). Returns `null` if it is malformed or has too many
 * bits.
 */
function integerOf(text: unknown, maxBits: number): bigint | null {
  const bytes = typeof text === 'string' && text.length <= maxBits ? parseBase64url(text) : null
  if (bytes === null || bytes.length === 0) return null
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return value.toString(2).length <= maxBits ? value : null
}
