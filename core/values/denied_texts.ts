/**
 * Searches a value for many texts at once: Aho and Corasick, "Efficient string matching" (1975).
 *
 * Searching for each text in turn costs their number times the length of the value. A policy with a thousand texts would
 * block every vault of the process at each large write.
 *
 * @module
 */

/** The key of a transition: a state and a code unit. */
const UNITS = 0x10000

/** A set of texts to search for. Construction is linear in their length, a search linear in the value's length. */
export class DeniedTexts {
  readonly #next = new Map<number, number>()
  /** The fallback of each state, for a code unit without a transition. */
  readonly #fallback: number[] = [0]
  /** The states that complete a text. */
  readonly #ends = new Set<number>()

  constructor(texts: readonly string[]) {
    for (const text of texts) this.#add(text)
    this.#link()
  }

  /** Whether a value contains one of the texts. */
  areIn(value: string): boolean {
    if (this.#ends.has(0)) return true
    let state = 0
    for (let at = 0; at < value.length; at++) {
      state = this.#step(state, value.charCodeAt(at))
      if (this.#ends.has(state)) return true
    }
    return false
  }

  #add(text: string): void {
    let state = 0
    for (let at = 0; at < text.length; at++) {
      const key = state * UNITS + text.charCodeAt(at)
      const known = this.#next.get(key)
      if (known === undefined) this.#next.set(key, this.#fallback.push(0) - 1)
      state = known ?? this.#fallback.length - 1
    }
    this.#ends.add(state)
  }

  /**
   * Finds the fallback of each state: the longest other state with the same ending. The fallback may have been created
   * later, so states are processed by depth and not by number.
   */
  #link(): void {
    const steps = Map.groupBy(this.#next, ([key]) => Math.floor(key / UNITS))
    for (let layer = [0]; layer.length > 0; ) {
      const below: number[] = []
      for (const state of layer) {
        for (const [key, to] of steps.get(state) ?? []) {
          if (state !== 0) this.#fallback[to] = this.#step(this.#fallback[state]!, key % UNITS)
          if (this.#ends.has(this.#fallback[to]!)) this.#ends.add(to)
          below.push(to)
        }
      }
      layer = below
    }
  }

  #step(from: number, unit: number): number {
    for (let state = from; ; state = this.#fallback[state]!) {
      const to = this.#next.get(state * UNITS + unit)
      if (to !== undefined) return to
      if (state === 0) return 0
    }
  }
}
