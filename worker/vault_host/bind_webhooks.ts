/**
 * Binds the URLs of webhooks from 0.1 to their secrets, when a vault is opened. The vault's half is in
 * `core/vault/notifications/webhook_binding_task.ts`.
 *
 * @module
 */

import { openUnboundWebhookSecret, sealWebhookSecret } from '../../core/sealing/webhook_secret.ts'
import type { UnboundWebhooks } from '../../core/vault/notifications/webhook_binding_task.ts'
import type { BoundWebhookSecret, Webhook } from '../../core/vault/notifications/webhook_store.ts'
import { logLine } from '../telemetry/log.ts'
import type { VaultServices } from '../vault_services.ts'

/** Seals the secrets of unbound webhooks again, bound to their URLs. The log names each webhook whose secret cannot be opened. */
export async function bindHooks(services: VaultServices): Promise<void> {
  const { vault, perform } = services
  const { hooks, wasDone, under } = await perform('hook.unbound', {})
  const secrets = wasDone
    ? []
    : (await Promise.all(hooks.map((hook) => boundSecret(services, hook, under)))).filter((one) => one !== null)
  const bound = new Set(secrets.map(({ id }) => id))
  for (const { id } of hooks) {
    if (bound.has(id)) continue
    const message = 'URL of the webhook is not bound to its secret: check the URL, then put the webhook again'
    logLine('error', 'hook_unbound', { vault, hook: id, message })
  }
  if (secrets.length > 0) await perform('hook.bind', { secrets })
}

async function boundSecret(
  { vault, keyring }: VaultServices,
  hook: Webhook,
  under: UnboundWebhooks['under'],
): Promise<BoundWebhookSecret | null> {
  try {
    const secret = await openUnboundWebhookSecret(keyring, vault, hook)
    const { id, url } = hook
    return { id, url, ...(await sealWebhookSecret(keyring, { vault, id, url, ...under }, secret)), before: hook.sealed }
  } catch {
    return null
  }
}
