/**
 * Sends the notifications of a vault to its webhook: see `core/vault/notifications/tasks.ts`.
 *
 * @module
 */
import { send } from '../../core/http/send.ts'
import { signWebhook } from '../../core/http/webhook_signature.ts'
import { openWebhookSecret } from '../../core/sealing/webhook_secret.ts'
import type { NextNotification } from '../../core/vault/notifications/tasks.ts'
import { toHooks } from '../outbound.ts'
import type { VaultServices } from '../vault_services.ts'
import type { Job } from './scheduler.ts'

const MAX_ANSWER_BYTES = 64 * 1024
/** How often rotations are checked for notifications. */
const LOOK_MS = 60_000

/** Sends notifications to the webhook of the vault's policy. */
export const sendNotifications: Job = {
  name: 'noticing',
  afterWriteMs: null,
  triggeredBy: ({ operation, caller }) =>
    operation === 'glass.break' ||
    operation === 'policy.put' ||
    (caller.approval !== undefined && 'ask' in caller.approval),
  async run(services) {
    for (;;) {
      const next = await services.perform('notices.next', {})
      const { hook, notice, nextAt } = next
      if (hook === null) return null
      if (notice === null) return Math.min(nextAt ?? Number.POSITIVE_INFINITY, Date.now() + LOOK_MS)
      await services.perform('notices.settle', { id: notice.id, sent: await isTaken(services, next) })
    }
  },
}

async function isTaken(services: VaultServices, { hook, notice }: NextNotification): Promise<boolean> {
  const { vault, keyring } = services
  if (hook === null || notice === null) return false
  const { id, type, data, createdAt } = notice
  const body = JSON.stringify({ type, timestamp: new Date(createdAt).toISOString(), data: { vault, ...data } })
  try {
    const secret = await openWebhookSecret(keyring, vault, hook)
    const message = { id: `notice_${vault}_${createdAt}_${id}`, timestampSeconds: Math.floor(Date.now() / 1000), body }
    const headers = { 'Content-Type': 'application/json', ...(await signWebhook(secret, message)) }
    const options = { ...toHooks(services), maxBytes: MAX_ANSWER_BYTES }
    const { status } = await send(hook.url, { method: 'POST', headers, body }, options)
    return status >= 200 && status < 300
  } catch {
    return false
  }
}
