/**
 * Fingerprints of the values that passed through this window: to tell that a text in a document is one of them, without
 * keeping any.
 *
 * @module
 */
import { fingerprinter } from '../../core/text/fingerprint.ts'

// A shorter value would be found in every second document.
const MIN_LENGTH = 8
const MAX_KNOWN = 2000

/** The reference that each value was read by. */
export class KnownValues {
  readonly #fingerprint = fingerprinter()
  readonly #references = new Map<string, string>()
  readonly #lengths = new Set<number>()

  /** The fingerprint of a value, good in this window only. */
  fingerprint(value: string): Promise<string> {
    return this.#fingerprint(value)
  }

  /** Notes that a reference stands for a value. */
  async note(reference: string, value: string): Promise<string> {
    const fingerprint = await this.#fingerprint(value)
    if (value.length >= MIN_LENGTH && this.#references.size < MAX_KNOWN) {
      this.#references.set(fingerprint, reference)
      this.#lengths.add(value.length)
    }
    return fingerprint
  }

  /** The reference that a text is the value of, or `null`. */
  async referenceOf(text: string): Promise<string | null> {
    if (!this.#lengths.has(text.length)) return null
    return this.#references.get(await this.#fingerprint(text)) ?? null
  }
}
