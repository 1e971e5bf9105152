/**
 * Approvals and break-glass: `…/approvals` and `…/break-glass`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { badRequest } from '../../core/errors.ts'
import { UUID } from '../../core/uuid.ts'
import type { ShownApproval } from '../../core/vault/approvals/approval_operations.ts'
import type { BrokenGlass } from '../../core/vault/approvals/break_glass_store.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson } from '../http/body.ts'
import type { Env, RequestContext } from '../http/request_context.ts'
import { answer, iso, when } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import type { Services } from '../services.ts'

/** Makes the routes of approvals and of break-glass access, which goes without them. */
export function approvalRoutes({ settings }: Services): Hono<Env> {
  const routes = new Hono<Env>()
  const { bodyTimeoutMs } = settings

  serve(routes, 'listApprovals', async (c) => {
    const granted = await c.var.handle.call('approval.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(shown) } satisfies z.input<typeof wire.ApprovalList>)
  })

  serve(routes, 'showApproval', async (c) => {
    const granted = await c.var.handle.call('approval.show', c.var.caller, { id: idOf(c) })
    return answer(c, granted, shown(granted.value))
  })

  serve(routes, 'decideApproval', async (c) => {
    const body = wire.check(wire.DecideApproval, await readJson(c.req.raw, bodyTimeoutMs))
    const { decision, hash, reason = null } = body
    const verdict = { id: idOf(c), hash, approve: decision === 'approve', reason }
    const granted = await c.var.handle.call('approval.decide', c.var.caller, verdict)
    return answer(c, granted, shown(granted.value))
  })

  serve(routes, 'withdrawApproval', async (c) => {
    const granted = await c.var.handle.call('approval.withdraw', c.var.caller, { id: idOf(c) })
    return answer(c, granted, shown(granted.value))
  })

  serve(routes, 'listBrokenGlass', async (c) => {
    const granted = await c.var.handle.call('glass.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(glass) } satisfies z.input<typeof wire.BrokenGlassList>)
  })

  serve(routes, 'breakGlass', async (c) => {
    const body = wire.check(wire.BreakGlass, await readJson(c.req.raw, bodyTimeoutMs))
    const granted = await c.var.handle.call('glass.break', c.var.caller, body)
    return answer(c, granted, glass(granted.value), 201)
  })

  serve(routes, 'reviewGlass', async (c) => {
    const { review } = wire.check(wire.ReviewGlass, await readJson(c.req.raw, bodyTimeoutMs))
    const granted = await c.var.handle.call('glass.review', c.var.caller, { id: idOf(c), review })
    return answer(c, granted, glass(granted.value))
  })

  serve(routes, 'endGlass', async (c) => {
    const granted = await c.var.handle.call('glass.end', c.var.caller, { id: idOf(c) })
    return answer(c, granted, glass(granted.value))
  })

  return routes
}

function idOf(c: RequestContext): string {
  const id = c.req.param('id') ?? ''
  if (!UUID.test(id)) throw badRequest('id', 'Must be an id that was given out here')
  return id
}

function shown(row: ShownApproval): z.input<typeof wire.Approval> {
  const { id, hash, body, operation, resource, requester, reason, createdAt, expiresAt } = row
  const { state, endedAt, endedBy, endedWhy, votes, demands } = row
  const ended = {
    ...when('endedAt', endedAt),
    ...(endedBy !== null && { endedBy }),
    ...(endedWhy !== null && { endedWhy }),
  }
  return {
    id,
    hash,
    state: state === 'open' && expiresAt <= Date.now() ? 'expired' : state,
    ...{ operation, resource, requester, reason, body },
    createdAt: iso(createdAt),
    expiresAt: iso(expiresAt),
    approvals: votes.map(({ principal, at }) => ({ principal, at: iso(at) })),
    demands: demands.map(({ id: rule, unless: { approvals } }) => {
      return { rule, required: approvals.required, from: [...approvals.from] }
    }),
    ...ended,
  }
}

function glass(row: BrokenGlass): z.input<typeof wire.BrokenGlass> {
  const { id, principal, reason, beganAt, expiresAt, endedAt, reviewedAt, reviewedBy, review } = row
  const times = { beganAt: iso(beganAt), expiresAt: iso(expiresAt), ...when('endedAt', endedAt) }
  const said = {
    ...when('reviewedAt', reviewedAt),
    ...(reviewedBy !== null && { reviewedBy }),
    ...(review !== null && { review }),
  }
  return { id, principal, reason, ...times, ...said }
}
