/**
 * C2SP/wycheproof, through the WebCrypto calls that the envelope is made of.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { bytesOf } from '../../support/core.ts'
import { hexOf } from '../../support/hex.ts'
import { readSuite } from './folder.ts'

interface Vector {
  tcId: number
  comment: string
  result: 'valid' | 'invalid' | 'acceptable'
}
interface Group<T> {
  keySize: number
  ivSize?: number
  tagSize?: number
  tests: (Vector & T)[]
}

function groupsOf<T>(file: string): Group<T>[] {
  return readSuite<{ testGroups: Group<T>[] }>(file).testGroups
}

const hex = (text: string) => bytesOf(text, 'hex')
const labelOf = ({ tcId, comment, result }: Vector) => `vector ${tcId} (${comment}), which is ${result}`
/** The result of a call in hexadecimal, or `null` when it throws. */
const attempt = (promise: Promise<ArrayBuffer>) => promise.then(hexOf, () => null)

describe('WebCrypto', () => {
  it('opens and makes the AES-256-GCM vectors with a 96-bit IV and a 128-bit tag', async () => {
    type Case = { key: string; iv: string; aad: string; msg: string; ct: string; tag: string }
    const groups = groupsOf<Case>('wycheproof_aes_gcm_test.json')
    const ours = groups.filter(({ keySize, ivSize, tagSize }) => keySize === 256 && ivSize === 96 && tagSize === 128)
    const vectors = ours.flatMap(({ tests }) => tests)
    expect(vectors).toHaveLength(66)
    for (const vector of vectors) {
      const key = await crypto.subtle.importKey('raw', hex(vector.key), 'AES-GCM', false, ['encrypt', 'decrypt'])
      const params = { name: 'AES-GCM', iv: hex(vector.iv), additionalData: hex(vector.aad), tagLength: 128 }
      const opened = await attempt(crypto.subtle.decrypt(params, key, hex(vector.ct + vector.tag)))
      expect(opened, labelOf(vector)).toBe(vector.result === 'valid' ? vector.msg : null)
      if (vector.result !== 'valid') continue
      const made = await crypto.subtle.encrypt(params, key, hex(vector.msg))
      expect(hexOf(made), labelOf(vector)).toBe(vector.ct + vector.tag)
    }
  })

  it('unwraps and makes the AES-KW vectors with a 256-bit key', async () => {
    const groups = groupsOf<{ key: string; msg: string; ct: string }>('wycheproof_aes_wrap_test.json')
    const vectors = groups.filter(({ keySize }) => keySize === 256).flatMap(({ tests }) => tests)
    const carrier = { name: 'HMAC', hash: 'SHA-512' }
    expect(vectors.length).toBeGreaterThan(40)
    for (const vector of vectors) {
      const kek = await crypto.subtle.importKey('raw', hex(vector.key), 'AES-KW', false, ['wrapKey', 'unwrapKey'])
      const unwrapped = crypto.subtle
        .unwrapKey('raw', hex(vector.ct), kek, 'AES-KW', carrier, true, ['sign'])
        .then((key) => crypto.subtle.exportKey('raw', key))
      expect(await attempt(unwrapped), labelOf(vector)).toBe(vector.result === 'valid' ? vector.msg : null)
      if (vector.result !== 'valid') continue
      const key = await crypto.subtle.importKey('raw', hex(vector.msg), carrier, true, ['sign'])
      expect(hexOf(await crypto.subtle.wrapKey('raw', key, kek, 'AES-KW')), labelOf(vector)).toBe(vector.ct)
    }
  })

  it('derives the HKDF-SHA-512 vectors', async () => {
    type Case = { ikm: string; salt: string; info: string; size: number; okm: string }
    const vectors = groupsOf<Case>('wycheproof_hkdf_sha512_test.json').flatMap(({ tests }) => tests)
    expect(vectors).toHaveLength(83)
    for (const vector of vectors) {
      const key = await crypto.subtle.importKey('raw', hex(vector.ikm), 'HKDF', false, ['deriveBits'])
      const params = { name: 'HKDF', hash: 'SHA-512', salt: hex(vector.salt), info: hex(vector.info) }
      const derived = await attempt(crypto.subtle.deriveBits(params, key, vector.size * 8))
      expect(derived, labelOf(vector)).toBe(vector.result === 'valid' ? vector.okm : null)
    }
  })
})
