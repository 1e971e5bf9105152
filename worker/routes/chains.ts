/**
 * Chains of providers: `…/chains` and `…/providers`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { refusal } from '../../core/errors.ts'
import { parseId } from '../../core/names.ts'
import type { VersionedChain } from '../../core/providers/chain.ts'
import { failover } from '../../core/providers/failover.ts'
import type { Health } from '../../core/providers/health.ts'
import type { NameMap } from '../../core/providers/name_map.ts'
import type { ProviderListItem } from '../../core/providers/provider.ts'
import { openCursor, sealCursor } from '../../core/sealing/list_cursor.ts'
import type { ProvidersSeen } from '../../core/vault/chains/chain_operations.ts'
import { reasonOf } from '../../core/vault/chains/read_operations.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson } from '../http/body.ts'
import type { Env } from '../http/request_context.ts'
import { answer, iso, when } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import { checkUsable } from '../http/usable.ts'
import { passedOverOf } from '../provider_access/read.ts'
import { timesOf } from '../provider_access/shared_fetch.ts'
import type { Services } from '../services.ts'

/** Makes the routes of chains and of the health of providers. */
export function chainRoutes({ keyring, settings, registry }: Services): Hono<Env> {
  const routes = new Hono<Env>()
  const { bodyTimeoutMs } = settings

  serve(routes, 'listChains', async (c) => {
    const granted = await c.var.handle.call('chain.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(chain) } satisfies z.input<typeof wire.ChainList>)
  })

  serve(routes, 'putChain', async (c) => {
    const id = parseId(c.req.param('id'))
    const body = wire.check(wire.PutChain, await readJson(c.req.raw, bodyTimeoutMs))
    // Checked now, rather than at the first read.
    await checkUsable(c, 'chain.put', id, () => registry.check(c.var.vault, body))
    const granted = await c.var.handle.call('chain.put', c.var.caller, { id, ...body })
    return answer(c, granted, chain(granted.value))
  })

  serve(routes, 'deleteChain', async (c) => {
    const granted = await c.var.handle.call('chain.delete', c.var.caller, { id: parseId(c.req.param('id')) })
    return answer(c, granted, chain(granted.value))
  })

  serve(routes, 'listChainNames', async (c, { cursor, prefix, limit }) => {
    const id = parseId(c.req.param('id'))
    const { vault, handle, caller } = c.var
    const { chain } = (await handle.call('chain.browse', caller, { chain: id, prefix })).value
    const list = JSON.stringify(['names', id, chain.revision, prefix])
    const after = cursor === undefined ? null : await openCursor(keyring, vault, list, cursor)
    const member = chain.members[0]!
    const names = registry.names(vault, chain, member)
    const guarded = registry.find(vault, member.provider)
    if (guarded === null) throw refusal('provider_missing')
    // Only the primary, since another provider cannot use its cursor.
    const reply = await failover(
      [{ guarded, name: names.listPrefix(prefix) }],
      (provider, stored, signal) => provider.list({ prefix: stored, cursor: after, limit, signal }),
      { ...timesOf(settings), onNotFound: 'stop' },
    )
    if (!('value' in reply)) throw refusal(reasonOf(reply.failure), passedOverOf(reply))
    const { named, unnamed } = sortedOut(reply.value.items, names, prefix)
    const input = { chain: id, prefix, names: named.map(({ name }) => name), unnamed: unnamed.length }
    const granted = await handle.call('chain.names', caller, input)
    const shown = new Set(granted.value.names)
    const rest = reply.value.cursor
    const more = {
      ...(granted.value.unnamed && unnamed.length > 0 && { unnamed }),
      ...(rest !== null && { cursor: await sealCursor(keyring, vault, list, rest) }),
    }
    const items = named.filter(({ name }) => shown.has(name))
    return answer(c, granted, { items, ...more } satisfies z.input<typeof wire.ChainNames>)
  })

  serve(routes, 'listProviders', async (c) => {
    const granted = await c.var.handle.call('provider.list', c.var.caller, {})
    const now = Date.now()
    const items = registry.usableBy(c.var.vault).map((guarded) => provider(guarded.health(now), granted.value, now))
    return answer(c, granted, { items } satisfies z.input<typeof wire.ProviderList>)
  })

  return routes
}

/** Tells the secrets of a chain from what its primary has besides, and why that has no name. */
function sortedOut(items: readonly ProviderListItem[], names: NameMap, prefix: string) {
  const named: { name: string; updatedAt?: string }[] = []
  const unnamed: { stored: string; why: string }[] = []
  for (const { name: stored, updatedAt } of items) {
    const found = names.find(stored)
    const target = names.target(stored)
    if ('problem' in found) unnamed.push(...(target === null ? [] : [{ stored: target, why: found.problem }]))
    else if (found.name.startsWith(prefix)) named.push({ name: found.name, ...when('updatedAt', updatedAt) })
  }
  return { named, unnamed }
}

function chain({ revision: _, members, updatedAt, ...rest }: VersionedChain): z.input<typeof wire.Chain> {
  return { ...rest, members: members.map((member) => ({ ...member })), updatedAt: iso(updatedAt) }
}

function lastFailureOf({ kind, code, at }: NonNullable<Health['lastFailure']>) {
  return { kind, ...(code !== null && { code }), at: iso(at) }
}

/** The health of a provider: as this process or isolate measures it, and as the vault records it. */
function provider(health: Health, seen: ProvidersSeen, now: number): z.input<typeof wire.Provider> {
  const { id, lastFailure, ...rest } = health
  const of = ({ provider }: { provider: string }) => provider === id
  const row = seen.health.find(of)
  const lag = seen.lags.find(of)
  const drifted = seen.drifts.find(of)
  return {
    id,
    ...rest,
    ...(row && { since: iso(row.since) }),
    ...(lastFailure && { lastFailure: lastFailureOf(lastFailure) }),
    ...(lag && { lag: { names: lag.names, seconds: Math.max(0, Math.floor((now - lag.since) / 1000)) } }),
    ...(drifted && { drifted: drifted.names }),
  }
}
