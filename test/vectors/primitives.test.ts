/**
 * The platform's cryptography against the vectors that its standards print, called the way that the envelope and the
 * keyring call it.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { bytesOf } from '../support/core.ts'
import { hexOf } from '../support/hex.ts'

const hex = (text: string) => bytesOf(text.replaceAll(/\s/g, ''), 'hex')
const range = (from: number, to: number) => Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('AES-KW with a 256-bit key', () => {
  const KEK = range(0x00, 0x1f)
  const carrier = { name: 'HMAC', hash: 'SHA-512' }
  const VECTORS = [
    {
      section: '4.3, 128 bits of key data',
      data: '00112233445566778899AABBCCDDEEFF',
      wrapped: '64E8C3F9CE0F5BA2 63E9777905818A2A 93C8191E7D6E8AE7',
    },
    {
      section: '4.5, 192 bits of key data',
      data: '00112233445566778899AABBCCDDEEFF 0001020304050607',
      wrapped: 'A8F9BC1612C68B3F F6E6F4FBE30E71E4 769C8B80A32CB895 8CD5D17D6B254DA1',
    },
    {
      section: '4.6, 256 bits of key data',
      data: '00112233445566778899AABBCCDDEEFF 000102030405060708090A0B0C0D0E0F',
      wrapped: '28C9F404C4B810F4 CBCCB35CFB87F826 3F5786E2D80ED326 CBC7F0E71A99F43B FB988B9B7A02DD21',
    },
  ]
  const importKek = () => crypto.subtle.importKey('raw', KEK, 'AES-KW', false, ['wrapKey', 'unwrapKey'])

  it.each(VECTORS)('wraps and unwraps RFC 3394 section $section', async ({ data, wrapped }) => {
    const kek = await importKek()
    const key = await crypto.subtle.importKey('raw', hex(data), carrier, true, ['sign'])
    expect(hexOf(await crypto.subtle.wrapKey('raw', key, kek, 'AES-KW'))).toBe(hexOf(hex(wrapped)))
    const back = await crypto.subtle.unwrapKey('raw', hex(wrapped), kek, 'AES-KW', carrier, true, ['sign'])
    expect(hexOf(await crypto.subtle.exportKey('raw', back))).toBe(hexOf(hex(data)))
  })

  it.each(VECTORS)('refuses RFC 3394 section $section with any one bit flipped', async ({ wrapped }) => {
    const kek = await importKek()
    const right = hex(wrapped)
    for (let at = 0; at < right.length * 8; at++) {
      const wrong = right.with(at >> 3, right[at >> 3]! ^ (1 << (at & 7)))
      await expect(crypto.subtle.unwrapKey('raw', wrong, kek, 'AES-KW', carrier, true, ['sign'])).rejects.toThrow()
    }
  })
})

describe('AES-256-GCM', () => {
  const KEY = 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'
  const IV = 'cafebabefacedbaddecaf888'
  const PLAINTEXT = `d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255`
  const CIPHERTEXT = `522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
    8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad`
  /** Without the last four bytes. */
  const cut = (text: string) => text.slice(0, -8)
  // McGrew and Viega, The Galois/Counter Mode of Operation (GCM), appendix B, as submitted to NIST for SP 800-38D.
  const VECTORS = [
    { number: 13, key: '00'.repeat(32), iv: '00'.repeat(12), tag: '530f8afbc74536b9a963b4f1c4cb738b' },
    {
      ...{ number: 14, key: '00'.repeat(32), iv: '00'.repeat(12), plaintext: '00'.repeat(16) },
      ...{ ciphertext: 'cea7403d4d606b6e074ec5d3baf39d18', tag: 'd0d1c8a799996bf0265b98b5d48ab919' },
    },
    {
      ...{ number: 15, key: KEY, iv: IV, plaintext: PLAINTEXT },
      ...{ ciphertext: CIPHERTEXT, tag: 'b094dac5d93471bdec1a502270e3cc6c' },
    },
    {
      ...{ number: 16, key: KEY, iv: IV, plaintext: cut(PLAINTEXT), aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2' },
      ...{ ciphertext: cut(CIPHERTEXT), tag: '76fc6ece0f4e1768cddf8853bb2d551b' },
    },
  ].map((vector) => ({ plaintext: '', ciphertext: '', aad: '', ...vector }))
  const importKey = (key: string) => crypto.subtle.importKey('raw', hex(key), 'AES-GCM', false, ['encrypt', 'decrypt'])
  const paramsOf = ({ iv, aad }: { iv: string; aad: string }) => ({
    ...{ name: 'AES-GCM', iv: hex(iv), additionalData: hex(aad), tagLength: 128 },
  })

  it.each(VECTORS)('makes and opens test case $number of the GCM specification', async (vector) => {
    const key = await importKey(vector.key)
    const sealed = hex(vector.ciphertext + vector.tag)
    expect(hexOf(await crypto.subtle.encrypt(paramsOf(vector), key, hex(vector.plaintext)))).toBe(hexOf(sealed))
    expect(hexOf(await crypto.subtle.decrypt(paramsOf(vector), key, sealed))).toBe(hexOf(hex(vector.plaintext)))
  })

  it.each(VECTORS)('refuses test case $number with a bit of each byte flipped', async (vector) => {
    const key = await importKey(vector.key)
    const sealed = hex(vector.ciphertext + vector.tag)
    for (let at = 0; at < sealed.length; at++) {
      const wrong = sealed.with(at, sealed[at]! ^ (1 << (at & 7)))
      await expect(crypto.subtle.decrypt(paramsOf(vector), key, wrong)).rejects.toThrow()
    }
  })
})

