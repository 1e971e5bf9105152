/**
 * Binds the addresses of the hooks that 0.1 made, when a vault is opened: `core/vault/notifications/webhook_binding_task.ts`.
 *
 * @module
 */

import { openUnboundWebhookSecret, sealWebhookSecret } from '../../core/sealing/webhook_secret.ts'
import type { UnboundWebhooks } from '../../core/vault/notifications/webhook_binding_task.ts'
import type { BoundWebhookSecret, Webhook } from '../../core/vault/notifications/webhook_store.ts'
import { logLine } from '../telemetry/log.ts'
import type { VaultServices } from '../vault_services.ts'

/** Seals the secrets of unbound hooks anew. One that cannot be opened stays shut, and the operational log names it. */
export async function bindHooks(services: VaultServices): Promise<void> {
  const { vault, perform } = services
  const { hooks, wasDone, under } = await perform('hook.unbound', {})
  const secrets = wasDone
    ? []
    : (await Promise.all(hooks.map((hook) => boundSecret(services, hook, under)))).filter((one) => one !== null)
  const bound = new Set(secrets.map(({ id }) => id))
  for (const { id } of hooks) {
    if (bound.has(id)) continue
    const message = 'Address of the hook is not bound to its secret: check it, and put the hook again'
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
