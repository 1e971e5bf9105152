/**
 * Looks for any of many texts in one: Aho and Corasick, "Efficient string matching" (1975).
 *
 * Texts sought one by one cost their number times the length of the value, and a policy with a thousand of them would hold
 * up every vault of the process for each large write.
 *
 * @module
 */

/** A step from a state by a code unit: the key of both. */
const UNITS = 0x10000

/** Texts to look for. Making it takes time linear in their length, looking linear in the value's, however many there are. */
export class DeniedTexts {
  readonly #next = new Map<number, number>()
  /** For each state, the state to continue from when no edge matches. */
  readonly #fallback: number[] = [0]
  /** The states in which a text has been read to its end. */
  readonly #ends = new Set<number>()

  constructor(texts: readonly string[]) {
    for (const text of texts) this.#add(text)
    this.#link()
  }

  /** Whether one of the texts is in a value. */
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
   * Finds for each state the longest other one that ends as it does. A state has a higher number than those on the way to it,
   * but its fallback may have been made later: so the states are gone through by their depth.
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
