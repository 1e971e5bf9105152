/**
 * Operations of an operator's ticket: it opens a vault that has no principal yet, or one that has lost its
 * administrators.
 *
 * @module
 */

import { inRange, parseRange } from '../../addresses.ts'
import { isLate, TICKET_MAX_MS, TICKET_MS, type Ticket } from '../../authentication/ticket.ts'
import { TICKETS_SINCE } from '../audit/backup_tasks.ts'
import { notify } from '../notifications/tasks.ts'
import { type Facts, type OperationContext, type Outcome, operation } from '../operation.ts'
import type { TokenRow } from './principal_store.ts'
import { ACTIONS, isDemanding, matchesResource, type Rule } from './rules.ts'
import type { UsedTicket } from './ticket_store.ts'

/** The id of the principal that a ticket gives a token of, and of the rule that permits it everything. */
const ADMINISTRATOR = 'admin'

/** The token to be: its keyed hash, never the token. */
interface TicketToken {
  hash: Uint8Array
  /** The root key that it is made under. */
  root?: string
  accessor: string
}

type Recovery = Ticket & { purpose: 'recover' }

/** Makes the first administrator of a vault that has no principal. */
export const bootstrapVault = operation({
  action: null,
  ticket: 'bootstrap',
  securityEvent: true,
  resource: () => '',
  run: (context, input: TicketToken): Outcome<TokenRow> =>
    redeem(context, input, {
      objection: ({ access }) => (access.principals().length > 0 ? 'has_principals' : null),
      label: 'first administrator',
      effects: () => {
        enable(context)
        permitEverything(context)
        return {}
      },
    }),
})

/** Gives a vault that has principals an administrator again. */
export const recoverVault = operation({
  action: null,
  ticket: 'recover',
  securityEvent: 'alert',
  resource: () => '',
  run(context, input: TicketToken): Outcome<TokenRow> {
    const ticket = context.ticket as Recovery
    return redeem(context, input, {
      objection: ({ access }) => {
        const { removeFactors } = ticket
        if (access.principals().length === 0) return 'has_no_principals'
        return removeFactors === null || removeFactors === ADMINISTRATOR || access.principal(removeFactors) !== null
          ? null
          : 'no_principal'
      },
      label: 'recovery',
      effects: () => ({
        ...empower(context),
        ...removeFactors(context, ticket),
        ...liftApprovals(context, ticket, input.accessor),
      }),
      about: { reason: ticket.reason },
    })
  },
})

/** The part of a ticket's exchange that depends on its purpose. */
interface Exchange {
  /** Why a ticket, at its first presentation, opens nothing in this vault. */
  objection: (context: OperationContext) => 'has_principals' | 'has_no_principals' | 'no_principal' | null
  label: string
  /** The effects of the first presentation of a ticket, as facts. */
  effects: () => Facts
  about?: Facts
}

/**
 * Exchanges a ticket for a token of the administrator. Until that token is used the ticket gives another one, which ends
 * it: an answer may be lost.
 */
function redeem(context: OperationContext, input: TicketToken, exchange: Exchange): Outcome<TokenRow> {
  const { access, tickets, breakGlass, now } = context
  const { nonce } = context.ticket!
  const facts = { ticket: nonce, ...exchange.about }
  const used = tickets.find(nonce)
  const objection = objectionTo(context, context.ticket!, used) ?? (used === null ? exchange.objection(context) : null)
  if (objection !== null) return refuse(context, objection, facts)
  const done = used === null ? exchange.effects() : { replaces: used.accessor }
  const { hash, accessor, root = null } = input
  const by = ADMINISTRATOR
  const about = { principal: by, label: exchange.label, createdAt: now, createdBy: by }
  const token = { accessor, ...about, expiresAt: null, revokedAt: null, root }
  access.addToken(hash, token, { mintedWith: null, trustedBy: [] })
  if (used !== null) {
    access.revokeToken(used.accessor, now)
    breakGlass.passOn(used.accessor, accessor)
  }
  tickets.put(nonce, accessor, now)
  return { value: token, facts: { ...facts, ...done }, actor: { principal: by, token: accessor } }
}

