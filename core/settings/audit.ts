/**
 * What can be set about the logs: `POSTERN_AUDIT__…`.
 *
 * @module
 */
import * as z from 'zod/mini'
import { PosternError } from '../errors.ts'
import { FORMATS } from '../export/format.ts'
import { checkUrl } from '../http/send.ts'
import { parseWebhookSecret } from '../http/webhook_signature.ts'
import { Redacted } from '../redacted.ts'
import { formatRollback, parseRollback } from '../tlog/rollback_acceptance.ts'
import { isWitnessKey } from '../tlog/signed_note.ts'
import { choice, flag, list, secret, text, whole } from './reader.ts'

/** What becomes of the logs beside being kept: see the files beside this one. */
export const AuditSettings = z.object({
  retentionDays: z.optional(whole(1, 36_500, 'How long entries are kept. In production 365 when not given, else 90.')),
  aliasNames: z.prefault(
    flag(
      "Writes an alias (a keyed hash) in place of each secret's name. What rules say about names stays. For logs that are sent to where names must not be read.",
    ),
    'false',
  ),
  blind: z.prefault(
    flag(
      'Puts random bytes into each entry, so that none can be guessed from its hash: for logs whose tiles are published.',
    ),
    'false',
  ),
  publishSeconds: z.prefault(
    whole(
      1,
      3600,
      'How soon after something was written a checkpoint is signed and taken to anchors and witnesses, and entries to the sink.',
    ),
    '10',
  ),
  anchor: z.optional(
    text(
      'Where the newest checkpoint of each log is kept beside the store: a folder on another disk, or an https URL that takes `PUT` and `GET` of `<url>/<vault>`. On Workers an R2 bucket bound as `ANCHOR` does as well. When a vault is opened whose log is smaller than its anchor, it is not served.',
    ),
  ),
  anchorToken: z.optional(secret(credential, 'text', 'Sent to an anchor that is a URL, as `Authorization: Bearer`.')),
  anchorRequired: z.optional(
    flag(
      'Whether a vault stays closed while its anchor cannot be read when it is opened. In production `true` when not given.',
    ),
  ),
  acceptRollback: z.prefault(
    list(
      (item) => formatRollback(parseRollback(item)),
      '`vault/size/root/size/root`',
      'After a restore from a backup: the log as it is now, and the anchored one in whose place it may go on. The server prints it when it refuses such a vault. It holds for exactly these two, and once: accepting it is an alert in the log, and moves the anchor.',
    ),
    '',
  ),
  acceptSchema: z.prefault(
    list(
      schemaWord,
      '`vault/digest`',
      'Differences between the schema of a vault and the one that Postern makes, such as an index of your own. The server prints the word when it refuses such a vault. The word holds for exactly these differences, as long as it is set; accepting them is an alert in the log.',
    ),
    '',
  ),
  witnesses: z.prefault(
    list(witness, 'URL and verifier key, parted by a space', 'Witnesses (C2SP tlog-witness) that cosign checkpoints.'),
    '',
  ),
  sinkUrl: z.optional(text('Where entries are posted as they come: a collector of logs, or a web hook.')),
  sinkFormat: z.prefault(choice(FORMATS, 'The form in which they are.'), 'jsonl'),
  sinkToken: z.optional(secret(credential, 'text', 'Sent to the sink as `Authorization: Bearer`.')),
  sinkSecret: z.optional(
    secret(parseWebhookSecret, '`whsec_` and base64', 'Signs what is posted to the sink (Standard Webhooks).'),
  ),
})

/** An address that an operator named, and that can be asked: https, or http on this machine. */
export function isOperatorUrl(given: string): boolean {
  try {
    checkUrl(given, true)
  } catch {
    return false
  }
  const { search, hash } = new URL(given)
  return given === given.trim() && !search && !hash
}

/** A credential that goes into a header. */
export function credential(given: string): Redacted<string> {
  if (!/^[\x21-\x7e]{1,4096}$/.test(given)) throw new PosternError('bad_request', 'Must be visible ASCII')
  return new Redacted(given)
}

function schemaWord(item: string): string {
  if (/^[a-z0-9-]{1,32}\/[A-Za-z0-9_-]{43}$/.test(item)) return item
  throw new PosternError('bad_request', 'Must be as the server printed it')
}

function witness(item: string): { url: string; key: string } {
  const [url = '', key = '', ...rest] = item.split(' ')
  if (rest.length > 0 || !isOperatorUrl(url) || !isWitnessKey(key)) {
    throw new PosternError('bad_request', 'Must be an https URL, a space, and the verifier key of a witness')
  }
  return { url, key }
}
