/**
 * Tags that a store keeps with a secret: for readers, and never decisive.
 *
 * @module
 */
import { visible } from '../sanitize.ts'

/** Tags by name. */
export type StoreTags = Readonly<Record<string, string>>

/** The limits of tags that every client knows: see `tags` of `core/wire/parts.ts`. */
const PLAIN = { count: 20, key: 128, value: 256 }
/** More than any store keeps. The rest is left out. */
const MAX = { count: 64, key: 512, value: 1024 }

/** Returns the tags of a store in the order of their names; `null` if there are none. */
export function storeTags(entries: Iterable<readonly [string, string]>): StoreTags | null {
  const fitting = [...entries].filter(
    ([key, value]) => key !== '' && key.length <= MAX.key && value.length <= MAX.value,
  )
  const kept = fitting.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))).slice(0, MAX.count)
  return kept.length === 0 ? null : Object.fromEntries(kept)
}

/**
 * Writes tags for an answer: `tags` within the limits of a write, as clients of every version expect, and the others in
 * `moreTags`.
 */
export function shownTags(tags: StoreTags | null | undefined): {
  tags: Record<string, string>
  moreTags?: Record<string, string>
} {
  const all = Object.entries(tags ?? {}).map(([key, value]) => [visible(key), visible(value)] as const)
  const isPlain = ([key, value]: readonly [string, string]) => key.length <= PLAIN.key && value.length <= PLAIN.value
  const plain = all.filter(isPlain).slice(0, PLAIN.count)
  const more = all.filter((entry) => !plain.includes(entry))
  return { tags: Object.fromEntries(plain), ...(more.length > 0 && { moreTags: Object.fromEntries(more) }) }
}
