/**
 * Privacy of the log, by settings: for logs with many readers, or with published hashes.
 *
 * @module
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, base64url, utf8 } from '../../bytes.ts'

/** What entries hide from readers of a log. */
export interface Privacy {
  /** The key under which names of secrets are replaced by an alias; `null`: they are written as they are. */
  aliasKey: Bytes | null
  /** Whether each entry holds random bytes, so that an entry cannot be guessed from its published leaf hash. */
  blind: boolean
}

/** Names as they are, and no random bytes. */
export const NO_PRIVACY: Privacy = { aliasKey: null, blind: false }

/**
 * The alias of a secret's name: HMAC-SHA-256, cut to 132 bits. It is the same for one name of one vault, and cannot be
 * linked to the name without the key: names are few enough to guess through a bare hash.
 */
export function aliasOf(key: Bytes, name: string): string {
  return `hmac:${base64url(hmac(sha256, key, utf8(name))).slice(0, 22)}`
}
