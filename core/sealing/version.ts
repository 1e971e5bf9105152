/**
 * Sealing of versions. This side has keys and no rules; the vault has rules and no keys.
 *
 * @module
 */
import type { Bytes } from '../bytes.ts'
import { type Binding, type DekCache, open, seal } from '../crypto/envelope.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Encoding } from '../encoding.ts'
import type { Redacted } from '../redacted.ts'
import type { Under } from '../vault/keys/key_store.ts'
import type { SealedVersion } from '../vault/secrets/operations.ts'

/** The terms of a new vault. */
const FIRST: Under = { term: 1, root: null }

/** The place and the form of a sealed value. */
export interface VersionPlace {
  vault: string
  name: string
  version: number
  contentType: string
  encoding: Encoding
}

/** A sealed value, and the id of the key that opens it. */
export interface Sealed {
  kid: string
  sealed: Bytes
}

/**
 * Seals a value for one place, under a new DEK.
 *
 * @param under The term and root key to seal under, as the vault states them.
 * @throws {PosternError} `unavailable` if that root key is not configured.
 */
export async function sealValue(
  keyring: Keyring,
  value: Redacted<Bytes>,
  place: VersionPlace,
  { term, root }: Under = FIRST,
): Promise<Sealed> {
  const kek = await keyring.of(root).currentKek(place.vault, term)
  return { kid: kek.kid, sealed: await seal(kek, value.reveal(), bindingOf(place)) }
}

/**
 * Opens a version of a secret.
 *
 * @returns `tampered` if it was moved or changed, or is not an envelope; `no_key` if it needs a root key that the
 *   keyring does not have.
 */
export async function openVersion(
  keyring: Keyring,
  cache: DekCache,
  vault: string,
  { name, version, kid, sealed, contentType, encoding }: SealedVersion,
): Promise<Redacted<Bytes> | 'tampered' | 'no_key'> {
  if (!keyring.has(kid)) return 'no_key'
  try {
    const kek = await keyring.kek(vault, kid)
    return await open(kek, sealed, bindingOf({ vault, name, version, contentType, encoding }), cache)
  } catch {
    // Any flaw, in the envelope or in the facts that it is bound to, means that the row is not the one that was
    // written.
    return 'tampered'
  }
}

function bindingOf({ vault, name, version, contentType, encoding }: VersionPlace): Binding {
  // The content type and encoding are part of the value.
  return { vault, name, version: BigInt(version), contentType: `${encoding};${contentType}` }
}
