/**
 * The key hierarchy: root key → KEK, one a vault and term → DEK, one a version.
 *
 * Every key below the root is derived from it by HKDF-SHA-512 (RFC 5869) with its own label, so
 * that the root key is the only key to back up, and the only one to lose. A key id (`kid`) reads
 * `<root id>.<term>`; it names exactly one KEK of a vault, and opening never tries another.
 *
 * @module
 */
import { LRUCache } from 'lru-cache'
import { type Bytes, concat, hex, parseBase64url, parseHex, utf8 } from '../bytes.ts'
import { badRequest, refusal } from '../errors.ts'
import { Redacted } from '../redacted.ts'
import type { NoteSigner } from '../tlog/signed_note.ts'
import { CACHE, keyId } from './key_id.ts'

/** The size of a root key, in bytes. */
export const ROOT_KEY_SIZE = 32
const ED25519_PKCS8 = parseHex('302e020100300506032b657004220420')!

/** A key encryption key: AES-KW, 256 bit, non-extractable. */
export interface Kek {
  kid: string
  key: CryptoKey
}

/**
 * The purposes of MACs, each with its own key: API and session tokens (`authentication/token.ts`), tickets
 * (`authentication/ticket.ts`), fingerprints of requests (keyed, since a bare hash of a value is an oracle), DPoP
 * nonces, recovery codes, cursors of lists, aliases of names in the log, digests that compare replicas, and the list of
 * the vaults of a server.
 */
export type MacPurpose =
  | 'token'
  | 'ticket'
  | 'request'
  | 'nonce'
  | 'recovery'
  | 'cursor'
  | 'alias'
  | 'replica'
  | 'vaults'

/** Root keys besides the current one. */
export interface OtherRoots {
  formerRootKeys?: readonly Redacted<Bytes>[]
  nextRootKey?: Redacted<Bytes> | undefined
}

/**
 * Parses a root key: 32 bytes in base64url, 43 characters.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseRootKey(text: string, field = 'rootKey'): Redacted<Bytes> {
  const bytes = parseBase64url(text)
  if (bytes?.length !== ROOT_KEY_SIZE) throw badRequest(field, 'Root key must be 32 bytes in base64url, 43 characters')
  return new Redacted(bytes)
}

/** Derives and caches the keys of a root key, and holds the keyrings of the other configured root keys. */
export class Keyring {
  readonly #root: CryptoKey
  readonly #rootId: string
  readonly #former: readonly Keyring[]
  readonly #next: Keyring | null
  // Bounded: an attacker who chooses vault ids must not fill the memory.
  readonly #keks = new LRUCache<string, Promise<Kek>>({ max: 1000 })
  readonly #macKeys = new LRUCache<string, Bytes>({ max: 4000 })

  private constructor(root: CryptoKey, rootId: string, { former, next }: { former: Keyring[]; next: Keyring | null }) {
    this.#root = root
    this.#rootId = rootId
    this.#former = former
    this.#next = next
  }

  /**
   * Opens a keyring. Root keys are imported as non-extractable; drop your copies afterwards.
   *
   * @param others Root keys that open and verify but seal nothing new: earlier root keys, and the next one.
   */
  static async open(rootKey: Redacted<Bytes>, { formerRootKeys = [], nextRootKey }: OtherRoots = {}): Promise<Keyring> {
    const root = await crypto.subtle.importKey('raw', rootKey.reveal(), 'HKDF', false, ['deriveKey', 'deriveBits'])
    const former = await Promise.all(formerRootKeys.map((one) => Keyring.open(one)))
    const next = nextRootKey === undefined ? null : await Keyring.open(nextRootKey)
    return new Keyring(root, hex(await derive(root, label('root-id'), 8)), { former, next })
  }

  /** The id of the root key, which reveals nothing of it: 16 hexadecimal digits. */
  get rootId(): string {
    return this.#rootId
  }

  /** The ids of the earlier root keys. */
  get formerIds(): string[] {
    return this.#former.map(({ rootId }) => rootId)
  }

