/**
 * The formats and protocols against implementations that share no code with ours: the noble libraries of Paul Miller,
 * in plain TypeScript, where ours calls WebCrypto.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto'
import { aeskw, gcm } from '@noble/ciphers/aes.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha512 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nonceAt, verifyProof } from '../../core/authentication/dpop.ts'
import { makeProof, makeProofKey } from '../../core/authentication/dpop_proof.ts'
import { type Binding, open, seal } from '../../core/crypto/envelope.ts'
import { Keyring } from '../../core/crypto/keyring.ts'
import { Redacted } from '../../core/redacted.ts'
import { formatVerifierKey, openNote, parseNote, parseVerifierKey, signNote } from '../../core/tlog/signed_note.ts'
import { bytesOf, rejectionOf } from '../support/core.ts'

const ROOT = Uint8Array.from({ length: 32 }, (_, i) => i)
const ring = await Keyring.open(new Redacted(ROOT.slice()))

/** Text behind its length in two bytes. */
function counted(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes])
}

/** The info of a derived key: see `core/crypto/keyring.ts`. */
function label(purpose: string, vault: string, term: number): Buffer {
  const termBytes = Buffer.alloc(4)
  termBytes.writeUInt32BE(term)
  const parts = [Buffer.from(vault), termBytes].flatMap((part) => [Uint8Array.of(part.length), part])
  return Buffer.concat([Buffer.from(`postern/${purpose}/v1\0`), ...parts])
}

const derive = (purpose: string, vault: string) => hkdf(sha512, ROOT, new Uint8Array(), label(purpose, vault, 1), 32)

/** Envelope v1 as the docstring of `core/crypto/envelope.ts` lays it out, in noble. */
const noble = {
  aadOf({ vault, name, version, contentType }: Binding): Buffer {
    const number = Buffer.alloc(8)
    number.writeBigUInt64BE(version)
    return Buffer.concat([Uint8Array.of(1, 1), counted(vault), counted(name), number, counted(contentType)])
  },
  derived(dek: Uint8Array, salt: Uint8Array, purpose: string): Uint8Array {
    return hkdf(sha512, dek, salt, Buffer.concat([Buffer.from(purpose), Uint8Array.of(1)]), 32)
  },
  seal(plaintext: Uint8Array, binding: Binding, kid: string): Uint8Array<ArrayBuffer> {
    const [dek, salt, iv] = [randomBytes(32), randomBytes(32), randomBytes(12)]
    const wrap = aeskw(derive('kek', binding.vault)).encrypt(dek)
    const ciphertext = gcm(noble.derived(dek, salt, 'ps/1/enc'), iv, noble.aadOf(binding)).encrypt(plaintext)
    const head = [Buffer.from('PS'), Uint8Array.of(1, 1, kid.length), Buffer.from(kid)]
    return Uint8Array.from(
      Buffer.concat([...head, wrap, salt, noble.derived(dek, salt, 'ps/1/commit'), iv, ciphertext]),
    )
  },
  open(sealed: Uint8Array, binding: Binding): Uint8Array {
    const start = 5 + sealed[4]!
    const part = (at: number, size?: number) => sealed.slice(start + at, size && start + at + size)
    const [wrap, salt, commit, iv] = [part(0, 40), part(40, 32), part(72, 32), part(104, 12)]
    const dek = aeskw(derive('kek', binding.vault)).decrypt(wrap)
    expect(noble.derived(dek, salt, 'ps/1/commit')).toEqual(commit)
    return gcm(noble.derived(dek, salt, 'ps/1/enc'), iv, noble.aadOf(binding)).decrypt(part(116))
  },
}

describe('an envelope', { timeout: 60_000 }, () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 })
  const binding = fc.record({
    vault: fc.stringMatching(/^[a-z0-9-]{1,32}$/),
    name: text,
    version: fc.bigInt(0n, 2n ** 64n - 1n),
    contentType: text,
  })
  const plaintext = fc.uint8Array({ maxLength: 300 })

  it('that Postern seals opens in noble', async () => {
    await fc.assert(
      fc.asyncProperty(plaintext, binding, async (bytes, bound) => {
        const sealed = await seal(await ring.currentKek(bound.vault), Uint8Array.from(bytes), bound)
        expect(noble.open(sealed, bound)).toEqual(Uint8Array.from(bytes))
      }),
      { numRuns: 60 },
    )
  })

  it('that noble seals opens in Postern, and only under its own binding', async () => {
    await fc.assert(
      fc.asyncProperty(plaintext, binding, async (bytes, bound) => {
        const kek = await ring.currentKek(bound.vault)
        const sealed = noble.seal(bytes, bound, kek.kid)
        expect((await open(kek, sealed, bound)).reveal()).toEqual(Uint8Array.from(bytes))
        const moved = { ...bound, name: `${bound.name}x` }
        expect((await rejectionOf(open(kek, sealed, moved))).code).toBe('tampered')
      }),
      { numRuns: 60 },
    )
  })
})

