/**
 * Webhooks: other servers that receive messages. Each has a signing secret of its own, which the vault stores sealed.
 *
 * @module
 */
import { type OperationContext, type Outcome, operation, type Unusable } from '../operation.ts'
import type { Webhook } from './webhook_store.ts'

const onHooks = { action: 'admin', resource: () => 'hooks' } as const

/** Lists the webhooks. */
export const listWebhooks = operation({
  ...onHooks,
  approvalBinding: 'nothing',
  run: ({ hooks }: OperationContext, _: Record<never, never>): Outcome<Webhook[]> => ({ value: hooks.list() }),
})

/** A new or changed webhook. Its signing secret is taken only if the webhook has none or is to get a new one. */
interface NewHook extends Pick<Webhook, 'id' | 'url' | 'kid' | 'sealed'> {
  newSecret: boolean
}

/** Creates or replaces a webhook. */
export const putWebhook = operation({
  ...onHooks,
  securityEvent: true,
  resourceFacts: (input: NewHook | Unusable) => ({
    hook: input.id,
    ...('url' in input && { url: originOf(input.url) }),
  }),
  approvalBinding({ hooks }, input: NewHook | Unusable) {
    if ('unusable' in input) return { ...input }
    const { id, url, newSecret } = input
    return { id, url, newSecret, before: shown(hooks.find(id)) }
  },
  run(context: OperationContext, input: NewHook | Unusable): Outcome<{ hook: Webhook; tookSecret: boolean }> {
    if ('unusable' in input) return { reason: 'unusable' }
    const { hooks, keys, now, principal } = context
    const { id, url, newSecret, kid, sealed } = input
    if (!keys.isCurrent(kid)) return { reason: 'raced' }
    const before = hooks.find(id)
    // A new owner of the URL must not receive messages that the former owner could verify, nor the reverse.
    const tookSecret = before === null || newSecret || before.url !== url || !hooks.isBound(id)
    const secret = tookSecret ? { kid, sealed } : { kid: before.kid, sealed: before.sealed }
    const hook = { id, url, ...secret, version: (before?.version ?? 0) + 1, updatedAt: now, updatedBy: principal }
    hooks.put(hook)
    return { value: { hook, tookSecret }, facts: { before: before && originOf(before.url), newSecret: tookSecret } }
  },
})

/** Deletes a webhook that no rotation and no policy uses. */
export const deleteWebhook = operation({
  ...onHooks,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ hook: id }),
  approvalBinding: 'nothing',
  run({ hooks, policy }: OperationContext, { id }: { id: string }): Outcome<{ id: string }> {
    if (hooks.find(id) === null) return { reason: 'no_hook' }
    if (hooks.isUsed(id) || policy.get().notify === id) return { reason: 'hook_used' }
    hooks.delete(id)
    return { value: { id } }
  },
})

/** The part of a URL that the log may hold: for many webhooks the path is the credential. */
export function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : '<address>'
}

/** The state of a webhook. The version alone restarts at 1 when a webhook is deleted and put again. */
function shown(hook: Webhook | null) {
  return hook && { url: hook.url, version: hook.version, updatedAt: hook.updatedAt, updatedBy: hook.updatedBy }
}
