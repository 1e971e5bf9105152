/**
 * Signed notes (C2SP signed-note): a text, and the signatures of those who vouch for it.
 *
 * ```text
 * text, each line ended by a newline
 *
 * — <key name> <base64(key id || signature)>
 * ```
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, base64, concat, equal, hex, parseBase64, parseHex, utf8 } from '../bytes.ts'
import { badRequest } from '../errors.ts'

/** Ed25519 over the text itself, and Ed25519 cosignature/v1 over a time and the text. */
const ED25519 = 0x01
const COSIGNATURE = 0x04
/** Eight bytes of time, and the signature. */
const COSIGNATURE_SIZE = 72
const MAX_NOTE_LENGTH = 64 * 1024
const MAX_SIGNATURES = 100
const DASH = '— '

/** A key that signs notes. */
export interface NoteSigner {
  name: string
  privateKey: CryptoKey
  publicKey: Bytes
}

/** A key that notes are verified with. */
export interface NoteVerifier {
  name: string
  id: Bytes
  type: number
  key: CryptoKey
}

/** One signature line of a note. */
export interface NoteSignature {
  name: string
  id: Bytes
  signature: Bytes
}

/** A parsed note, not yet verified. */
export interface Note {
  /** Ends with a newline. */
  text: string
  signatures: NoteSignature[]
}

/** The key id: SHA-256(name || newline || type || public key), four bytes of it. */
function keyId(name: string, type: number, publicKey: Uint8Array): Bytes {
  return sha256(identified(name, type, publicKey)).slice(0, 4) as Bytes
}

function identified(name: string, type: number, publicKey: Uint8Array): Bytes {
  return concat(utf8(`${name}\n`), Uint8Array.of(type), publicKey)
}

/** Writes a verifier key, `<name>+<key id>+<base64(type || public key)>`: what an auditor is given. */
export function formatVerifierKey({ name, publicKey }: Pick<NoteSigner, 'name' | 'publicKey'>): string {
  const encoded = base64(concat(Uint8Array.of(ED25519), publicKey))
  return `${name}+${hex(keyId(name, ED25519, publicKey))}+${encoded}`
}

interface VerifierKeyParts {
  name: string
  id: Bytes
  type: number
  publicKey: Bytes
}

/** Parses a verifier key. Returns `null` if it is malformed, is not for Ed25519, or has the id of another key. */
export function verifierKeyParts(text: string): VerifierKeyParts | null {
  const parts = splitVerifierKey(text)
  return parts !== null && equal(parts.id, keyId(parts.name, parts.type, parts.publicKey)) ? parts : null
}

/** Parses a verifier key without checking its id. */
function splitVerifierKey(text: string): VerifierKeyParts | null {
  const [, name = '', idText = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? []
  const id = parseHex(idText)
  const bytes = parseBase64(encoded)
  const type = bytes?.[0]
  const publicKey = bytes?.slice(1)
  const known = type === ED25519 || type === COSIGNATURE
  if (!isKeyName(name) || id === null || !known || publicKey?.length !== 32) return null
  return { name, id, type, publicKey }
}

/** Whether a verifier key belongs to a witness: its signatures carry a time (C2SP tlog-cosignature). */
export function isWitnessKey(text: string): boolean {
  return verifierKeyParts(text)?.type === COSIGNATURE
}

/**
 * Parses a verifier key.
 *
 * @throws {PosternError} `bad_request`
 */
export async function parseVerifierKey(text: string, field = 'key'): Promise<NoteVerifier> {
  const parts = splitVerifierKey(text)
  const { name, type, publicKey } = parts ?? { name: '', type: 0, publicKey: new Uint8Array() }
  // Hashed by the platform: a client has no other hash and needs none for this.
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', identified(name, type, publicKey)))
  if (parts === null || !equal(parts.id, digest.subarray(0, 4))) {
    throw badRequest(field, 'Verifier key must read name+id+key, of type Ed25519')
  }
  const { publicKey: _, ...rest } = parts
  return { ...rest, key: await crypto.subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify']) }
}

/** Signs a text with one or more keys. The text must end with a newline. */
export async function signNote(text: string, ...signers: NoteSigner[]): Promise<string> {
  if (!isNoteText(text)) throw new RangeError('Text cannot be signed as a note')
  const lines = signers.map(async ({ name, privateKey, publicKey }) => {
    const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, utf8(text)))
    return `${DASH}${name} ${base64(concat(keyId(name, ED25519, publicKey), signature))}\n`
  })
  return `${text}\n${(await Promise.all(lines)).join('')}`
}

