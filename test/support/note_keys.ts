import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, base64, concat, utf8 } from '../../core/bytes.ts'
import type { NoteSigner } from '../../core/tlog/signed_note.ts'

/** A key of its own that signs notes. */
export async function noteSigner(name: string): Promise<NoteSigner> {
  const pair = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as CryptoKeyPair
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)) as Bytes
  return { name, privateKey: pair.privateKey, publicKey }
}

/** A witness (C2SP tlog-cosignature): its verifier key, and the line with which it cosigns a note at a time in seconds. */
export async function witnessOf(name: string) {
  const { privateKey, publicKey } = await noteSigner(name)
  const typed = concat(Uint8Array.of(0x04), publicKey)
  const id = sha256(concat(utf8(`${name}\n`), typed)).slice(0, 4)
  const idText = Array.from(id, (byte) => byte.toString(16).padStart(2, '0')).join('')
  const cosign = async (note: string, seconds: number): Promise<string> => {
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1)
    const message = utf8(`cosignature/v1\ntime ${seconds}\n${text}`)
    const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, message))
    const time = new Uint8Array(8)
    new DataView(time.buffer).setBigUint64(0, BigInt(seconds))
    return `\u2014 ${name} ${base64(concat(id, time, signature))}\n`
  }
  return { name, key: `${name}+${idText}+${base64(typed)}`, cosign }
}
