/**
 * A histogram as Prometheus defines it: counts by bucket, and the sum of what was observed.
 *
 * @module
 */

/** Counts observations by upper bound. */
export class Histogram {
  /** The upper bounds of the buckets, ascending. Larger values are counted in the total alone. */
  readonly bounds: readonly number[]
  readonly #buckets: number[]
  #count = 0
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.#buckets = bounds.map(() => 0)
  }

  /** Counts a value, in the unit of the bounds. */
  note(value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound)
    if (bucket >= 0) this.#buckets[bucket]!++
    this.#count++
    this.#sum += value
  }

  /** Reads the counts; each bucket includes those below it. */
  read(): { cumulative: number[]; count: number; sum: number } {
    let below = 0
    const cumulative = this.#buckets.map((count) => {
      below += count
      return below
    })
    return { cumulative, count: this.#count, sum: this.#sum }
  }
}
