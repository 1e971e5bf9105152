/**
 * Sealing the secret that signs the messages of a webhook.
 *
 * @module
 */
import type { Bytes } from '../bytes.ts'
import { type Binding, open, seal } from '../crypto/envelope.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Redacted } from '../redacted.ts'
import type { Webhook } from '../vault/notifications/webhook_store.ts'

/** The webhook that a secret is sealed for, and the key to seal it under. */
export interface WebhookPlace {
  vault: string
  id: string
  url: string
  term: number
  root?: string | null
}

/** Seals a signing secret for one webhook and its URL. */
export async function sealWebhookSecret(
  keyring: Keyring,
  { vault, id, url, term, root = null }: WebhookPlace,
  secret: Redacted<Bytes>,
): Promise<{ kid: string; sealed: Bytes }> {
  const kek = await keyring.of(root).currentKek(vault, term)
  return { kid: kek.kid, sealed: await seal(kek, secret.reveal(), bindingOf(vault, id, `hook ${url}`)) }
}

/**
 * Opens the signing secret of a webhook. The envelope is bound to the URL: otherwise a person who can write a vault's
 * file could redirect the values of its rotations.
 *
 * @throws {PosternError} `tampered`, or `unavailable` when its root key is not configured.
 */
export async function openWebhookSecret(
  keyring: Keyring,
  vault: string,
  { id, url, kid, sealed }: Pick<Webhook, 'id' | 'url' | 'kid' | 'sealed'>,
): Promise<Redacted<Bytes>> {
  return open(await keyring.kek(vault, kid), sealed, bindingOf(vault, id, `hook ${url}`))
}

/**
 * Opens a signing secret that Postern 0.1 sealed without its URL. Call it only to seal the secret again with the URL.
 *
 * @throws {PosternError} `tampered`, or `unavailable` when its root key is not configured.
 */
export async function openUnboundWebhookSecret(
  keyring: Keyring,
  vault: string,
  { id, kid, sealed }: Pick<Webhook, 'id' | 'kid' | 'sealed'>,
): Promise<Redacted<Bytes>> {
  return open(await keyring.kek(vault, kid), sealed, bindingOf(vault, id, 'hook'))
}

function bindingOf(vault: string, name: string, contentType: string): Binding {
  return { vault, name, version: 0n, contentType }
}