describe('HKDF', () => {
  // SHA-256, for which the RFC has vectors. Those of the envelope's SHA-512 are compared with another implementation.
  it.each([
    {
      ...{ appendix: 'A.1', ikm: '0b'.repeat(22), salt: hexOf(range(0x00, 0x0c)), info: hexOf(range(0xf0, 0xf9)) },
      okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    },
    {
      ...{ appendix: 'A.2', ikm: hexOf(range(0x00, 0x4f)) },
      ...{ salt: hexOf(range(0x60, 0xaf)), info: hexOf(range(0xb0, 0xff)) },
      okm: `b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
        da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87`,
    },
    {
      ...{ appendix: 'A.3', ikm: '0b'.repeat(22), salt: '', info: '' },
      okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    },
  ])('derives RFC 5869 appendix $appendix', async ({ ikm, salt, info, okm }) => {
    const key = await crypto.subtle.importKey('raw', hex(ikm), 'HKDF', false, ['deriveBits'])
    const params = { name: 'HKDF', hash: 'SHA-256', salt: hex(salt), info: hex(info) }
    expect(hexOf(await crypto.subtle.deriveBits(params, key, hex(okm).length * 8))).toBe(hexOf(hex(okm)))
  })
})

describe('Ed25519', () => {
  const VECTORS = [
    {
      ...{ test: 'TEST 1', message: '' },
      seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      signature: `e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
        5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b`,
    },
    {
      ...{ test: 'TEST 2', message: '72' },
      seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      signature: `92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00`,
    },
    {
      ...{ test: 'TEST 3', message: 'af82' },
      seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      signature: `6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
        18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a`,
    },
    {
      test: 'TEST SHA(abc)',
      message: `ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
        2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f`,
      seed: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
      publicKey: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
      signature: `dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589
        09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704`,
    },
  ]
  /** A seed as PKCS #8 (RFC 8410 section 7), which is how the keyring imports it. */
  const importSeed = (seed: string) =>
    crypto.subtle.importKey('pkcs8', hex(`302e020100300506032b657004220420${seed}`), 'Ed25519', false, ['sign'])

  it.each(VECTORS)(
    'signs and verifies RFC 8032 section 7.1, $test',
    async ({ seed, publicKey, message, signature }) => {
      const made = await crypto.subtle.sign('Ed25519', await importSeed(seed), hex(message))
      expect(hexOf(made)).toBe(hexOf(hex(signature)))
      const key = await crypto.subtle.importKey('raw', hex(publicKey), 'Ed25519', false, ['verify'])
      expect(await crypto.subtle.verify('Ed25519', key, hex(signature), hex(message))).toBe(true)
    },
  )

  it.each(VECTORS)('refuses RFC 8032 section 7.1, $test, with any bit of the signature flipped', async (vector) => {
    const key = await crypto.subtle.importKey('raw', hex(vector.publicKey), 'Ed25519', false, ['verify'])
    const right = hex(vector.signature)
    for (let at = 0; at < right.length * 8; at++) {
      const wrong = right.with(at >> 3, right[at >> 3]! ^ (1 << (at & 7)))
      expect(await crypto.subtle.verify('Ed25519', key, wrong, hex(vector.message)), `bit ${at}`).toBe(false)
    }
  })
})
