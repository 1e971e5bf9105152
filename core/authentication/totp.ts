/**
 * Time-based one-time passwords (RFC 6238) and the recovery codes beside them.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { Secret, TOTP } from 'otpauth/bare'
import encodeQR from 'qr'
import { type Bytes, base64url, randomBytes, utf8 } from '../bytes.ts'
import { Redacted } from '../redacted.ts'

const PERIOD_SECONDS = 30
// 160 bits, as RFC 4226 section 4 recommends.
const SECRET_SIZE = 20
const RECOVERY_CODES = 10
// Base32 without letters that look alike; 16 of them are 80 bits.
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
const RECOVERY_CODE = /^[abcdefghijkmnpqrstuvwxyz23456789]{16}$/i
// Twenty minutes to either side: a clock that is set by hand.
const NEAR_STEPS = 40

/** Makes a new secret. */
export function makeTotpSecret(): Redacted<Bytes> {
  return new Redacted(randomBytes(SECRET_SIZE))
}

/** What an authenticator app scans: an `otpauth://` URI, and its QR code in SVG. */
export function enrolment(secret: Redacted<Bytes>, issuer: string, label: string): { uri: string; qr: string } {
  const uri = totpOf(secret, issuer, label).toString()
  return { uri, qr: encodeQR(uri, 'svg') }
}

/**
 * Finds the time step of a code: the present one, the one before or the one after, for a clock that lags or leads
 * (RFC 6238 sections 5.2 and 6).
 *
 * The vault checks whether the step was used: it accepts each step once, and none before the last. So a code counts
 * once however it is written.
 *
 * @param code Hostile input: six ASCII digits, grouped by white space or hyphens as authenticator apps show them.
 * @param now Milliseconds since the Unix epoch.
 * @returns `null` if the code is of none of the three steps.
 */
export function stepOf(secret: Redacted<Bytes>, code: string, now: number): number | null {
  const delta = deltaOf(secret, code, now, 1)
  return delta === null ? null : Math.floor(now / 1000 / PERIOD_SECONDS) + delta
}

/**
 * Tells by how many steps the clock of the authenticator is ahead, for a code that {@link stepOf} refuses and that is
 * right within twenty minutes: the cause to look for is a clock. Negative when it is behind.
 *
 * @returns `null` if the code is of no step near by.
 */
export function stepsAhead(secret: Redacted<Bytes>, code: string, now: number): number | null {
  return deltaOf(secret, code, now, NEAR_STEPS)
}

/** Makes a set of recovery codes, each good once. */
export function makeRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, () => {
    // 256 is a multiple of 32: no letter is likelier than another.
    const letters = [...randomBytes(16)].map((byte) => ALPHABET[byte % 32])
    return grouped(letters.join(''))
  })
}

/**
 * Hashes a recovery code for storage, with a key and bound to its principal.
 *
 * @param code Hostile input: in either case, grouped by white space or hyphens, or not grouped.
 * @returns `null` if it does not have the form of a recovery code.
 */
export function recoveryHash(key: Uint8Array, principal: string, code: string): string | null {
  const letters = ungrouped(code)
  if (!RECOVERY_CODE.test(letters)) return null
  return base64url(hmac(sha256, key, utf8(`recovery\n${principal}\n${grouped(letters.toLowerCase())}`)))
}

function deltaOf(secret: Redacted<Bytes>, code: string, now: number, window: number): number | null {
  const digits = ungrouped(code)
  if (!/^[0-9]{6}$/.test(digits)) return null
  return totpOf(secret, '', '').validate({ token: digits, timestamp: now, window })
}

/** Drops what people and apps put between the groups of a code. */
function ungrouped(code: string): string {
  return code.replaceAll(/[\s-]/g, '')
}

function grouped(letters: string): string {
  return letters.replaceAll(/(.{4})(?!$)/g, '$1-')
}

function totpOf(secret: Redacted<Bytes>, issuer: string, label: string): TOTP {
  return new TOTP({
    // A copy, because the library uses the whole buffer behind a view.
    secret: new Secret({ buffer: secret.reveal().slice().buffer }),
    period: PERIOD_SECONDS,
    digits: 6,
    issuer,
    label,
    // SHA-1, as every authenticator app has it; as an HMAC it is sound (RFC 6238 appendix A).
    algorithm: 'SHA1',
    hmac: (_, key, message) => hmac(sha1, key, message),
  })
}