/** Why a ticket is no longer valid, regardless of its purpose. */
function objectionTo(
  context: OperationContext,
  ticket: Ticket,
  used: UsedTicket | null,
): 'ticket_late' | 'ticket_used' | null {
  if (isLate(ticket, context.now)) return 'ticket_late'
  const isOver = isOlder(context, ticket) || (used !== null && isSpent(context, used))
  return isOver ? 'ticket_used' : null
}

/**
 * Whether a ticket is spent after an earlier presentation: its token was used, or an administrator has revoked it since.
 */
function isSpent({ access }: OperationContext, { accessor, spentAt }: UsedTicket): boolean {
  return spentAt !== null || access.isRevoked(accessor) || access.principal(ADMINISTRATOR)?.disabledAt !== null
}

/** Whether a ticket was made before the vault was restored: it, or the token that it gave, may have been used since the backup. */
function isOlder({ meta }: OperationContext, { expiresAt }: Ticket): boolean {
  const since = meta.find(TICKETS_SINCE)
  return since !== null && expiresAt - TICKET_MS < Number(since)
}

/** Refuses a ticket. The first time is recorded; more of the same would fill the log. */
function refuse(
  { access, factors, clock, now }: OperationContext,
  reason: 'ticket_late' | 'ticket_used' | 'has_principals' | 'has_no_principals' | 'no_principal',
  facts: Facts & { ticket: string },
): Outcome<never> {
  // Before the first principal exists there is no reader of the log; and a late ticket stays refused by its time alone.
  const isQuiet = reason === 'ticket_late' || access.principals().length === 0
  const isFirst = !isQuiet && factors.mark(`ticket/${facts.ticket}/${reason}`, now + TICKET_MAX_MS, { clock, now })
  return { reason, facts, ...(!isFirst && { unrecorded: true }) }
}

/**
 * Restores every right of the administrator. Only the ticket's token gains by that: the former tokens and sessions of a
 * weaker administrator end.
 */
function empower(context: OperationContext): Facts {
  const enabled = enable(context)
  const permitted = permitEverything(context)
  const lifted = liftForbids(context)
  const gains = [enabled.enabled, enabled.kindBefore, permitted.rule, lifted.lifted].some((gain) => gain !== undefined)
  return { ...enabled, ...permitted, ...lifted, ...(gains && enabled.made === undefined && endWaysIn(context)) }
}

/**
 * Creates the administrator, or enables it again. It becomes a user, regardless of its former kind: a user can give a second
 * factor and approve.
 */
function enable({ access, lockout, now }: OperationContext): Facts {
  const id = ADMINISTRATOR
  const before = access.principal(id)
  lockout.unlock(id)
  access.putPrincipal({ id, kind: 'user', createdAt: before?.createdAt ?? now, disabledAt: null })
  if (before === null) return { made: id }
  const changed = before.kind === 'user' ? {} : { kindBefore: before.kind }
  return before.disabledAt === null ? changed : { ...changed, enabled: id }
}

/** Ends the administrator's tokens and sessions, and the trusts in identity providers that sign it in. */
function endWaysIn({ access, sessions, issuers, now }: OperationContext): Facts {
  const id = ADMINISTRATOR
  const tokens = access.tokens().filter(({ principal, revokedAt }) => principal === id && revokedAt === null)
  for (const { accessor } of tokens) access.revokeToken(accessor, now)
  const trusts = issuers.list().filter(({ principal }) => principal === id)
  for (const trust of trusts) issuers.delete(trust.id)
  const ended = { revoked: tokens.map(({ accessor }) => accessor), issuers: trusts.map((trust) => trust.id) }
  return { ...ended, sessions: sessions.revokeAll(id, now) }
}

/** Restores the administrator's rule if it is missing or was changed. An unrelated rule keeps its id. */
function permitEverything({ access, now }: OperationContext): Facts {
  const by = ADMINISTRATOR
  const rules = access.rules()
  const permitted = new Set(rules.filter(permitsOnAll).flatMap((rule) => rule.actions))
  if (permitted.size === ACTIONS.length) return {}
  const taken = new Set(rules.map(({ id }) => id))
  let id: string = by
  for (let n = 1; taken.has(id); n++) id = `${by}-${n}`
  access.putRule({ id, effect: 'permit', principal: by, actions: ACTIONS, resource: '**' }, 1, now, by)
  return { rule: id }
}

