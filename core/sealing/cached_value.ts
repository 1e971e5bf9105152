/**
 * Sealing of cached provider values: each is sealed under a key of its own and bound to its place.
 *
 * @module
 */

import type { Bytes } from '../bytes.ts'
import { type DekCache, open, seal } from '../crypto/envelope.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Redacted } from '../redacted.ts'
import type { CachedValue } from '../vault/chains/cache_store.ts'

/** The facts to which a cached value is bound, besides its vault and its name. */
type Place = Omit<CachedValue, 'kid' | 'sealed'>

/** Seals a value for its place in the cache. */
export async function sealCached(
  keyring: Keyring,
  vault: string,
  value: Redacted<Bytes>,
  place: Place,
): Promise<CachedValue> {
  const kek = await keyring.cacheKek(vault)
  return { ...place, kid: kek.kid, sealed: await seal(kek, value.reveal(), bindingOf(vault, place)) }
}

/** Opens a cached value; `null` if it was moved or changed, or if its root key is not configured. */
export async function openCached(
  keyring: Keyring,
  cache: DekCache,
  vault: string,
  value: CachedValue,
): Promise<Redacted<Bytes> | null> {
  try {
    return await open(await keyring.kek(vault, value.kid), value.sealed, bindingOf(vault, value), cache)
  } catch {
    return null
  }
}

/**
 * The additional data covers every fact about the value, so a row can neither be moved to another secret nor made
 * younger.
 */
function bindingOf(vault: string, place: Place) {
  const { name, asked, revision, provider, version, contentType, encoding, createdAt, expiresAt, fetchedAt } = place
  const { tags = null } = place
  // Without tags as in 0.1, whose rows still open.
  const more = tags === null ? [] : [tags]
  const rest = [asked, revision, provider, version, contentType, encoding, createdAt, expiresAt, ...more]
  return { vault, name, version: BigInt(fetchedAt), contentType: JSON.stringify(rest) }
}
