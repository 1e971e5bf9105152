/**
 * Hexadecimal as Node writes it: independent of the code under test.
 *
 * @module
 */

/** Bytes in lower-case hexadecimal. */
export function hexOf(bytes: ArrayBuffer | Uint8Array): string {
  return Buffer.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)).toString('hex')
}
