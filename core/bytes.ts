/**
 * Bytes and their text forms. Every decoder is strict: one encoding per value, or `null`.
 *
 * @module
 */

/** Bytes that WebCrypto accepts: never backed by shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Encodes text as UTF-8. Lone surrogates would become U+FFFD: check `isWellFormed()` on input first. */
export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes
}

/** Decodes UTF-8, or returns `null` when the bytes are not UTF-8. A byte order mark is kept. */
export function parseUtf8(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null
  }
}

/** Joins byte strings. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** `n` as 8 bytes, big-endian. */
export function u64be(n: bigint): Bytes {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, n)
  return out
}

/** Bytes from the platform's cryptographic random generator. */
export function randomBytes(size: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(size))
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hexadecimal (RFC 4648 section 8, in lower case). */
export function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** Decodes lower-case hexadecimal, or returns `null`. */
export function parseHex(text: string): Bytes | null {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) return null
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

/** What engines have of base64 themselves (ECMAScript 2026), as far as they do: many times as fast as `btoa`. */
interface Native {
  toBase64?(options: { alphabet: 'base64' | 'base64url'; omitPadding: boolean }): string
}
const { fromBase64 } = Uint8Array as { fromBase64?(text: string, options: { lastChunkHandling: 'strict' }): Bytes }

/** Base64 with padding (RFC 4648 section 4). */
export function base64(bytes: Uint8Array): string {
  return encoded(bytes, 'base64') ?? btoa(binaryOf(bytes))
}

/** Decodes base64, or returns `null`. White space, missing padding and stray trailing bits are refused. */
export function parseBase64(text: string): Bytes | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null
  try {
    if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text, { lastChunkHandling: 'strict' })
  } catch {
    return null
  }
  const binary = atob(text)
  // Only the last group of four can have stray bits.
  const last = Math.max(0, text.length - 4)
  if (btoa(binary.slice((last / 4) * 3)) !== text.slice(last)) return null
  const bytes = new Uint8Array(binary.length)
  // `Uint8Array.from` would make a text of each character, and call a function with it.
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at)
  return bytes
}

/** Base64url without padding (RFC 4648 section 5). */
export function base64url(bytes: Uint8Array): string {
  const text = encoded(bytes, 'base64url')
  return text ?? base64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Decodes base64url without padding, or returns `null`. */
export function parseBase64url(text: string): Bytes | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null
  return parseBase64(text.replaceAll('-', '+').replaceAll('_', '/') + '==='.slice((text.length + 3) % 4))
}

function encoded(bytes: Uint8Array, alphabet: 'base64' | 'base64url'): string | undefined {
  return (bytes as Native).toBase64?.({ alphabet, omitPadding: alphabet === 'base64url' })
}

function binaryOf(bytes: Uint8Array): string {
  let binary = ''
  // In slices: 64 KiB of arguments would overflow the stack of some engines. Applied, since a spread walks an iterator.
  for (let at = 0; at < bytes.length; at += 8192) {
    binary += String.fromCharCode.apply(null, bytes.subarray(at, at + 8192) as unknown as number[])
  }
  return binary
}

/**
 * Compares two byte strings in time that depends on their lengths only.
 *
 * Not `crypto.subtle.timingSafeEqual`: it exists on workerd alone and throws on unequal lengths.
 */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0)
  return difference === 0
}
