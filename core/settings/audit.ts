/**
 * Settings for the audit logs: `POSTERN_AUDIT__…`.
 *
 * @module
 */

import * as z from 'zod/mini'
import type { Range } from '../addresses.ts'
import { PosternError } from '../errors.ts'
import { FORMATS } from '../export/format.ts'
import { checkUrl } from '../http/address_guard.ts'
import { parseWebhookSecret } from '../http/webhook_signature.ts'
import { formatRollback, parseRollback } from '../tlog/rollback_acceptance.ts'
import { isWitnessKey } from '../tlog/signed_note.ts'
import { choice, fileName, flag, list, parseBearerToken, secret, text, whole } from './reader.ts'

/** Settings for retention, anchors, witnesses and export of the logs. */
export const AuditSettings = z.object({
  retentionDays: z.optional(
    whole(1, 36_500, 'The retention of log entries, in days. Defaults to 365 in production, 90 otherwise.'),
  ),
  aliasNames: z.prefault(
    flag(
      'Record an alias (a keyed hash) instead of the name of a secret, for logs that are exported. Names in rules stay readable.',
    ),
    'false',
  ),
  blind: z.prefault(
    flag(
      'Add random bytes to each entry, so that its content cannot be guessed from its hash. For logs with published tiles.',
    ),
    'false',
  ),
  publishSeconds: z.prefault(
    whole(
      1,
      3600,
      'The delay in seconds after a write until its checkpoint is signed and sent to anchors and witnesses, and its entries to the sink.',
    ),
    '10',
  ),
  anchor: z.optional(
    text(
      'A second place for the newest checkpoint of each log: a folder on another disk, or an https URL that accepts `PUT` and `GET` of `<url>/<vault>`. On Workers also an R2 bucket bound as `ANCHOR`. A vault whose log does not extend its anchor is not served.',
    ),
  ),
  anchorToken: z.optional(secret(parseBearerToken, 'text', 'The bearer token for an anchor URL.')),
  anchorTokenFile: z.optional(fileName('A file with that token, read again at each use.')),
  anchorRequired: z.optional(
    flag('Keep a vault closed while its anchor is unreadable. Defaults to `true` in production, `false` otherwise.'),
  ),
  acceptRollback: z.prefault(
    list(
      (item) => formatRollback(parseRollback(item)),
      '`vault/size/root/size/root`',
      'Accepts a log that was rolled back, after a restore from a backup: the current log, and the anchored log that it replaces. The server prints this value when it refuses the vault. It is good for exactly these two logs, and once: accepting it raises an alert in the log and moves the anchor.',
    ),
    '',
  ),
  acceptSchema: z.prefault(
    list(
      schemaWord,
      '`vault/digest`',
      'Accepts a vault whose schema differs from the one that Postern creates, such as by an index of your own. The server prints this value when it refuses the vault. It is good for exactly these differences, as long as it is set. Accepting them raises an alert in the log.',
    ),
    '',
  ),
  witnesses: z.prefault(
    list(witness, 'a URL, a space and a verifier key', 'Witnesses (C2SP tlog-witness) that cosign checkpoints.'),
    '',
  ),
  sinkUrl: z.optional(text('The URL to which new entries are posted: a log collector or a webhook.')),
  sinkFormat: z.prefault(choice(FORMATS, 'The format of exported entries.'), 'jsonl'),
  sinkToken: z.optional(secret(parseBearerToken, 'text', 'The bearer token for the sink.')),
  sinkTokenFile: z.optional(fileName('A file with that token, read again at each use.')),
  sinkSecret: z.optional(
    secret(parseWebhookSecret, '`whsec_` and base64', 'The key that signs requests to the sink (Standard Webhooks).'),
  ),
  sinkSecretFile: z.optional(fileName('A file with that key, read again at each use.')),
})

/** Whether an operator may configure this URL: https, at a public or a listed private address, or http on this machine. */
export function isOperatorUrl(given: string, privateRanges: readonly Range[] = []): boolean {
  try {
    checkUrl(given, { allowLoopback: true, privateRanges })
  } catch {
    return false
  }
  const { search, hash } = new URL(given)
  return given === given.trim() && !search && !hash
}

function schemaWord(item: string): string {
  if (/^[a-z0-9-]{1,32}\/[A-Za-z0-9_-]{43}$/.test(item)) return item
  throw new PosternError('bad_request', 'Must be the value that the server printed')
}

function witness(item: string): { url: string; key: string } {
  const [url = '', key = '', ...rest] = item.split(' ')
  if (rest.length > 0 || !URL.canParse(url) || !isWitnessKey(key)) {
    throw new PosternError('bad_request', 'Must be an https URL, a space, and the verifier key of a witness')
  }
  return { url, key }
}
