/**
 * The client side of DPoP (RFC 9449): its key, and the proofs that it signs.
 *
 * WebCrypto signs, and the rest is JSON: a library would be most of the size of a client.
 *
 * @module
 */

import { base64url, utf8 } from '../bytes.ts'
import { digestOf, type PublicJwk, publicJwkOf } from '../crypto/jwk.ts'

/** A key pair whose possession a client proves. */
export interface ProofKey {
  privateKey: CryptoKey
  publicJwk: PublicJwk
}

/** Makes a key for a client. Its private half cannot be exported. */
export async function makeProofKey(): Promise<ProofKey> {
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }
  // The types of Workers do not relate the kind of key to the result.
  const pair = (await crypto.subtle.generateKey(ecdsa, false, ['sign', 'verify'])) as CryptoKeyPair
  const { privateKey, publicKey } = pair
  return { privateKey, publicJwk: await publicJwkOf(publicKey) }
}

/** Makes a proof for one request: a JWT, signed with ES256. */
export async function makeProof(
  { privateKey, publicJwk }: ProofKey,
  about: { method: string; url: string; token: string | null; nonce: string | null; seal?: string },
): Promise<string> {
  const { method, url, token, nonce, seal } = about
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk }
  const claims = {
    htm: method,
    htu: addressOf(url),
    ...(token !== null && { ath: await digestOf(token) }),
    ...(nonce !== null && { nonce }),
    ...(seal !== undefined && { postern_seal: seal }),
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000),
  }
  const input = [header, claims].map((part) => base64url(utf8(JSON.stringify(part)))).join('.')
  // The signature of WebCrypto is r and s concatenated, as in RFC 7518 section 3.4.
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, utf8(input))
  return `${input}.${base64url(new Uint8Array(signature))}`
}

/**
 * Scheme, host and path, normalised (RFC 3986 sections 6.2.2 and 6.2.3). Empty for a URL with credentials, which no
 * proof can be for.
 */
export function addressOf(url: string): string {
  const { protocol, username, password, host, pathname } = new URL(url)
  return username || password ? '' : `${protocol}//${host}${pathname}`
}
