/**
 * Demonstrating proof of possession (DPoP, RFC 9449): a token that only the holder of a key can use. This file checks
 * proofs; `dpop_proof.ts` makes them.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { calculateJwkThumbprint, decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose'
import { base64url, concat, equal, parseBase64url, utf8 } from '../bytes.ts'
import { refusal } from '../errors.ts'
import { addressOf } from './dpop_proof.ts'

// The signature algorithms of every runtime, with the one curve of each (RFC 9449 section 4.2).
const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', EdDSA: 'Ed25519', Ed25519: 'Ed25519' }
/** How long a nonce is issued. It is accepted for twice as long. */
export const NONCE_PERIOD_MS = 60_000
const MAX_PROOF_LENGTH = 4096
/** The tolerance for the clock of a client, either way. */
export const CLOCK_TOLERANCE_MS = 300_000
const MAX_JTI_LENGTH = 128

/** The facts of a valid proof. */
export interface Proof {
  /** The thumbprint of the key (RFC 7638). */
  jkt: string
  /** Identifies the proof, which is accepted once: a hash of key, address and `jti`. */
  id: string
  /** The thumbprint of the key to which the response must be sealed, if the proof names one. */
  seal: string | null
}

/** The request that a proof must match. */
export interface Expected {
  method: string
  /** The public URL of the request; query and fragment do not count. */
  url: string
  /** The access token of the request; `null` if there is none yet. */
  token: string | null
  nonceKey: Uint8Array
  /** Earlier keys whose nonces are accepted too. */
  otherNonceKeys?: readonly Uint8Array[]
  /** Milliseconds since the Unix epoch. */
  now: number
}

/**
 * Checks a proof by the list of RFC 9449 section 4.3, except for replay, which the vault checks.
 *
 * A server nonce is always required. A proof made ahead of time is therefore useless, and the clock of the client
 * hardly matters.
 *
 * @param header The `DPoP` header. Hostile input.
 * @throws {PosternError} `unauthenticated`, with the reason `use_dpop_nonce` when only the nonce is wrong.
 */
export async function verifyProof(header: string, expected: Expected): Promise<Proof> {
  const { payload, jwk } = await verified(header)
  const { htm, htu, jti, ath, nonce, iat, postern_seal: seal = null } = payload
  const wanted = expected.token === null ? undefined : base64url(sha256(utf8(expected.token)))
  if (htm !== expected.method || !sameAddress(htu, expected.url) || ath !== wanted) throw refusal('unauthenticated')
  if (typeof iat !== 'number' || Math.abs(expected.now - iat * 1000) > CLOCK_TOLERANCE_MS)
    throw refusal('unauthenticated')
  if (typeof jti !== 'string' || jti.length < 1 || jti.length > MAX_JTI_LENGTH) throw refusal('unauthenticated')
  if (seal !== null && typeof seal !== 'string') throw refusal('unauthenticated')
  const nonceKeys = [expected.nonceKey, ...(expected.otherNonceKeys ?? [])]
  if (!nonceKeys.some((key) => isOurNonce(nonce, key, expected.now))) throw refusal('use_dpop_nonce')
  const jkt = await calculateJwkThumbprint(jwk, 'sha256')
  return { jkt, id: base64url(sha256(utf8(JSON.stringify([jkt, htu, jti])))), seal }
}

/** The current nonce: the minute and a MAC of it. Nothing has to be stored. */
export function nonceAt(nonceKey: Uint8Array, now: number): string {
  const bucket = new Uint8Array(8)
  new DataView(bucket.buffer).setBigUint64(0, BigInt(Math.floor(now / NONCE_PERIOD_MS)))
  return base64url(concat(bucket, hmac(sha256, nonceKey, bucket).subarray(0, 16)))
}

/** Checks the form, the key and the signature. Every flaw gives the same refusal. */
async function verified(header: string): Promise<{ payload: Record<string, unknown>; jwk: JWK }> {
  try {
    // Two headers arrive joined by a comma, which no token has.
    if (header.length > MAX_PROOF_LENGTH || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(header)) throw refusal('unauthenticated')
    const { alg = '', jwk: given } = decodeProtectedHeader(header)
    const jwk = publicPart(given, alg)
    const key = await importJWK(jwk, alg)
    const { payload } = await jwtVerify(header, key, { algorithms: [alg], typ: 'dpop+jwt' })
    return { payload, jwk }
  } catch {
    throw refusal('unauthenticated')
  }
}

/** Returns only the members of the thumbprint. A private member or another curve is refused. */
function publicPart(jwk: unknown, alg: string): JWK {
  const { kty, crv, x, y, ...rest } = (jwk ?? {}) as Record<string, unknown>
  const secretMembers = ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth']
  const wellFormed = typeof crv === 'string' && crv === CURVES[alg] && typeof x === 'string'
  if (!wellFormed || secretMembers.some((member) => member in rest)) throw refusal('unauthenticated')
  if (kty === 'OKP' && y === undefined) return { crv, kty, x }
  if (kty === 'EC' && typeof y === 'string') return { crv, kty, x, y }
  throw refusal('unauthenticated')
}

function sameAddress(claimed: unknown, url: string): boolean {
  return (
    typeof claimed === 'string' &&
    URL.canParse(claimed) &&
    !/[?#]/.test(claimed) &&
    addressOf(claimed) === addressOf(url)
  )
}

function isOurNonce(nonce: unknown, nonceKey: Uint8Array, now: number): boolean {
  const given = typeof nonce === 'string' && nonce.length < 64 ? parseBase64url(nonce) : null
  if (given === null) return false
  return [now, now - NONCE_PERIOD_MS].some((at) => equal(given, parseBase64url(nonceAt(nonceKey, at))!))
}
