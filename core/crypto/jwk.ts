/**
 * Public keys as JSON Web Keys (RFC 7517), and the digest that identifies one.
 *
 * @module
 */
import { base64url, utf8 } from '../bytes.ts'

/** A public key of P-256 as a JWK (RFC 7518 section 6.2.1): the members that identify it. */
export interface PublicJwk {
  kty: string
  crv: string
  x: string
  y: string
}

/** Exports a public key as a JWK, without its usages. */
export async function publicJwkOf(key: CryptoKey): Promise<PublicJwk> {
  const { kty, crv, x, y } = (await crypto.subtle.exportKey('jwk', key)) as JsonWebKey
  return { kty: kty!, crv: crv!, x: x!, y: y! }
}

/** SHA-256 in base64url. */
export async function digestOf(text: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(text))))
}
