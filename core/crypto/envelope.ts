/**
 * Envelope v1: one version of a secret, sealed under a DEK of its own.
 *
 * ```text
 * magic   2   0x50 0x53 ("PS")
 * format  1   0x01
 * suite   1   0x01: AES-KW(256) wrap, HKDF-SHA-512, 32-byte commitment, AES-256-GCM
 * kidLen  1   1 to 64
 * kid     n   ASCII, names the KEK
 * wrap    40  AES-KW(KEK, DEK), RFC 3394
 * salt    32  random
 * commit  32  HKDF-SHA-512(DEK, salt, "ps/1/commit" || suite)
 * iv      12  random
 * ct      m   AES-256-GCM(HKDF-SHA-512(DEK, salt, "ps/1/enc" || suite), iv, plaintext, aad)
 * tag     16
 * ```
 *
 * The commitment is there because AES-GCM is not committing: without it a ciphertext can be made
 * that opens under two keys. The DEK is used for one encryption only, so the limits of random IVs
 * (NIST SP 800-38D section 8.3) are out of reach. The kid is not in the additional data: the unwrap
 * authenticates it, and moving a DEK to another KEK leaves the rest as it is.
 *
 * @module
 */
import { LRUCache } from 'lru-cache'
import { type Bytes, base64, concat, equal, randomBytes, u64be, utf8 } from '../bytes.ts'
import { PosternError } from '../errors.ts'
import { Redacted } from '../redacted.ts'
import type { Kek } from './keyring.ts'

const MAGIC = Uint8Array.of(0x50, 0x53)
const FORMAT = 0x01
const SUITE = 0x01
const MARK = concat(MAGIC, Uint8Array.of(FORMAT, SUITE))
const DEK_SIZE = 32
const WRAP_SIZE = DEK_SIZE + 8
const SALT_SIZE = 32
const COMMIT_SIZE = 32
const IV_SIZE = 12
const TAG_SIZE = 16
const KID = /^[A-Za-z0-9._-]{1,64}$/

const PREFIX = Uint8Array.of(FORMAT, SUITE)
/** Each byte becomes another character. */
const latin1 = new TextDecoder('latin1')
const ENC_INFO = concat(utf8('ps/1/enc'), Uint8Array.of(SUITE))
const COMMIT_INFO = concat(utf8('ps/1/commit'), Uint8Array.of(SUITE))

/** The binding of a sealed value. It opens only with exactly these four facts, so no row can be moved. */
export interface Binding {
  vault: string
  name: string
  /** The version number. */
  version: bigint
  contentType: string
}

/** The parts of an envelope, as views into it. */
interface Envelope {
  kid: string
  wrap: Bytes
  salt: Bytes
  commit: Bytes
  /** The three fields above, which are adjacent. */
  key: Bytes
  iv: Bytes
  /** Ciphertext and tag, as WebCrypto takes them. */
  ciphertext: Bytes
}

/** Unwrapped DEKs, as content keys that cannot be exported. */
export type DekCache = LRUCache<string, CryptoKey>

/** Creates a cache for {@link open}. A hit saves the unwrap and two derivations. */
export function dekCache(max = 10_000): DekCache {
  return new LRUCache({ max })
}

/** Encrypts `plaintext` under a new DEK, and the DEK under `kek`. The result is 137 + kid bytes longer. */
export async function seal(kek: Kek, plaintext: Bytes, binding: Binding): Promise<Bytes> {
  const dekBytes = randomBytes(DEK_SIZE)
  const salt = randomBytes(SALT_SIZE)
  const iv = randomBytes(IV_SIZE)
  // AES-KW wraps CryptoKeys only; an HMAC key is the carrier that may be exported.
  const carrier = await crypto.subtle.importKey('raw', dekBytes, { name: 'HMAC', hash: 'SHA-512' }, true, ['sign'])
  const dek = await crypto.subtle.importKey('raw', dekBytes, 'HKDF', false, ['deriveKey', 'deriveBits'])
  dekBytes.fill(0)
  const wrap = await crypto.subtle.wrapKey('raw', carrier, kek.key, 'AES-KW')
  const params = { name: 'AES-GCM', iv, additionalData: additionalData(binding), tagLength: TAG_SIZE * 8 }
  const ciphertext = await crypto.subtle.encrypt(params, await contentKey(dek, salt), plaintext)
  const head = concat(MAGIC, Uint8Array.of(FORMAT, SUITE, kek.kid.length), utf8(kek.kid))
  return concat(head, new Uint8Array(wrap), salt, await commitment(dek, salt), iv, new Uint8Array(ciphertext))
}

/**
 * The id of the KEK that opens an envelope.
 *
 * @throws {PosternError} `tampered` if it is not an envelope.
 */
export function kidOf(sealed: Bytes): string {
  return parse(sealed).kid
}

/**
 * Decrypts an envelope of {@link seal}.
 *
 * @throws {PosternError} `tampered` for a wrong key, a wrong binding or changed bytes. Which of them is not disclosed:
 *   an attacker would learn from it.
 */
