/**
 * Fingerprints of the values that this window has read. They recognize a value in a document without storing it.
 *
 * @module
 */
import { fingerprinter } from '../../core/text/fingerprint.ts'

// Shorter values occur in many documents by accident.
const MIN_LENGTH = 8
const MAX_KNOWN = 2000

/** An index from the fingerprint of each value to its reference. */
export class KnownValues {
  readonly #fingerprint = fingerprinter()
  readonly #references = new Map<string, string>()
  readonly #lengths = new Set<number>()

  /** Returns the fingerprint of a value. It is valid in this window only. */
  fingerprint(value: string): Promise<string> {
    return this.#fingerprint(value)
  }

  /** Records the value of a reference, and returns the fingerprint of the value. */
  async note(reference: string, value: string): Promise<string> {
    const fingerprint = await this.#fingerprint(value)
    if (value.length >= MIN_LENGTH && this.#references.size < MAX_KNOWN) {
      this.#references.set(fingerprint, reference)
      this.#lengths.add(value.length)
    }
    return fingerprint
  }

  /** Returns the reference whose value is a text, or `null`. */
  async referenceOf(text: string): Promise<string | null> {
    if (!this.#lengths.has(text.length)) return null
    return this.#references.get(await this.#fingerprint(text)) ?? null
  }
}
