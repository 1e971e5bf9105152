/**
 * Sealing responses to a key of the client: a compact JWE (RFC 7516), ECDH-ES with A256GCM.
 *
 * Proxies that end TLS between the edge and the client then see only ciphertext. `seal_key.ts` opens the responses.
 *
 * @module
 */
import { CompactEncrypt, calculateJwkThumbprint, importJWK, type JWK } from 'jose'
import { parseBase64url, utf8 } from '../bytes.ts'
import { badRequest } from '../errors.ts'
import { parseJson } from '../json.ts'

const ALG = 'ECDH-ES'
const ENC = 'A256GCM'
const MAX_HEADER_LENGTH = 1024
const FIELD = 'Postern-Seal-To'

/** A public key to which a response is sealed. */
export interface Recipient {
  key: CryptoKey
  thumbprint: string
}

/**
 * Reads the `Postern-Seal-To` header: a public JWK, P-256 or X25519, as JSON in base64url. Make a new
 * key for each request.
 *
 * @param header Hostile input.
 * @throws {PosternError} `bad_request`
 */
export async function parseRecipient(header: string): Promise<Recipient> {
  const wrong = badRequest(FIELD, 'Must be a public JWK, P-256 or X25519, as JSON in base64url')
  const bytes = header.length > MAX_HEADER_LENGTH ? null : parseBase64url(header)
  if (bytes === null) throw wrong
  const { kty, crv, x, y, d } = Object(parseJson(bytes, { field: FIELD })) as Record<string, unknown>
  if (typeof x !== 'string' || d !== undefined) throw wrong
  let jwk: JWK
  if (kty === 'OKP' && crv === 'X25519') jwk = { kty, crv, x }
  else if (kty === 'EC' && crv === 'P-256' && typeof y === 'string') jwk = { kty, crv, x, y }
  else throw wrong
  try {
    const recipient = {
      key: (await importJWK(jwk, ALG)) as CryptoKey,
      thumbprint: await calculateJwkThumbprint(jwk, 'sha256'),
    }
    // A point of low order imports, and would fail only in use, after the value was released.
    await sealTo(recipient, '', '')
    return recipient
  } catch {
    throw wrong
  }
}

/**
 * Seals a response. The id of the request and the thumbprint of the key enter the key derivation (apu and apv, RFC 7518
 * section 4.6), so a response cannot pass for that of another request.
 */
export async function sealTo({ key, thumbprint }: Recipient, answer: string, requestId: string): Promise<string> {
  return new CompactEncrypt(utf8(answer))
    .setProtectedHeader({ alg: ALG, enc: ENC, typ: 'postern-answer', cty: 'application/json' })
    .setKeyManagementParameters({ apu: utf8(requestId), apv: utf8(thumbprint) })
    .encrypt(key)
}
