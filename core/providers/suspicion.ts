/**
 * When failed requests make a provider suspect.
 *
 * @module
 */
/** Consecutive failures that raise suspicion. */
const CONSECUTIVE = 4
/** Alternatively, more than half of this many consecutive requests, within this many milliseconds. */
const SAMPLE = 20
const SAMPLE_MS = 10_000

/** Counts failed requests until there is reason to suspect the provider. It holds no names, which callers choose. */
export class Suspicion {
  #last: { at: number; hasFailed: boolean }[] = []
  #consecutive = 0
  #isAsked = false

  /** @param isAsked Whether the provider sent `Retry-After`, which is reason enough. */
  note(hasFailed: boolean, at: number, isAsked = false): void {
    this.#consecutive = hasFailed ? this.#consecutive + 1 : 0
    this.#isAsked = hasFailed && (isAsked || this.#isAsked)
    this.#last.push({ at, hasFailed })
    if (this.#last.length > SAMPLE) this.#last.shift()
  }

  isRaised(now: number): boolean {
    if (this.#isAsked || this.#consecutive >= CONSECUTIVE) return true
    const recent = this.#last.filter(({ at }) => now - at < SAMPLE_MS)
    return recent.length === SAMPLE && recent.filter(({ hasFailed }) => hasFailed).length > SAMPLE / 2
  }

  clear(): void {
    this.#last = []
    this.#consecutive = 0
    this.#isAsked = false
  }
}