  /** One keyring per root key, this one first. */
  get all(): readonly Keyring[] {
    return [this, ...this.#former, ...(this.#next === null ? [] : [this.#next])]
  }

  /**
   * Returns the keyring of one root key.
   *
   * @param rootId `null` for this one.
   * @throws {PosternError} `unavailable` if that root key is not configured.
   */
  of(rootId: string | null): Keyring {
    const ring = rootId === null ? this : this.all.find((one) => one.rootId === rootId)
    if (ring === undefined) throw refusal('no_key')
    return ring
  }

  /** Whether a key id names a configured root key. */
  has(kid: string): boolean {
    return !/^[0-9a-f]{16}\./.test(kid) || this.all.some(({ rootId }) => kid.startsWith(`${rootId}.`))
  }

  /**
   * Returns the KEK for new versions of a vault.
   *
   * @param term The current term, as the vault states it. The vault refuses versions that are sealed under another.
   */
  async currentKek(vault: string, term = 1): Promise<Kek> {
    return this.kek(vault, keyId(this.#rootId, term))
  }

  /**
   * The KEK of a vault with this id, under any of the root keys.
   *
   * @throws {PosternError} `unavailable` if the keyring does not have the root key that the id names.
   * @throws {RangeError} if the id is malformed.
   */
  async kek(vault: string, kid: string): Promise<Kek> {
    const [rootId = '', term = '', ...rest] = kid.split('.')
    if (rootId !== this.#rootId) return this.of(rootId).kek(vault, kid)
    if (term === CACHE && rest.length === 0) return this.cacheKek(vault)
    if (rest.length > 0 || !/^[1-9][0-9]{0,8}$/.test(term)) throw new RangeError('Key id is malformed')
    const cacheKey = `${vault}/${kid}`
    const cached = this.#keks.get(cacheKey)
    if (cached) return cached
    const kek = this.#deriveKek(kid, label('kek', vault, u32be(Number(term))))
    this.#keks.set(cacheKey, kek)
    return kek
  }

  /** Returns the KEK for the cache of a vault. Cached values are not secrets of the vault. */
  async cacheKek(vault: string): Promise<Kek> {
    const kid = keyId(this.#rootId, CACHE)
    const cacheKey = `${vault}/${kid}`
    const cached = this.#keks.get(cacheKey)
    if (cached) return cached
    const kek = this.#deriveKek(kid, label('cache-kek', vault))
    this.#keks.set(cacheKey, kek)
    return kek
  }

  /** The 32-byte key of a vault for one purpose. */
  async macKey(vault: string, purpose: MacPurpose): Promise<Bytes> {
    const cacheKey = `${vault}/${purpose}`
    const cached = this.#macKeys.get(cacheKey)
    if (cached) return cached
    const bytes = await derive(this.#root, label(purpose, vault), 32)
    this.#macKeys.set(cacheKey, bytes)
    return bytes
  }

  /** The key of a term that signs the checkpoints of a vault under a name: see `tlog/signed_note.ts`. */
  async noteSigner(vault: string, name: string, term = 1): Promise<NoteSigner> {
    const seed = await derive(this.#root, label('log', vault, u32be(term)), 32)
    // PKCS #8 of an Ed25519 key (RFC 8410 section 7), the only form that all runtimes import.
    const pkcs8 = concat(ED25519_PKCS8, seed)
    const carrier = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign'])
    const { x = '' } = (await crypto.subtle.exportKey('jwk', carrier)) as JsonWebKey
    const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign'])
    seed.fill(0)
    pkcs8.fill(0)
    return { name, privateKey, publicKey: parseBase64url(x)! }
  }

  async #deriveKek(kid: string, info: Bytes): Promise<Kek> {
    const key = await crypto.subtle.deriveKey(hkdf(info), this.#root, { name: 'AES-KW', length: 256 }, false, [
      'wrapKey',
      'unwrapKey',
    ])
    return { kid, key }
  }
}

/** `postern/<purpose>/v1`, then each part after its length, so that no two labels collide. */
function label(purpose: string, vault = '', ...parts: Uint8Array[]): Bytes {
  const bytes = [utf8(vault), ...parts].flatMap((part) => [Uint8Array.of(part.length), part])
  return concat(utf8(`postern/${purpose}/v1`), Uint8Array.of(0), ...bytes)
}

function u32be(n: number): Bytes {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, n)
  return out
}

function hkdf(info: Bytes) {
  // No salt: the root key is uniformly random already (RFC 5869 section 3.1).
  return { name: 'HKDF', hash: 'SHA-512', salt: new Uint8Array(0), info }
}

async function derive(root: CryptoKey, info: Bytes, size: number): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.deriveBits(hkdf(info), root, size * 8))
}
