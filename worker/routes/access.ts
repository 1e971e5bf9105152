/**
 * Administration: `…/principals`, `…/tokens`, `…/rules`, `…/issuers`, `…/locks` and `…/factors`.
 *
 * @module
 */
import { Hono } from 'hono'
import type * as z from 'zod/mini'
import { publicMembers } from '../../core/authentication/key_set.ts'
import type { Ticket } from '../../core/authentication/ticket.ts'
import { mintToken } from '../../core/authentication/token.ts'
import type { Recipient } from '../../core/crypto/seal_to.ts'
import { badRequest } from '../../core/errors.ts'
import { checkUrl } from '../../core/http/address_guard.ts'
import { parseId } from '../../core/names.ts'
import { visibleAll } from '../../core/sanitize.ts'
import type { VersionedIssuer } from '../../core/vault/access/issuer_store.ts'
import type { Lock } from '../../core/vault/access/lockout.ts'
import type { Principal, TokenRow, VersionedRule } from '../../core/vault/access/principal_store.ts'
import type { Conditions } from '../../core/vault/access/rules.ts'
import * as wire from '../../core/wire/index.ts'
import { readJson } from '../http/body.ts'
import { recipientOf } from '../http/request.ts'
import type { Env, RequestContext } from '../http/request_context.ts'
import { answer, answerWithValues, iso, when } from '../http/respond.ts'
import { serve } from '../http/route_table.ts'
import { checkUsable } from '../http/usable.ts'
import type { Services } from '../services.ts'
import { accessorOf } from './sessions.ts'