/**
 * Parses a note.
 *
 * @param note Hostile input.
 * @throws {PosternError} `bad_request`
 */
export function parseNote(note: string, field = 'note'): Note {
  const wrong = badRequest(field, 'Note must be text, an empty line, and signature lines')
  // Split at the last empty line: the text itself may have some.
  const split = note.lastIndexOf('\n\n')
  if (note.length > MAX_NOTE_LENGTH || split < 0 || !note.endsWith('\n')) throw wrong
  const text = note.slice(0, split + 1)
  const lines = note.slice(split + 2, -1).split('\n')
  if (!isNoteText(text) || lines.length > MAX_SIGNATURES) throw wrong
  const signatures = lines.map((line) => {
    const [, name = '', encoded = ''] = /^— ([^ ]+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? []
    const bytes = parseBase64(encoded)
    if (!isKeyName(name) || bytes === null || bytes.length < 5) throw wrong
    return { name, id: bytes.slice(0, 4), signature: bytes.slice(4) }
  })
  return { text, signatures }
}

/** A verified note. */
export interface OpenedNote {
  text: string
  /** The names of the keys that vouch for it, each key once. */
  by: string[]
  /** The cosignatures of witnesses with their times in seconds since the Unix epoch: the newest of each witness. */
  cosigned: { name: string; seconds: number }[]
}

/**
 * Verifies a note: at least one signature is of a known key, and no signature of a known key is wrong. Signatures of
 * unknown keys are ignored. A repeated line counts once.
 *
 * @returns `null` if it does not verify.
 */
export async function openNote(note: Note, verifiers: readonly NoteVerifier[]): Promise<OpenedNote | null> {
  const times = new Map<NoteVerifier, number | null>()
  for (const { name, id, signature } of note.signatures) {
    const verifier = verifiers.find((one) => one.name === name && equal(one.id, id))
    if (verifier === undefined) continue
    if (!(await verifies(verifier, signature, note.text))) return null
    const time = verifier.type === COSIGNATURE ? timeOf(signature) : null
    times.set(verifier, time === null ? null : Math.max(time, times.get(verifier) ?? 0))
  }
  const keys = [...times].map(([{ name }, seconds]) => ({ name, seconds }))
  const cosigned = keys.flatMap(({ name, seconds }) => (seconds === null ? [] : [{ name, seconds }]))
  return keys.length === 0 ? null : { text: note.text, by: keys.map(({ name }) => name), cosigned }
}

/** Whether a note has a signature in the form of a witness, of any key. Nothing is verified. */
export function looksCosigned({ signatures }: Note): boolean {
  return signatures.some(({ signature }) => signature.length === COSIGNATURE_SIZE)
}

/** The time of a cosignature, in seconds since the Unix epoch: its first eight bytes (C2SP tlog-cosignature). */
function timeOf(signature: Bytes): number {
  return Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0))
}

async function verifies({ type, key }: NoteVerifier, signature: Bytes, text: string): Promise<boolean> {
  if (type === ED25519) return signature.length === 64 && crypto.subtle.verify('Ed25519', key, signature, utf8(text))
  // cosignature/v1: the time it was made at, eight bytes, comes before the signature (C2SP tlog-cosignature).
  if (signature.length !== COSIGNATURE_SIZE) return false
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  const message = utf8(`cosignature/v1\ntime ${time}\n${text}`)
  return crypto.subtle.verify('Ed25519', key, signature.slice(8), message)
}

function isKeyName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !/[\s+\p{Cc}]/u.test(name)
}

function isNoteText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there
  return text.endsWith('\n') && text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f\ufffd]/.test(text)
}
