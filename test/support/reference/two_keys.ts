/**
 * AES-GCM is not committing (Dodis, Grubbs, Ristenpart and Woodage, "Fast Message Franking", CRYPTO 2018): for any two keys a ciphertext
 * can be made that both open. Written from NIST SP 800-38D, with arithmetic of its own.
 *
 * @module
 */
import { createCipheriv } from 'node:crypto'

const BLOCK = 16
// x^128 + x^7 + x^2 + x + 1, in the order of bits of GCM.
const REDUCTION = 0xe1n << 120n

interface About {
  iv: Uint8Array
  aad: Uint8Array
  /** What the first key opens it to, with a block of noise behind. */
  text: Uint8Array
}

/** Makes a ciphertext, and its one tag, that opens under both keys. */
export function makeForTwoKeys(
  one: Uint8Array,
  other: Uint8Array,
  { iv, aad, text }: About,
): { ciphertext: Buffer; tag: Buffer } {
  const size = Math.ceil(text.length / BLOCK) * BLOCK
  const stream = createCipheriv('aes-256-ctr', one, counter(iv, 2))
  const begin = Buffer.concat([
    stream.update(Buffer.concat([text, Buffer.alloc(size - text.length, 0x20)])),
    stream.final(),
  ])
  const zero = Buffer.concat([begin, Buffer.alloc(BLOCK)])
  // The last block of ciphertext is multiplied by the square of each hash key: solved for the one that makes the tags equal.
  const [tagOne, tagOther] = [tagOf(one, iv, aad, zero), tagOf(other, iv, aad, zero)]
  const [h, k] = [hashKey(one), hashKey(other)]
  const last = times(tagOne ^ tagOther, inverse(times(h, h) ^ times(k, k)))
  const ciphertext = Buffer.concat([begin, bytesOf(last)])
  return { ciphertext, tag: bytesOf(tagOf(one, iv, aad, ciphertext)) }
}

function tagOf(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): bigint {
  const h = hashKey(key)
  const lengths = (BigInt(aad.length * 8) << 64n) | BigInt(ciphertext.length * 8)
  const blocks = [...blocksOf(aad), ...blocksOf(ciphertext), lengths]
  const hash = blocks.reduce((sum, block) => times(sum ^ block, h), 0n)
  return hash ^ numberOf(encrypted(key, counter(iv, 1)))
}

function hashKey(key: Uint8Array): bigint {
  return numberOf(encrypted(key, Buffer.alloc(BLOCK)))
}

function encrypted(key: Uint8Array, block: Uint8Array): Buffer {
  return createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(block)
}

function counter(iv: Uint8Array, n: number): Buffer {
  return Buffer.concat([iv, Uint8Array.of(0, 0, 0, n)])
}

function blocksOf(bytes: Uint8Array): bigint[] {
  const padded = Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)])
  return Array.from({ length: padded.length / BLOCK }, (_, i) => numberOf(padded.subarray(i * BLOCK, (i + 1) * BLOCK)))
}

/** The product in GF(2^128) (SP 800-38D section 6.3). */
function times(a: bigint, b: bigint): bigint {
  let sum = 0n
  let v = b
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((a >> bit) & 1n) sum ^= v
    v = v & 1n ? (v >> 1n) ^ REDUCTION : v >> 1n
  }
  return sum
}

/** a^(2^128 - 2), by Fermat. */
function inverse(a: bigint): bigint {
  let power = a
  let product = 1n << 127n
  for (let i = 1; i < 128; i++) {
    power = times(power, power)
    product = times(product, power)
  }
  return product
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

function bytesOf(n: bigint): Buffer {
  return Buffer.from(n.toString(16).padStart(2 * BLOCK, '0'), 'hex')
}
