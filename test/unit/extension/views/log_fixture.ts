/**
 * A log as a server shows it, signed and provable.
 *
 * @module
 */

import { base64, utf8 } from '../../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../../core/crypto/keyring.ts'
import { PosternError } from '../../../../core/errors.ts'
import { signCheckpoint } from '../../../../core/tlog/checkpoint.ts'
import { type Hash, hashesFor, leafHash, type ReadHashes, treeHash } from '../../../../core/tlog/merkle.ts'
import { consistencyProof } from '../../../../core/tlog/proof.ts'
import { formatVerifierKey } from '../../../../core/tlog/signed_note.ts'

/** Who signs the log. */
export const signer = await (await Keyring.open(parseRootKey('A'.repeat(43)))).noteSigner('acme', 'test.example/acme')
/** Another signer, under the same name. */
export const stranger = await (await Keyring.open(parseRootKey(`${'A'.repeat(42)}E`))).noteSigner(
  'acme',
  'test.example/acme',
)

/** A log of these entries, as a server shows it. */
export function logOf(entries: readonly string[], by = signer) {
  const hashes: Hash[] = []
  const read: ReadHashes = (positions) => positions.map((at) => hashes[at]!)
  entries.forEach((entry, n) => void hashes.push(...hashesFor(n, leafHash(utf8(entry)), read)))
  return {
    auditKey: async () => formatVerifierKey(by),
    checkpoint: () => signCheckpoint({ size: entries.length, root: treeHash(entries.length, read) }, by),
    async consistency(from: number, to: number) {
      if (to > entries.length || from > to) throw new PosternError('not_found', 'Log has no such entry yet')
      return { from, to, hashes: consistencyProof(from, to, read).map(base64) }
    },
  }
}

/** As many entries. */
export const entries = (n: number, text = 'entry') => Array.from({ length: n }, (_, i) => `${text} ${i}`)
