/**
 * When failed requests make a provider suspect.
 *
 * @module
 */
/** Failures one after another that raise it. */
const CONSECUTIVE = 4
/** Or more than half of so many requests in a row, when they came within so many milliseconds. */
const SAMPLE = 20
const SAMPLE_MS = 10_000

/** Counts what requests came to until there is reason to suspect a provider. Holds no names: they are a caller's choice. */
export class Suspicion {
  #last: { at: number; hasFailed: boolean }[] = []
  #consecutive = 0
  #isAsked = false

  /** @param isAsked Whether the provider asked to be left alone: reason enough. */
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