export async function open(kek: Kek, sealed: Bytes, binding: Binding, cache?: DekCache): Promise<Redacted<Bytes>> {
  const envelope = parse(sealed)
  if (envelope.kid !== kek.kid) throw new RangeError('Key is not the one that the envelope names')
  const { iv, ciphertext } = envelope
  // These bytes determine the content key and were checked together when it was derived.
  const id = `${binding.vault}/${kek.kid}/${base64(envelope.key)}`
  try {
    const cached = cache?.get(id)
    const key = cached ?? (await unwrap(kek, envelope))
    const params = { name: 'AES-GCM', iv, additionalData: additionalData(binding), tagLength: TAG_SIZE * 8 }
    const plaintext = await crypto.subtle.decrypt(params, key, ciphertext)
    // Cache only a key that opened something.
    if (cached === undefined) cache?.set(id, key)
    return new Redacted(new Uint8Array(plaintext))
  } catch {
    throw tampered()
  }
}

/** The number of bytes at the start of an envelope that a change of its KEK replaces. */
export function headSize(kid: string): number {
  return 5 + kid.length + WRAP_SIZE
}

/**
 * Wraps the DEK of an envelope under another KEK. The rest of the envelope is unchanged and need not be read.
 *
 * @param head The first {@link headSize} bytes.
 * @returns The bytes that replace them.
 * @throws {PosternError} `tampered`
 */
export async function rewrap(from: Kek, to: Kek, head: Bytes): Promise<Bytes> {
  const start = 5 + from.kid.length
  const expected = concat(MAGIC, Uint8Array.of(FORMAT, SUITE, from.kid.length), utf8(from.kid))
  if (head.length !== headSize(from.kid) || !equal(head.subarray(0, start), expected)) throw tampered()
  try {
    // Extractable only while it is wrapped again, as an HMAC key as in seal().
    const dek = await crypto.subtle.unwrapKey(
      'raw',
      head.subarray(start),
      from.key,
      'AES-KW',
      { name: 'HMAC', hash: 'SHA-512' },
      true,
      ['sign'],
    )
    const wrap = await crypto.subtle.wrapKey('raw', dek, to.key, 'AES-KW')
    return concat(MAGIC, Uint8Array.of(FORMAT, SUITE, to.kid.length), utf8(to.kid), new Uint8Array(wrap))
  } catch {
    throw tampered()
  }
}

async function unwrap(kek: Kek, { wrap, salt, commit }: Envelope): Promise<CryptoKey> {
  const dek = await crypto.subtle.unwrapKey('raw', wrap, kek.key, 'AES-KW', 'HKDF', false, ['deriveKey', 'deriveBits'])
  if (!equal(await commitment(dek, salt), commit)) throw tampered()
  return contentKey(dek, salt)
}

function contentKey(dek: CryptoKey, salt: Bytes): Promise<CryptoKey> {
  const params = { name: 'HKDF', hash: 'SHA-512', salt, info: ENC_INFO }
  return crypto.subtle.deriveKey(params, dek, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
}

async function commitment(dek: CryptoKey, salt: Bytes): Promise<Bytes> {
  const params = { name: 'HKDF', hash: 'SHA-512', salt, info: COMMIT_INFO }
  return new Uint8Array(await crypto.subtle.deriveBits(params, dek, COMMIT_SIZE * 8))
}

/** format || suite || each text behind its length || version: no two bindings give the same bytes. */
function additionalData({ vault, name, version, contentType }: Binding): Bytes {
  const [ofVault, ofName, ofType] = [boundText(vault), boundText(name), boundText(contentType)]
  return concat(PREFIX, u16be(ofVault), ofVault, u16be(ofName), ofName, u64be(version), u16be(ofType), ofType)
}

function boundText(text: string): Bytes {
  const bytes = utf8(text)
  if (bytes.length > 0xffff || !text.isWellFormed()) throw new RangeError('Text cannot be bound to an envelope')
  return bytes
}

function u16be({ length }: Bytes): Uint8Array {
  return Uint8Array.of(length >> 8, length & 0xff)
}

function parse(sealed: Bytes): Envelope {
  const kidLength = sealed[4] ?? 0
  const start = 5 + kidLength
  const bodyAt = start + WRAP_SIZE + SALT_SIZE + COMMIT_SIZE + IV_SIZE
  const kid = latin1.decode(sealed.subarray(5, start))
  if (sealed.length < bodyAt + TAG_SIZE || !equal(sealed.subarray(0, 4), MARK) || !KID.test(kid)) throw tampered()
  const commitAt = start + WRAP_SIZE + SALT_SIZE
  return {
    kid,
    wrap: sealed.subarray(start, start + WRAP_SIZE),
    salt: sealed.subarray(start + WRAP_SIZE, commitAt),
    commit: sealed.subarray(commitAt, commitAt + COMMIT_SIZE),
    key: sealed.subarray(start, commitAt + COMMIT_SIZE),
    iv: sealed.subarray(commitAt + COMMIT_SIZE, bodyAt),
    ciphertext: sealed.subarray(bodyAt),
  }
}

function tampered(): PosternError {
  return new PosternError('tampered', 'The sealed secret cannot be opened')
}
