/**
 * How long a provider's answers take.
 *
 * @module
 */
import { Histogram } from '../histogram.ts'

/** The upper bounds of the histogram's buckets, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const
/** How many of the last requests the quantiles cover. */
const WINDOW = 512

/** How long requests took: quantiles of the last ones, and a histogram of all since the start. */
export class Latency {
  readonly #last: number[] = []
  #count = 0
  /** All requests since the start, in seconds. */
  readonly seconds = new Histogram(BUCKETS)

  /** Counts a request that took this long, in milliseconds. */
  note(ms: number): void {
    this.#last[this.#count % WINDOW] = ms
    this.#count++
    this.seconds.note(ms / 1000)
  }

  /** The value below which a part of the last requests lies, from 0 to 1; `null` before the first. */
  quantile(part: number): number | null {
    if (this.#last.length === 0) return null
    const sorted = [...this.#last].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!
  }
}
