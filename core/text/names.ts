/**
 * Names of secrets, kept sorted so that completing one is a search, however many there are.
 *
 * @module
 */

/** One step down from a prefix: a folder, or a secret. */
export interface Child {
  /** The segment, with a slash behind when there is more below. */
  label: string
  name: string
  isFolder: boolean
}

/** Names in order. Looking one up costs log2 of their number. */
export class NameIndex<T extends { name: string }> {
  readonly #items: readonly T[]

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

  /** Those that begin with a prefix, in order, up to a limit. */
  startingWith(prefix: string, limit = Number.POSITIVE_INFINITY): T[] {
    const found: T[] = []
    for (let at = this.#from(prefix); found.length < limit; at++) {
      const item = this.#items[at]
      if (item === undefined || !item.name.startsWith(prefix)) break
      found.push(item)
    }
    return found
  }

  /** The names after a prefix, one segment at a time. Whole folders are skipped without being walked. */
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

  /** The first item that is not before a name. */
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
