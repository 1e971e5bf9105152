/**
 * Signatures of webhooks (Standard Webhooks 1.0). With them a receiver recognises the sender and detects replays.
 *
 * @module
 */
import { type Bytes, base64, parseBase64, utf8 } from '../bytes.ts'
import { PosternError } from '../errors.ts'
import { Redacted } from '../redacted.ts'

const PREFIX = 'whsec_'
/** The allowed sizes of a signing secret in bytes, by Standard Webhooks. */
const [MIN_SIZE, MAX_SIZE] = [24, 64]

/** A message. Its id and body are equal at each attempt. */
export interface WebhookMessage {
  id: string
  timestampSeconds: number
  body: string
}

/**
 * Parses the secret of a webhook: `whsec_` and 24 to 64 bytes in base64.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseWebhookSecret(text: string): Redacted<Bytes> {
  const bytes = text.startsWith(PREFIX) ? parseBase64(text.slice(PREFIX.length)) : null
  if (bytes === null || bytes.length < MIN_SIZE || bytes.length > MAX_SIZE) {
    throw new PosternError('bad_request', `Must be ${PREFIX} and ${MIN_SIZE} to ${MAX_SIZE} bytes in base64`)
  }
  return new Redacted(bytes)
}

/** The three headers of a signed message: HMAC-SHA-256 over id, time and body. */
export async function signWebhook(
  secret: Redacted<Bytes>,
  { id, timestampSeconds, body }: WebhookMessage,
): Promise<Record<string, string>> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', secret.reveal(), algorithm, false, ['sign'])
  const mac = await crypto.subtle.sign('HMAC', key, utf8(`${id}.${timestampSeconds}.${body}`))
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': `v1,${base64(new Uint8Array(mac))}`,
  }
}

/** Formats a secret for the libraries of receivers. */
export function formatWebhookSecret(secret: Redacted<Bytes>): string {
  return PREFIX + base64(secret.reveal())
}
