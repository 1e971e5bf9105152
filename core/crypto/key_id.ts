/**
 * Ids of keys that wrap DEKs: `<root id>.<term>`, and of the cache's `<root id>.cache`.
 *
 * @module
 */

/** The part of the id of a cache key that replaces the term. */
export const CACHE = 'cache'

/** Writes the id of a key. */
export function keyId(root: string, term: number | typeof CACHE): string {
  return `${root}.${term}`
}