/** Whether a rule permits the administrator something on all names in all circumstances. */
function permitsOnAll({ effect, principal, resource, conditions = {} }: Rule): boolean {
  const isItsOwn = principal === ADMINISTRATOR || principal === '*'
  const isWhole = resource === '**' && Object.values(conditions).every((one) => one === undefined)
  return effect === 'permit' && isItsOwn && isWhole
}

/**
 * Removes the `forbid` rules that keep the administrator from the rules and the tokens in every way of signing in. If
 * several rules do so together, it removes those of the way that the fewest rules close. A rule that names only the
 * administrator is deleted; a rule for all principals still forbids every other action.
 */
function liftForbids(context: OperationContext): Facts {
  const { access, limits, now } = context
  const forbids = access.rules().filter((rule) => keepsOut(rule, context))
  const ways = limits.requireMfa || limits.requireMfaForAdmin ? WAYS.filter(({ method }) => method !== 'token') : WAYS
  const [lifted = []] = ways
    .map((way) => forbids.filter((rule) => isIn(way, rule)))
    .sort((one, other) => one.length - other.length)
  for (const { id, effect, principal, resource, conditions, actions, version } of lifted) {
    const rest = actions.filter((action) => action !== 'admin')
    if (principal === ADMINISTRATOR || rest.length === 0) access.deleteRule(id)
    else access.putRule({ id, effect, principal, actions: rest, resource, conditions }, version + 1, now, ADMINISTRATOR)
  }
  return lifted.length === 0
    ? {}
    : {
        lifted: lifted.map(({ id, principal, actions, resource, conditions = {} }) => ({
          id,
          principal,
          actions,
          resource,
          conditions,
        })),
      }
}

/**
 * The ways in which the administrator can sign in, the plainest first: a token needs nothing else, a session may have a
 * second factor.
 */
const WAYS = [
  { method: 'session', bound: false },
  { method: 'token', bound: false },
  { method: 'session', bound: true },
] as const

/** Whether a rule forbids what comes in a way. */
function isIn({ method, bound }: (typeof WAYS)[number], { conditions = {} }: Rule): boolean {
  return (conditions.methods?.includes(method) ?? true) && (!conditions.bound || bound)
}

/** Whether a rule forbids the administrator to administer, in some of the ways in which it can come. */
function keepsOut(rule: Rule, { circumstances }: OperationContext): boolean {
  const { effect, principal, actions, conditions = {} } = rule
  if (effect !== 'forbid' || isDemanding(rule) || !actions.includes('admin')) return false
  if (principal !== '*' && principal !== ADMINISTRATOR) return false
  if (!['rules', 'tokens'].some((part) => matchesResource(rule, part))) return false
  const { addresses } = conditions
  if (addresses === undefined || addresses.some((range) => range.endsWith('/0'))) return true
  // The administrator could still come from other addresses. A rule for it alone is lifted if it closes this address; a
  // rule for all principals stays.
  const { address } = circumstances
  return (
    principal === ADMINISTRATOR && (address === null || addresses.some((range) => inRange(address, parseRange(range))))
  )
}

/** Removes a principal's second factors, its sessions and its locks. */
function removeFactors({ factors, sessions, lockout, now }: OperationContext, { removeFactors: id }: Recovery): Facts {
  if (id === null) return {}
  factors.remove(id)
  lockout.unlock(id)
  return { factorsOf: id, endedSessions: sessions.revokeAll(id, now) }
}

/** Breaks the glass for the token that the ticket gives, and for the sessions of it. */
function liftApprovals(
  context: OperationContext,
  { withoutApprovals: minutes, reason }: Recovery,
  accessor: string,
): Facts {
  if (minutes === null) return {}
  const { breakGlass, now } = context
  const principal = ADMINISTRATOR
  const expiresAt = now + minutes * 60_000
  const id = crypto.randomUUID()
  breakGlass.add({ id, principal, session: accessor, reason, beganAt: now, expiresAt, lineage: [principal] })
  notify(context, { type: 'glass.broken', data: { breakGlass: id, principal, reason, expiresAt } }, now)
  return { breakGlass: id, withoutApprovals: minutes, expiresAt }
}
