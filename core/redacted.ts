/**
 * Secret values that cannot be printed by accident.
 *
 * @module
 */
const PLACEHOLDER = '<redacted>'

/**
 * A value that hides itself from logs, JSON and string templates.
 *
 * It guards against accidents, not attackers: the value stays in memory in the clear until the
 * garbage collector frees it. JavaScript cannot do better.
 *
 * @example
 * ```ts
 * const password = new Redacted('hunter2')
 * `${password}` // '<redacted>'
 * password.reveal() // 'hunter2'
 * ```
 */
export class Redacted<T> {
  // `#`, not `private`: a TypeScript private field is an ordinary property that loggers print.
  readonly #value: T

  constructor(value: T) {
    this.#value = value
    Object.freeze(this)
  }

  /** Returns the value. Every call site is a place to review. */
  reveal(): T {
    return this.#value
  }

  toString(): string {
    return PLACEHOLDER
  }

  toJSON(): string {
    return PLACEHOLDER
  }

  [Symbol.toPrimitive](): string {
    return PLACEHOLDER
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return PLACEHOLDER
  }

  [Symbol.for('Deno.customInspect')](): string {
    return PLACEHOLDER
  }
}
