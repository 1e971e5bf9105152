/**
 * Fingerprints of values: they tell whether two values are equal and nothing else, and only while this window is open.
 *
 * A hash without a key would be an oracle for guesses; this key belongs to one window and is never stored.
 *
 * @module
 */
import { hex, randomBytes, utf8 } from '../bytes.ts'

/** Shown behind a mask: 24 bits, enough to tell rows apart by eye. Equality is decided on the whole. */
const SHOWN = 6

/** Makes the one function that makes fingerprints. */
export function fingerprinter(): (value: string) => Promise<string> {
  // Made when the first value comes: the editor waits for the start.
  let key: Promise<CryptoKey> | undefined
  return async (value) => {
    key ??= crypto.subtle.importKey('raw', randomBytes(32), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    return hex(new Uint8Array(await crypto.subtle.sign('HMAC', await key, utf8(value))))
  }
}

/** The part of a fingerprint that is shown. Not after a "#": editors take that for a colour. */
export function shown(fingerprint: string): string {
  return `~${fingerprint.slice(0, SHOWN)}`
}
