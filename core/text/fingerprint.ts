/**
 * Fingerprints of values. They reveal only whether two values are equal, and only while a window is open.
 *
 * A hash without a key would allow offline guesses. The key is generated for one window and never stored.
 *
 * @module
 */
import { hex, randomBytes, utf8 } from '../bytes.ts'

/** The displayed part after a mask: 24 bits, enough to distinguish rows by eye. Comparisons use the whole fingerprint. */
const SHOWN = 6

/** Creates the function that makes fingerprints. */
export function fingerprinter(): (value: string) => Promise<string> {
  // The key is generated for the first value and not earlier, because the editor waits for activation.
  let key: Promise<CryptoKey> | undefined
  return async (value) => {
    key ??= crypto.subtle.importKey('raw', randomBytes(32), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    return hex(new Uint8Array(await crypto.subtle.sign('HMAC', await key, utf8(value))))
  }
}

/** Returns the displayed part of a fingerprint. It has no "#", which editors take for a colour. */
export function shown(fingerprint: string): string {
  return `~${fingerprint.slice(0, SHOWN)}`
}
