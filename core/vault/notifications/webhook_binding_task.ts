/**
 * Webhooks of 0.1, whose envelopes do not bind their URL: the edge seals their secrets again, once, when it opens the
 * vault.
 *
 * Their URLs are trusted as they are then, and an alert in the log names them. From then on an envelope without a URL
 * is never opened: a row that is put back to that form, with another URL, stays sealed.
 *
 * @module
 */

import type { Log } from '../audit/log.ts'
import type { Outcome } from '../operation.ts'
import type { Stores } from '../stores.ts'
import { task } from '../task.ts'
import { originOf } from './webhook_operations.ts'
import type { BoundWebhookSecret, Webhook } from './webhook_store.ts'

const PAGE = 200

/** The webhooks to bind. */
export interface UnboundWebhooks {
  hooks: Webhook[]
  /** Whether the webhooks of this vault were bound before. An unbound row was then written by other means. */
  wasDone: boolean
  /** The term to seal the secrets under, and its root key. */
  under: { term: number; root: string | null }
}

/** Finds the hooks whose address is not bound. */
export const findUnbound = task({
  resource: () => 'hooks',
  run({ hooks, keys, log, retention }: Stores, _: Record<never, never>): Outcome<UnboundWebhooks> {
    const unbound = hooks.unbound()
    const wasDone = unbound.length > 0 && hasBound(log, retention.min)
    return { value: { hooks: unbound, wasDone, under: keys.under() }, unrecorded: true }
  },
})

/** Stores secrets that were sealed again. */
export const bindWebhooks = task({
  securityEvent: 'alert',
  resource: () => 'hooks',
  resourceFacts: ({ secrets }: { secrets: BoundWebhookSecret[] }) => ({
    hooks: secrets.map(({ id, url }) => ({ hook: id, url: originOf(url) })),
  }),
  run({ hooks }: Stores, { secrets }: { secrets: BoundWebhookSecret[] }): Outcome<number> {
    return { value: secrets.filter((secret) => hooks.bind(secret)).length }
  },
})

function hasBound(log: Log, start: number): boolean {
  for (let from = start; ; ) {
    const page = log.entries(from, PAGE, { severity: 'alert' })
    if (page.some(({ body }) => operationIn(body) === 'hook.bind')) return true
    if (page.length === 0) return false
    from = page.at(-1)!.index + 1
  }
}

function operationIn(body: Uint8Array): unknown {
  return (JSON.parse(new TextDecoder().decode(body)) as { operation?: unknown }).operation
}
