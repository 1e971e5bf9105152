/**
 * Whether a transaction erased a sealed value. The store that erases notes it, and the vault cuts the journal once the
 * transaction is durable, whichever operation or task it was.
 *
 * @module
 */
/** Notes whether a transaction erased a sealed value. */
export class Erasures {
  #any = false

  /** Notes the rows that a statement erased, as it returned them. */
  note(rows: readonly unknown[]): void {
    if (rows.length > 0) this.#any = true
  }

  /** Tells whether anything was erased since the last time, and forgets it. */
  take(): boolean {
    const any = this.#any
    this.#any = false
    return any
  }
}