/** Makes the routes of administration. */
export function accessRoutes({ keyring, settings }: Services): Hono<Env> {
  const routes = new Hono<Env>()
  const { bodyTimeoutMs } = settings

  serve(routes, 'listPrincipals', async (c) => {
    const granted = await c.var.handle.call('principal.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(principal) } satisfies z.input<typeof wire.PrincipalList>)
  })

  serve(routes, 'putPrincipal', async (c) => {
    const id = parseId(c.req.param('id'))
    const body = wire.check(wire.PutPrincipal, await readJson(c.req.raw, bodyTimeoutMs))
    const granted = await c.var.handle.call('principal.put', c.var.caller, { id, ...body })
    return answer(c, granted, principal(granted.value))
  })

  serve(routes, 'listTokens', async (c) => {
    const granted = await c.var.handle.call('token.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(token) } satisfies z.input<typeof wire.TokenList>)
  })

  serve(routes, 'createToken', async (c) => {
    const recipient = await recipientOf(c)
    const { credential } = c.var.caller
    if (credential?.kind === 'ticket') return redeem(c, credential.ticket, recipient)
    const body = wire.check(wire.CreateToken, await readJson(c.req.raw, bodyTimeoutMs))
    const { principal: owner, label, expiresAt = null } = body
    if (expiresAt !== null && expiresAt <= Date.now()) throw badRequest('expiresAt', 'Must be in the future')
    const { text, made } = await newToken(c)
    const input = { ...made, principal: owner, label, expiresAt }
    const granted = await c.var.handle.call('token.create', c.var.caller, input)
    const created = { ...token(granted.value), token: text.reveal() }
    return answerWithValues(c, granted, created satisfies z.input<typeof wire.CreatedToken>, recipient, 201)
  })

  /** Exchanges an operator's ticket for an administrator's token. */
  async function redeem(c: RequestContext, { purpose }: Ticket, recipient: Recipient | null): Promise<Response> {
    const { text, made } = await newToken(c)
    const granted = await c.var.handle.call(`vault.${purpose}`, c.var.caller, made)
    const created = { ...token(granted.value), token: text.reveal() }
    return answerWithValues(c, granted, created satisfies z.input<typeof wire.CreatedToken>, recipient, 201)
  }

  async function newToken(c: RequestContext) {
    const { text, hash } = mintToken(c.var.vault, await keyring.macKey(c.var.vault, 'token'))
    return { text, made: { hash, root: keyring.rootId, accessor: crypto.randomUUID() } }
  }

  serve(routes, 'revokeToken', async (c) => {
    const granted = await c.var.handle.call('token.revoke', c.var.caller, { accessor: accessorOf(c) })
    return answer(c, granted, token(granted.value))
  })

  serve(routes, 'listRules', async (c) => {
    const granted = await c.var.handle.call('rule.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(rule) } satisfies z.input<typeof wire.RuleList>)
  })

  serve(routes, 'putRule', async (c) => {
    const id = parseId(c.req.param('id'))
    const body = wire.check(wire.PutRule, await readJson(c.req.raw, bodyTimeoutMs))
    const granted = await c.var.handle.call('rule.put', c.var.caller, { id, ...body })
    return answer(c, granted, rule(granted.value))
  })

  serve(routes, 'deleteRule', async (c) => {
    const granted = await c.var.handle.call('rule.delete', c.var.caller, { id: parseId(c.req.param('id')) })
    return answer(c, granted, rule(granted.value))
  })

  serve(routes, 'explainRules', async (c) => {
    const body = wire.check(wire.Explain, await readJson(c.req.raw, bodyTimeoutMs))
    const { principal, action, resource, address = null, agent = null, method, bound, mfaSecondsAgo } = body
    const now = body.at ?? Date.now()
    const mfaAt = mfaSecondsAgo === undefined ? null : now - mfaSecondsAgo * 1000
    const context = { address, agent, method, bound, mfaAt, now }
    const granted = await c.var.handle.call('rule.explain', c.var.caller, { principal, action, resource, context })
    const { missing, ...rest } = granted.value
    return answer(c, granted, { ...rest, ...(missing && { missing }) } satisfies z.input<typeof wire.Explanation>)
  })

  serve(routes, 'listIssuers', async (c) => {
    const granted = await c.var.handle.call('issuer.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(issuer) } satisfies z.input<typeof wire.IssuerList>)
  })

  serve(routes, 'putIssuer', async (c) => {
    const id = parseId(c.req.param('id'))
    const body = wire.check(wire.PutIssuer, await readJson(c.req.raw, bodyTimeoutMs))
    const { jwks, ...rest } = body
    // Checked now, rather than at the first sign-in. An issuer with keys of its own is never asked.
    await checkUsable(c, 'issuer.put', id, () => {
      const { allowLoopbackIssuers: allowLoopback } = settings.security
      if (jwks === undefined) checkUrl(body.jwksUri ?? body.issuer, { allowLoopback })
    })
    const keys = jwks && { jwks: { keys: jwks.keys.map(publicMembers) } }
    const granted = await c.var.handle.call('issuer.put', c.var.caller, { id, ...rest, ...keys })
    return answer(c, granted, issuer(granted.value))
  })

  serve(routes, 'deleteIssuer', async (c) => {
    const granted = await c.var.handle.call('issuer.delete', c.var.caller, { id: parseId(c.req.param('id')) })
    return answer(c, granted, issuer(granted.value))
  })

  serve(routes, 'listLocks', async (c) => {
    const granted = await c.var.handle.call('lock.list', c.var.caller, {})
    return answer(c, granted, { items: granted.value.map(lock) } satisfies z.input<typeof wire.LockList>)
  })

  serve(routes, 'clearLock', async (c) => {
    const granted = await c.var.handle.call('lock.clear', c.var.caller, { id: parseId(c.req.param('id')) })
    return answer(c, granted, granted.value)
  })

  serve(routes, 'resetFactors', async (c) => {
    const granted = await c.var.handle.call('factors.reset', c.var.caller, { id: parseId(c.req.param('id')) })
    return answer(c, granted, granted.value satisfies z.input<typeof wire.EndedSessions>)
  })

  return routes
}

function issuer({ updatedAt, claims, jwks, revision: _, ...rest }: VersionedIssuer): z.input<typeof wire.Issuer> {
  const lists = Object.entries(visibleAll(claims)).map(([name, globs]): [string, string[]] => [name, [...globs]])
  const audience = visibleAll(rest.audience)
  const keys = jwks && { jwks: { keys: jwks.keys.map(publicMembers) } }
  return { ...rest, ...keys, audience, claims: Object.fromEntries(lists), updatedAt: iso(updatedAt) }
}

function lock({ lastAt, lockedUntil, ...rest }: Lock): z.input<typeof wire.LockList>['items'][number] {
  return { ...rest, lastAt: iso(lastAt), ...when('lockedUntil', lockedUntil) }
}

function principal({ id, kind, createdAt, disabledAt }: Principal): z.input<typeof wire.Principal> {
  return { id, kind, createdAt: iso(createdAt), ...when('disabledAt', disabledAt) }
}

function token(row: TokenRow): z.input<typeof wire.TokenInfo> {
  const { accessor, principal, label, createdAt, createdBy, expiresAt, revokedAt, root } = row
  const times = { createdAt: iso(createdAt), ...when('expiresAt', expiresAt), ...when('revokedAt', revokedAt) }
  return { accessor, principal, label: visibleAll(label), createdBy, ...times, ...(root !== null && { rootKey: root }) }
}

function rule(row: VersionedRule): z.input<typeof wire.Rule> {
  const { id, effect, principal, actions, resource, conditions, unless, version, updatedAt, updatedBy } = row
  const stored = {
    ...(conditions && { conditions: storedConditions(conditions) }),
    ...(unless && { unless: { approvals: { ...unless.approvals, from: [...unless.approvals.from] } } }),
  }
  const change = { version, updatedAt: iso(updatedAt), updatedBy }
  return { id, effect, principal, actions: [...actions], resource, ...stored, ...change }
}

function storedConditions({ notBefore, notAfter, addresses, agents, methods, days, ...rest }: Conditions) {
  return {
    ...rest,
    ...(addresses && { addresses: [...addresses] }),
    ...(agents && { agents: visibleAll([...agents]) }),
    ...(methods && { methods: [...methods] }),
    ...(days && { days: [...days] }),
    ...when('notBefore', notBefore ?? null),
    ...when('notAfter', notAfter ?? null),
  }
}
