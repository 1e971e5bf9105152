/**
 * Secrets of the tests, made to be found wherever they leak to.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'

/** A value that occurs nowhere else, with characters that every encoding writes differently. */
export function canary(): string {
  return `Canary/+"<${randomBytes(12).toString('hex')}>\\&é`
}

/** The forms in which a value might slip out: raw, base64, base64url, hex, and escaped for URLs, JSON and HTML. */
export function formsOf(value: string): string[] {
  const bytes = Buffer.from(value)
  // Inside a longer text, base64 starts at one of three places; only whole groups are the same.
  const base64 = [0, 1, 2].map((skip) => {
    const whole = bytes.subarray(skip, skip + Math.floor((bytes.length - skip) / 3) * 3)
    return whole.toString('base64')
  })
  return [
    value,
    // The middle is plain in almost every escape.
    value.slice(10, 34),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
  ]
}

/** The forms of `values` that occur in `text`. */
export function leaks(text: string | Uint8Array, values: readonly string[]): string[] {
  const haystack = Buffer.from(text as Uint8Array)
  return values.flatMap(formsOf).filter((form) => haystack.includes(form))
}