describe('a signed note', () => {
  const seed = derive('log', 'acme')
  const publicKey = Uint8Array.from(ed25519.getPublicKey(seed))
  const TEXT = 'example.com/log\n1\nAAAA\n'
  /** The last line of a note: key id and signature. */
  const lastLine = (note: string) => Buffer.from(/ (\S+)\n$/.exec(note)![1]!, 'base64')

  it('has the key that noble derives, and a signature that noble verifies', async () => {
    const signer = await ring.noteSigner('acme', 'example.com/log')
    expect(signer.publicKey).toEqual(publicKey)
    const signature = lastLine(await signNote(TEXT, signer)).subarray(4)
    expect(ed25519.verify(signature, bytesOf(TEXT), publicKey)).toBe(true)
    expect(ed25519.verify(signature, bytesOf(`${TEXT}\n`), publicKey)).toBe(false)
  })

  it('opens when noble signed it, and not when noble signed another text', async () => {
    const name = 'example.com/log'
    const id = createHash('sha256')
      .update(`${name}\n`)
      .update(Uint8Array.of(1))
      .update(publicKey)
      .digest()
      .subarray(0, 4)
    const verifiers = [await parseVerifierKey(formatVerifierKey({ name, publicKey }))]
    const noteOver = (signed: string) => {
      const line = Buffer.concat([id, ed25519.sign(bytesOf(signed), seed)]).toString('base64')
      return parseNote(`${TEXT}\n— ${name} ${line}\n`)
    }
    expect((await openNote(noteOver(TEXT), verifiers))?.by).toEqual([name])
    expect(await openNote(noteOver(`${TEXT}more\n`), verifiers)).toBeNull()
  })
})

describe('a DPoP proof', () => {
  const NOW = Date.now()
  const url = 'https://postern.example/v1/vaults/acme/secrets/a'
  const token = 'pss_acme_0123456789'
  const nonceKey = ROOT
  const nonce = nonceAt(nonceKey, NOW)
  const expected = { method: 'GET', url, token, nonceKey, now: NOW }
  const base64url = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64url')
  // ES256 signatures may have either S (RFC 7518 section 3.4); noble takes only the lower one unless told.
  const ANY_S = { lowS: false }

  it('that Postern makes is verified by noble', async () => {
    const key = await makeProofKey()
    const proof = await makeProof(key, { method: 'GET', url, token, nonce })
    const [header = '', claims = '', signature = ''] = proof.split('.')
    const point = Buffer.concat([
      Uint8Array.of(4),
      Buffer.from(key.publicJwk.x, 'base64url'),
      Buffer.from(key.publicJwk.y, 'base64url'),
    ])
    const made = Buffer.from(signature, 'base64url')
    expect(p256.verify(made, bytesOf(`${header}.${claims}`), point, ANY_S)).toBe(true)
    expect(p256.verify(made, bytesOf(`${header}.${claims}A`), point, ANY_S)).toBe(false)
  })

  it('that noble makes is verified by Postern, and refused when it signs another input', async () => {
    const { secretKey, publicKey } = p256.keygen()
    const point = p256.Point.fromBytes(publicKey).toBytes(false)
    const [x, y] = [base64url(point.slice(1, 33)), base64url(point.slice(33))]
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty: 'EC', crv: 'P-256', x, y } }
    const ath = createHash('sha256').update(token).digest('base64url')
    const claims = { jti: 'e1j3V_bKic8-LAEB', htm: 'GET', htu: url, iat: Math.floor(NOW / 1000), ath, nonce }
    const input = [header, claims].map((part) => base64url(JSON.stringify(part))).join('.')
    const signed = (text: string) => `${input}.${base64url(p256.sign(bytesOf(text), secretKey, ANY_S))}`
    const thumbprint = createHash('sha256')
      .update(JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }))
      .digest('base64url')
    expect((await verifyProof(signed(input), expected)).jkt).toBe(thumbprint)
    expect((await rejectionOf(verifyProof(signed(`${input}A`), expected))).code).toBe('unauthenticated')
  })
})
