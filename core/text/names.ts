/**
 * The names of secrets in sorted order, so that a lookup is a binary search.
 *
 * @module
 */

import { asciiLower } from '../patterns.ts'

/** A child of a prefix: a folder or a secret. */
export interface Child {
  /** The segment, with a trailing slash for a folder. */
  label: string
  name: string
  isFolder: boolean
}

/** Sorted names. A lookup costs log2 of their number. */
export class NameIndex<T extends { name: string }> {
  readonly #items: readonly T[]
  #inLowerCase: Map<string, T[]> | null = null

  constructor(items: Iterable<T>) {
    this.#items = [...items].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  }

  get size(): number {
    return this.#items.length
  }

  find(name: string): T | undefined {
    const item = this.#items[this.#from(name)]
    return item?.name === name ? item : undefined
  }

  /** Returns an item whose name differs from a name in the case of its letters alone. Two such names are two secrets. */
  differingInCase(name: string): T | undefined {
    this.#inLowerCase ??= Map.groupBy(this.#items, (item) => asciiLower(item.name))
    return this.#inLowerCase.get(asciiLower(name))?.find((item) => item.name !== name)
  }

  /** Returns the names with a prefix, in order, up to a limit. */
  startingWith(prefix: string, limit = Number.POSITIVE_INFINITY): T[] {
    const found: T[] = []
    for (let at = this.#from(prefix); found.length < limit; at++) {
      const item = this.#items[at]
      if (item === undefined || !item.name.startsWith(prefix)) break
      found.push(item)
    }
    return found
  }

  /** Returns the children of a prefix. The contents of a folder are skipped by search and not visited. */
  children(prefix: string, limit = 500): Child[] {
    const found: Child[] = []
    for (let at = this.#from(prefix); found.length < limit; ) {
      const item = this.#items[at]
      if (item === undefined || !item.name.startsWith(prefix)) break
      const slash = item.name.indexOf('/', prefix.length)
      if (slash < 0) {
        found.push({ label: item.name.slice(prefix.lastIndexOf('/') + 1), name: item.name, isFolder: false })
        at++
        continue
      }
      const name = item.name.slice(0, slash + 1)
      found.push({ label: name.slice(prefix.lastIndexOf('/') + 1), name, isFolder: true })
      // "0" is the character after "/".
      at = this.#from(`${item.name.slice(0, slash)}0`)
    }
    return found
  }

  /** The index of the first item that is not before a name. */
  #from(name: string): number {
    let low = 0
    let high = this.#items.length
    while (low < high) {
      const mid = (low + high) >> 1
      if (this.#items[mid]!.name < name) low = mid + 1
      else high = mid
    }
    return low
  }
}
