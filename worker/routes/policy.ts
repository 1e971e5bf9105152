/**
 * What holds for a whole vault: `…/policy`, `…/keys` and `…/hooks`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { randomBytes } from '../../core/bytes.ts'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { badRequest } from '../../core/errors.ts'
import { checkUrl } from '../../core/http/address_guard.ts'
import { formatWebhookSecret } from '../../core/http/webhook_signature.ts'
import { parseId } from '../../core/names.ts'
import { Redacted } from '../../core/redacted.ts'
import { visibleAll } from '../../core/sanitize.ts'
import { sealWebhookSecret } from '../../core/sealing/webhook_secret.ts'
import type { ComplexityFloor } from '../../core/values/strength.ts'
import { complexityFloorOf } from '../../core/vault/access/server_policy.ts'
import type { Keys } from '../../core/vault/keys/key_operations.ts'
import type { Term } from '../../core/vault/keys/key_store.ts'
import type { Webhook } from '../../core/vault/notifications/webhook_store.ts'
import type { VersionedPolicy } from '../../core/vault/secrets/value_policy_store.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson } from '../http/body.ts'
import { recipientOf } from '../http/request.ts'
import type { Env } from '../http/request_context.ts'
import { answer, answerWithValues, iso, when } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import { checkUsable } from '../http/usable.ts'
import type { Services } from '../services.ts'

/** Bytes of a webhook's signing secret. */
const SECRET_SIZE = 32

/** Makes the routes of the value policy, of key terms and of webhooks. */
export function policyRoutes({ keyring, settings }: Services): Hono<Env> {
  const routes = new Hono<Env>()
  const { bodyTimeoutMs, security } = settings
  const floor = complexityFloorOf(security)

  serve(routes, 'showPolicy', async (c) => {
    const granted = await c.var.handle.call('policy.show', c.var.caller, {})
    return answer(c, granted, policy(granted.value, floor))
  })

  serve(routes, 'putPolicy', async (c) => {
    const body = wire.check(wire.PutPolicy, await readJson(c.req.raw, bodyTimeoutMs))
    const granted = await c.var.handle.call('policy.put', c.var.caller, body)
    return answer(c, granted, policy(granted.value, floor))
  })

  serve(routes, 'listHooks', async (c) => {
    const granted = await c.var.handle.call('hook.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(hook) } satisfies z.input<typeof wire.HookList>)
  })

  serve(routes, 'putHook', async (c) => {
    const id = parseId(c.req.param('id'))
    const recipient = await recipientOf(c)
    const { url, newSecret } = wire.check(wire.PutHook, await readJson(c.req.raw, bodyTimeoutMs))
    await checkUsable(c, 'hook.put', id, () => {
      checkUrl(url, { allowLoopback: security.allowLoopbackHooks })
      // A URL is shown and logged, so it must not hold a credential.
      if (/[?#]/.test(url)) throw badRequest('url', 'Must have no query and no fragment')
    })
    const { handle, caller, vault } = c.var
    const under = (await handle.call('keys.term', caller, {})).value
    const secret = new Redacted(randomBytes(SECRET_SIZE))
    const sealed = await sealWebhookSecret(keyring, { vault, id, url, ...under }, secret)
    const granted = await handle.call('hook.put', caller, { id, url, newSecret, ...sealed })
    const shown = granted.value.tookSecret ? { secret: formatWebhookSecret(secret) } : {}
    return answerWithValues(c, granted, { ...hook(granted.value.hook), ...shown }, recipient)
  })

  serve(routes, 'deleteHook', async (c) => {
    const granted = await c.var.handle.call('hook.delete', c.var.caller, { id: parseId(c.req.param('id')) })
    return answer(c, granted, granted.value)
  })

  serve(routes, 'listTerms', async (c) => {
    const granted = await c.var.handle.call('keys.show', c.var.caller, {})
    return answer(c, granted, keysOf(granted.value, keyring))
  })

  serve(routes, 'rekey', async (c) => {
    const granted = await c.var.handle.call('keys.rekey', c.var.caller, {})
    return answer(c, granted, terms([granted.value], null)[0]!, 201)
  })

  return routes
}

/**
 * Writes terms for the wire, newest first. The newest is current once all values are rewrapped; until then older terms
 * are in use.
 */
function terms(rows: readonly Term[], left: number | null): z.input<typeof wire.Term>[] {
  const isDone = rows[0]?.doneAt !== null
  return rows.map(({ number, startedAt, startedBy, moved, failed, doneAt, root }, i) => ({
    term: number,
    state: i === 0 ? (isDone ? 'current' : 'moving') : isDone ? 'retired' : 'in_use',
    startedAt: iso(startedAt),
    ...(startedBy !== null && { startedBy }),
    ...{ moved, failed },
    ...(i === 0 && !isDone && left !== null && { left }),
    ...when('doneAt', doneAt),
    ...(root !== null && { rootKey: root }),
  }))
}

function keysOf({ terms: rows, left, unmoved, roots }: Keys, keyring: Keyring): z.input<typeof wire.TermList> {
  const rootKeys = roots.map(({ id, since, ...rest }, i) => ({
    ...{ id, state: i === 0 ? ('current' as const) : ('former' as const), since: iso(since) },
    ...{ given: keyring.all.some(({ rootId }) => rootId === id), ...rest },
  }))
  const stuck = unmoved.map(({ kind, name, version }) => ({ kind, name, ...(version !== null && { version }) }))
  return { items: terms(rows, left), rootKeys, ...(stuck.length > 0 && { unmoved: stuck }) }
}

function policy(
  { updatedAt, updatedBy, secretComplexity, until, ...rest }: VersionedPolicy,
  floor: ComplexityFloor | null,
): z.input<typeof wire.Policy> {
  const complexity = secretComplexity && {
    ...secretComplexity,
    resources: [...secretComplexity.resources],
    denied: visibleAll([...secretComplexity.denied]),
  }
  const erasesAt = until !== null && Date.now() < until.at ? until.at : null
  const change = {
    ...(floor !== null && { serverComplexity: floor }),
    ...when('erasesAt', erasesAt),
    ...when('updatedAt', updatedAt),
    ...(updatedBy !== null && { updatedBy }),
  }
  return { ...rest, secretComplexity: complexity, ...change }
}

function hook({ id, url, version, updatedAt, updatedBy }: Webhook): z.input<typeof wire.Hook> {
  return { id, url, version, updatedAt: iso(updatedAt), updatedBy }
}
