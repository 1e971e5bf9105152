/**
 * The client side of sealed responses: the key of one request, and opening a response that `seal_to.ts` sealed to it.
 *
 * It supports the only form of JWE (RFC 7516) that it requests, ECDH-ES with A256GCM, on WebCrypto: a library for all
 * forms would be most of the size of a client, and would have to be restricted to this one.
 *
 * @module
 */

import { type Bytes, base64url, concat, parseBase64url, parseUtf8, utf8 } from '../bytes.ts'
import { PosternError } from '../errors.ts'
import { digestOf, publicJwkOf } from './jwk.ts'

const ALG = 'ECDH-ES'
const ENC = 'A256GCM'
const KEY_BITS = 256
const IV_BYTES = 12
const TAG_BYTES = 16

/** The key of a client for one request. */
export interface SealKey {
  /** The `Postern-Seal-To` header: the public half. */
  header: string
  thumbprint: string
  privateKey: CryptoKey
}

/** Makes the key for one request. Its private half cannot be exported. */
export async function makeSealKey(): Promise<SealKey> {
  const ecdh = { name: 'ECDH', namedCurve: 'P-256' }
  const pair = (await crypto.subtle.generateKey(ecdh, false, ['deriveBits'])) as CryptoKeyPair
  const { crv, kty, x, y } = await publicJwkOf(pair.publicKey)
  const jwk = JSON.stringify({ crv, kty, x, y })
  // RFC 7638 hashes the members in this order.
  return { header: base64url(utf8(jwk)), thumbprint: await digestOf(jwk), privateKey: pair.privateKey }
}

/**
 * Opens a sealed response.
 *
 * @param jwe Hostile input.
 * @throws {PosternError} `tampered` if it is not the response to this request, sealed to this key.
 */
export async function openSealed(jwe: string, { privateKey, thumbprint }: SealKey, requestId: string): Promise<Bytes> {
  try {
    const [protectedHeader = '', encryptedKey, ...rest] = jwe.split('.')
    const [iv, ciphertext, tag] = rest.map((part) => parseBase64url(part))
    const { alg, enc, zip, crit, epk, apu, apv } = JSON.parse(parseUtf8(parseBase64url(protectedHeader)!)!)
    const isOurs = apu === base64url(utf8(requestId)) && apv === base64url(utf8(thumbprint))
    // Direct agreement has no encrypted key (RFC 7518 section 4.5). Compression and extensions were not requested.
    const isForm = alg === ALG && enc === ENC && zip === undefined && crit === undefined && encryptedKey === ''
    if (!isOurs || !isForm || rest.length !== 3 || iv?.length !== IV_BYTES || tag?.length !== TAG_BYTES) throw wrong()
    const key = await contentKey(privateKey, epk, concat(sized(utf8(requestId)), sized(utf8(thumbprint))))
    const gcm = { name: 'AES-GCM', iv, additionalData: utf8(protectedHeader), tagLength: TAG_BYTES * 8 }
    return new Uint8Array(await crypto.subtle.decrypt(gcm, key, concat(ciphertext!, tag)))
  } catch {
    throw wrong()
  }
}

/** Derives the content key with the ephemeral key, by one round of the Concat KDF of RFC 7518 section 4.6.2. */
async function contentKey(privateKey: CryptoKey, epk: unknown, parties: Bytes): Promise<CryptoKey> {
  const { algorithm } = privateKey
  const { kty, crv, x, y } = Object(epk) as JsonWebKey
  // This rejects a point off the curve; a point of low order is rejected below.
  const publicKey = await crypto.subtle.importKey(
    'jwk',
    { kty, crv, x, ...(y && { y }) } as JsonWebKey,
    algorithm,
    false,
    [],
  )
  const shared = await crypto.subtle.deriveBits({ name: algorithm.name, public: publicKey }, privateKey, KEY_BITS)
  const input = concat(u32be(1), new Uint8Array(shared), sized(utf8(ENC)), parties, u32be(KEY_BITS))
  const key = await crypto.subtle.digest('SHA-256', input)
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt'])
}

/** Bytes after their length. */
function sized(bytes: Bytes): Bytes {
  return concat(u32be(bytes.length), bytes)
}

function u32be(n: number): Bytes {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, n)
  return out
}

function wrong(): PosternError {
  return new PosternError('tampered', 'Sealed answer cannot be opened')
}
