/**
 * Operations on requests for approval: list, show, approve, reject, withdraw.
 *
 * @module
 */
import type { Reason } from '../../errors.ts'
import { type DemandingRule, demandsOn } from '../access/rules.ts'
import { type OperationContext, type Outcome, operation } from '../operation.ts'
import { areIndependent, lineageOf } from './approval.ts'
import type { Approval, Vote } from './approval_store.ts'

/** How fresh an approver's second factor must be, if it has one or the server demands one. */
const MFA_MS = 10 * 60_000
const LIST_LIMIT = 200

/** A request for approval with what is decided so far. */
export interface ShownApproval extends Approval {
  votes: Vote[]
  /** The demands of the present rules on the request. */
  demands: DemandingRule[]
}

const onApprovals = { action: null, resource: () => 'approvals' } as const

/** Lists the caller's own requests and those that it may decide; an administrator sees all. */
export const listApprovals = operation({
  ...onApprovals,
  run(context: OperationContext, _: Record<never, never>): Outcome<ShownApproval[]> {
    const barred = context.barred('read')
    if (barred !== null) return { reason: barred }
    const all = context.approvals.list(LIST_LIMIT, context.now).map((approval) => withVotes(context, approval))
    return { value: all.filter((one) => isVisible(context, one)) }
  },
})

/** Shows one request for approval. */
export const showApproval = operation({
  ...onApprovals,
  resourceFacts: ({ id }: { id: string }) => ({ approval: id }),
  run(context: OperationContext, { id }: { id: string }): Outcome<ShownApproval> {
    const barred = context.barred('read')
    if (barred !== null) return { reason: barred }
    const approval = visible(context, id)
    return approval === null ? { reason: 'no_approval' } : { value: approval }
  },
})

/** An approver's decision on what has this hash. */
export interface ApprovalDecision {
  id: string
  hash: string
  approve: boolean
  reason: string | null
}

/** Approves a request, or rejects it. */
export const decideApproval = operation({
  ...onApprovals,
  securityEvent: true,
  resourceFacts: ({ id, approve, hash, reason }: ApprovalDecision) => ({
    approval: id,
    approve,
    hash,
    ...(reason && { reason }),
  }),
  run(context: OperationContext, { id, hash, approve, reason: why }: ApprovalDecision): Outcome<ShownApproval> {
    const { approvals, identity, now } = context
    // A decision on another's request is an act of administration, whichever operation it approves.
    const barred = context.barred('admin')
    if (barred !== null) return { reason: barred }
    const approval = visible(context, id)
    if (approval === null) return { reason: 'no_approval' }
    const about = { operation: approval.operation, resource: approval.resource, requester: approval.requester }
    const objection = objectionTo(context, approval, hash)
    if (objection !== null) return { reason: objection, facts: about }
    const { principal, token, session } = identity
    const lineage = lineageOf(context, identity)
    // Nor do two principals count if one made the other's token. A rejection needs only one, without that condition.
    const isSecond = approval.votes.some((vote) => !areIndependent(vote, { principal, lineage }))
    const isRepeated = approval.votes.some((vote) => vote.principal === principal)
    if (approve && isSecond && !isRepeated) return { reason: 'not_approver', facts: about }
    if (approve) approvals.vote(id, { principal, token, session, trust: trustOf(context), lineage, at: now })
    else approvals.end(id, { state: 'rejected', by: principal, why }, now)
    return { value: withVotes(context, approvals.find(id)!), facts: about }
  },
})

/** Withdraws the caller's own request. It grants nothing, so it needs no second factor. */
export const withdrawApproval = operation({
  ...onApprovals,
  resourceFacts: ({ id }: { id: string }) => ({ approval: id }),
  run(context: OperationContext, { id }: { id: string }): Outcome<ShownApproval> {
    const { approvals, principal, now } = context
    const approval = visible(context, id)
    if (approval === null || approval.requester !== principal) return { reason: 'no_approval' }
    approvals.end(id, { state: 'withdrawn', by: principal, why: null }, now)
    return { value: withVotes(context, approvals.find(id)!) }
  },
})

/** Why this caller may not decide on a request, or `null`. */
function objectionTo(context: OperationContext, approval: ShownApproval, hash: string): Reason | null {
  const { identity, circumstances, factors, limits, now } = context
  const { principal, kind } = identity
  const named = approval.demands.some(({ unless }) => unless.approvals.from.includes(principal))
  if (!named || kind !== 'user') return 'not_approver'
  // Four eyes are two people: neither may decide through a token that the other one made.
  const requester = { principal: approval.requester, lineage: approval.lineage }
  if (!areIndependent(requester, { principal, lineage: lineageOf(context, identity) })) return 'not_approver'
  if (approval.state === 'used') return 'approval_used'
  if (approval.state !== 'open' || approval.expiresAt <= now) return 'approval_ended'
  if (approval.hash !== hash) return 'approval_mismatch'
  const { mfaAt } = circumstances
  const isStale = mfaAt === null || now - mfaAt > MFA_MS
  const isNeeded = limits.requireMfa || limits.requireMfaForAdmin || factors.confirmed(principal) !== null
  return isStale && isNeeded ? 'mfa_required' : null
}

function trustOf({ identity: { issuer }, issuers }: OperationContext): Vote['trust'] {
  const revision = issuer === null ? undefined : issuers.find(issuer)?.revision
  return issuer === null || revision === undefined ? null : { issuer, revision }
}

function visible(context: OperationContext, id: string): ShownApproval | null {
  const approval = context.approvals.find(id)
  const shown = approval && withVotes(context, approval)
  return shown !== null && isVisible(context, shown) ? shown : null
}

function isVisible(context: OperationContext, { requester, demands }: ShownApproval): boolean {
  const { principal } = context
  if (requester === principal || demands.some(({ unless }) => unless.approvals.from.includes(principal))) return true
  return context.refuses('admin', 'approvals') === null
}

function withVotes({ access, approvals }: OperationContext, approval: Approval): ShownApproval {
  const { requester: principal, actions, resource } = approval
  const demands = demandsOn(access.rulesFor(principal), { principal, actions, resource })
  return { ...approval, votes: approvals.votes(approval.id), demands }
}
