/** The upper bounds of the histogram's buckets, in milliseconds; the last is open. */
export const BUCKETS_MS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const
/** How many of the last requests the quantiles are of. */
const WINDOW = 512

/** How long requests took: quantiles of the last ones, and a histogram of all since the start. */
export class Latency {
  readonly #last: number[] = []
  readonly #buckets = BUCKETS_MS.map(() => 0)
  #count = 0
  #sumMs = 0

  note(ms: number): void {
    this.#last[this.#count % WINDOW] = ms
    this.#count++
    this.#sumMs += ms
    const bucket = BUCKETS_MS.findIndex((bound) => ms <= bound)
    if (bucket >= 0) this.#buckets[bucket]!++
  }

  /** The value below which a part of the last requests lies, from 0 to 1; `null` before the first. */
  quantile(part: number): number | null {
    if (this.#last.length === 0) return null
    const sorted = [...this.#last].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!
  }

  /** Counts by bucket, each with those of the smaller buckets, as Prometheus wants them. */
  histogram(): { cumulative: number[]; count: number; sumMs: number } {
    let below = 0
    const cumulative = this.#buckets.map((count) => {
      below += count
      return below
    })
    return { cumulative, count: this.#count, sumMs: this.#sumMs }
  }
}
