import { Hono } from 'hono'
import type * as z from 'zod'
import type { Principal, TokenRow, VersionedRule } from '../../core/access/store.ts'
import { mintToken } from '../../core/access/token.ts'
import { badRequest } from '../../core/errors.ts'
import { parseId } from '../../core/secrets/name.ts'
import * as wire from '../../core/wire.ts'
import { readJson } from '../body.ts'
import { answer, type Env, iso, type Parts, when } from '../context.ts'

/** `…/principals`, `…/tokens` and `…/rules`. */
export function accessRoutes({ keyring, settings }: Parts): Hono<Env> {
  const routes = new Hono<Env>()
  const { bodyTimeoutMs } = settings

  routes.get('/principals', async (c) => {
    const { index, value } = await c.var.handle.call('principal.list', c.var.caller, {})
    return answer(c, index, { items: value.map(principal) } satisfies z.input<typeof wire.PrincipalList>)
  })

  routes.put('/principals/:id', async (c) => {
    const id = parseId(c.req.param('id'))
    const body = wire.check(wire.PutPrincipal, await readJson(c.req.raw, bodyTimeoutMs))
    const { index, value } = await c.var.handle.call('principal.put', c.var.caller, { id, ...body })
    return answer(c, index, principal(value))
  })

  routes.get('/tokens', async (c) => {
    const { index, value } = await c.var.handle.call('token.list', c.var.caller, {})
    return answer(c, index, { items: value.map(token) } satisfies z.input<typeof wire.TokenList>)
  })

  routes.post('/tokens', async (c) => {
    const body = wire.check(wire.CreateToken, await readJson(c.req.raw, bodyTimeoutMs))
    const { principal: owner, label, expiresAt = null } = body
    if (expiresAt !== null && expiresAt <= Date.now()) throw badRequest('expiresAt', 'Must be in the future')
    const { text, hash } = mintToken(c.var.vault, await keyring.tokenKey(c.var.vault))
    const input = { hash, accessor: crypto.randomUUID(), principal: owner, label, expiresAt }
    const { index, value } = await c.var.handle.call('token.create', c.var.caller, input)
    const created = { ...token(value), token: text.reveal() }
    return answer(c, index, created satisfies z.input<typeof wire.CreatedToken>, 201)
  })

  routes.delete('/tokens/:accessor', async (c) => {
    const { index, value } = await c.var.handle.call('token.revoke', c.var.caller, {
      accessor: c.req.param('accessor'),
    })
    return answer(c, index, token(value))
  })

  routes.get('/rules', async (c) => {
    const { index, value } = await c.var.handle.call('rule.list', c.var.caller, {})
    return answer(c, index, { items: value.map(rule) } satisfies z.input<typeof wire.RuleList>)
  })

  routes.put('/rules/:id', async (c) => {
    const id = parseId(c.req.param('id'))
    const body = wire.check(wire.PutRule, await readJson(c.req.raw, bodyTimeoutMs))
    const { index, value } = await c.var.handle.call('rule.put', c.var.caller, { id, ...body })
    return answer(c, index, rule(value))
  })

  routes.delete('/rules/:id', async (c) => {
    const { index, value } = await c.var.handle.call('rule.delete', c.var.caller, { id: parseId(c.req.param('id')) })
    return answer(c, index, rule(value))
  })

  return routes
}

function principal({ id, kind, createdAt, disabledAt }: Principal): z.input<typeof wire.Principal> {
  return { id, kind, createdAt: iso(createdAt), ...when('disabledAt', disabledAt) }
}

function token(row: TokenRow): z.input<typeof wire.TokenInfo> {
  const { accessor, principal, label, createdAt, createdBy, expiresAt, revokedAt } = row
  const times = { createdAt: iso(createdAt), ...when('expiresAt', expiresAt), ...when('revokedAt', revokedAt) }
  return { accessor, principal, label, createdBy, ...times }
}

function rule({
  id,
  effect,
  principal,
  actions,
  resource,
  version,
  updatedAt,
  updatedBy,
}: VersionedRule): z.input<typeof wire.Rule> {
  return { id, effect, principal, actions: [...actions], resource, version, updatedAt: iso(updatedAt), updatedBy }
}
