/**
 * Approvals: a rule forbids a request until other users approve exactly that request.
 *
 * The caller sends its request with `Approval: ask`. The vault writes the request as canonical JSON, and approvers
 * approve its SHA-256. When the request comes again with the id, the vault writes it again, from the request and the
 * state of that moment. The request is done, once, if its hash is the same and enough of the approvals are still valid.
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import canonicalize from 'canonicalize'
import { base64url, utf8 } from '../../bytes.ts'
import type { AskedApproval, Reason } from '../../errors.ts'
import type { AccessStore } from '../access/principal_store.ts'
import type { Action, ApprovalDemand, DemandingRule } from '../access/rules.ts'
import { notify } from '../notifications/tasks.ts'
import type { Facts, Identity, OperationContext, Outcome } from '../operation.ts'
import type { Approval, Vote } from './approval_store.ts'

/** The most requests for approval that one principal may have whose time is not over: taken back, they count on. */
const MAX_OPEN = 20

/** A request, as an approval is bound to it. */
export interface Asked {
  operation: string
  actions: readonly Action[]
  resource: string
  params: Facts
}

/** The canonical JSON (RFC 8785) of a request for approval, and its hash. */
export interface Bound {
  body: string
  hash: string
}

/** Binds a request: the requester, the reason, the expiry, and an id that no other request has. */
export function bind(
  asked: Asked,
  about: Pick<Approval, 'id' | 'requester' | 'reason' | 'createdAt' | 'expiresAt'>,
): Bound {
  const { id, requester, reason, createdAt, expiresAt } = about
  const { actions, ...rest } = asked
  const action = actions.join(' ')
  const body = canonicalize({ v: 1, id, requester, reason, createdAt, expiresAt, action, ...rest })
  if (body === undefined) throw new TypeError('Request has no canonical JSON form')
  return { body, hash: base64url(sha256(utf8(body))) }
}

/** Whether a demand can be met at all: enough of those that it names are users, known and enabled. */
export function quorumIn(
  access: AccessStore,
  { required, from }: ApprovalDemand,
  { without = [] }: { without?: readonly string[] } = {},
): boolean {
  return required >= 1 && from.filter((id) => !without.includes(id) && isUser(access, id)).length >= required
}

/**
 * The lineage of an identity: its principal, and the creators of the token or issuer that it signs in with. None of
 * them can approve its requests.
 */
export function lineageOf(
  { access, issuers }: Pick<OperationContext, 'access' | 'issuers'>,
  identity: Identity,
): string[] {
  const { principal, token, issuer } = identity
  const made = token === null ? [] : access.lineage(token)
  const trusted = issuer === null ? [] : issuers.lineageOf(issuer)
  return [...new Set([principal, ...made, ...trusted])]
}

/** A principal and its lineage: see {@link lineageOf}. */
export interface TracedPrincipal {
  principal: string
  lineage: readonly string[]
}

/**
 * Whether two principals are independent people: neither is in the lineage of the other, as far as tokens and issuers
 * tell.
 */
export function areIndependent(one: TracedPrincipal, other: TracedPrincipal): boolean {
  return !one.lineage.includes(other.principal) && !other.lineage.includes(one.principal)
}

/** Runs an operation if the demanded approvals are there, or asks for them if the caller wants that. */
export function runApproved<T>(
  context: OperationContext,
  { asked, demands, wanted }: { asked: Asked; demands: readonly DemandingRule[]; wanted: Wanted },
  run: () => Outcome<T>,
): Outcome<T> {
  const { approvals, breakGlass, identity, now } = context
  const glass = breakGlass.active(identity, now)
  if (glass !== null && (glass.operators || isLifted(context, asked))) return withFacts(run(), { breakGlass: glass.id })
  const facts = { demanded: demands.map(({ id }) => id) }
  if (wanted === undefined) return { reason: 'approval_required', facts }
  if ('ask' in wanted) return ask(context, asked, demands, wanted.ask)
  const approval = approvals.find(wanted.id)
  // An approval of another requester counts as missing: the answer must not reveal that its id exists.
  if (approval === null || approval.requester !== context.principal) return { reason: 'no_approval', facts }
  const about = { ...facts, approval: approval.id }
  const reason = objection(context, approval, asked, demands)
  if (reason !== null) return { reason, facts: about, ...(reason === 'approval_open' && { approval: shown(approval) }) }
  // Before it is done: it may be about one of them.
  const approvedBy = validApprovers(context, approval)
  const outcome = run()
  if ('value' in outcome) approvals.end(approval.id, { state: 'used', by: context.principal, why: null }, now)
  return withFacts(outcome, { approval: approval.id, approvedBy })
}

/**
 * Whether glass that a principal broke lifts a demand. Its effects must end with it, so it never lifts one on `admin`, which
 * could remove the demand for good, nor on `delete`, which can be final. Glass that an operator's ticket broke lifts any demand.
 */
function isLifted({ refuses }: OperationContext, { actions }: Asked): boolean {
  // The right may have been taken away since; the second factor was checked when the glass was broken.
  if (refuses('admin', 'break-glass') === 'denied') return false
  return actions.every((action) => action === 'read' || action === 'rotate' || action === 'write')
}

/** The approval header of a caller: see `Caller.approval`. */
export type Wanted = { ask: string } | { id: string } | undefined

function ask(
  context: OperationContext,
  asked: Asked,
  demands: readonly DemandingRule[],
  reason: string,
): Outcome<never> {
  const { approvals, principal: requester, identity, now } = context
  const open = approvals.openOf(requester, now)
  // The same again is the same: a repeated request must not have others approve twice.
  const same = open.find((one) => one.hash === bind(asked, { ...one, reason: reason }).hash)
  if (same !== undefined) return { reason: 'approval_required', approval: shown(same), facts: { approval: same.id } }
  if (approvals.askedBy(requester, now) >= MAX_OPEN) return { reason: 'too_many_approvals' }
  const about = { id: crypto.randomUUID(), requester, reason, createdAt: now, expiresAt: now + withinMs(demands) }
  const approval = {
    ...about,
    ...bind(asked, about),
    operation: asked.operation,
    lineage: lineageOf(context, identity),
  }
  approvals.add({ ...approval, actions: asked.actions, resource: asked.resource })
  const { operation, resource } = asked
  const { id, expiresAt } = about
  notify(
    context,
    { type: 'approval.asked', data: { approval: id, operation, resource, requester, reason, expiresAt } },
    now,
  )
  const facts = { approval: about.id, hash: approval.hash, asked: true, demanded: demands.map(({ id }) => id) }
  return { reason: 'approval_required', approval: shown(approval), facts }
}

/** How long after the request an approval may be used: the shortest time of the demanding rules. */
function withinMs(demands: readonly DemandingRule[]): number {
  return Math.min(...demands.map(({ unless }) => unless.approvals.withinSeconds)) * 1000
}

/** Why an approval does not suffice; `null` when it does. */
function objection(
  context: OperationContext,
  approval: Approval,
  asked: Asked,
  demands: readonly DemandingRule[],
): Reason | null {
  if (approval.state === 'used') return 'approval_used'
  const endsAt = Math.min(approval.expiresAt, approval.createdAt + withinMs(demands))
  if (approval.state !== 'open' || endsAt <= context.now) return 'approval_ended'
  if (bind(asked, approval).hash !== approval.hash) return 'approval_mismatch'
  const approvers = validApprovers(context, approval)
  const met = demands.every(({ unless }) => {
    const { required, from } = unless.approvals
    return required >= 1 && approvers.filter((one) => from.includes(one)).length >= required
  })
  return met ? null : 'approval_open'
}

/**
 * The approvers whose vote is still valid: enabled users, through a token or issuer that was not revoked since, outside
 * the lineage of the request that uses the approval.
 */
function validApprovers(context: OperationContext, { id }: Pick<Approval, 'id'>): string[] {
  const { access, approvals, issuers, identity } = context
  const lineage = lineageOf(context, identity)
  const isTrusted = ({ token, trust }: Vote) =>
    (token === null || !access.isRevoked(token)) &&
    (trust === null || issuers.find(trust.issuer)?.revision === trust.revision)
  return approvals
    .votes(id)
    .filter((vote) => isUser(access, vote.principal) && isTrusted(vote) && !lineage.includes(vote.principal))
    .map(({ principal }) => principal)
}

function isUser(access: AccessStore, id: string): boolean {
  const principal = access.principal(id)
  return principal !== null && principal.kind === 'user' && principal.disabledAt === null
}

function shown({ id, hash, expiresAt }: AskedApproval): AskedApproval {
  return { id, hash, expiresAt }
}

function withFacts<T>(outcome: Outcome<T>, facts: Facts): Outcome<T> {
  // An operation done with an approval is always recorded, even if it is otherwise unrecorded.
  const { unrecorded: _, ...rest } = outcome
  return { ...rest, facts: { ...outcome.facts, ...facts } } as Outcome<T>
}
