/**
 * Protects a vault from losing its last administrator.
 *
 * @module
 */

import { areIndependent, quorumIn, type TracedPrincipal } from '../approvals/approval.ts'
import type { OperationContext } from '../operation.ts'
import type { TokenRow } from './principal_store.ts'
import { type Conditions, type DemandingRule, decide, demandsOn, isDemanding, type Rule } from './rules.ts'

/** The change to check. */
interface Change {
  rules?: readonly Rule[]
  withoutPrincipal?: string
  /** A principal that is no longer a user and can no longer approve. */
  withoutApprover?: string
  withoutToken?: string
  /** The trusts in identity providers that there are afterwards. */
  trusts?: readonly TracedPrincipal[]
}

/** Whether the approvals that rules demand of a principal can still be given after the change. */
type Meets = (demands: readonly DemandingRule[], administrator: TokenRow, tokens: readonly TokenRow[]) => boolean

/** The most combinations of approvers to try. Beyond that a vault is treated as having no valid combination. */
const MAX_CHOICES = 10_000

/**
 * Whether, after a change, a principal with a live token can still change the rules and create tokens, with the
 * approvals that rules demand of it.
 *
 * The approvers must be independent people, as far as tokens and issuers tell: two of three principals whose tokens one
 * person has approve nothing. A vault that had no administrator before the change passes, so that it can be repaired.
 */
export function staysAdministrable(context: OperationContext, change: Change): boolean {
  const { access } = context
  const named: Meets = (demands, { principal }) => {
    const without = [principal, ...goneFrom(change)]
    return demands.every(({ unless }) => quorumIn(access, unless.approvals, { without }))
  }
  // Issuers are left out here: if the condition fails after an issuer changes, it failed before.
  if (!isAdministrable(context, change, named)) return change.trusts !== undefined
  const apartAfter: Meets = (...asked) => named(...asked) && canApprove(context, change, asked)
  const apartBefore: Meets = (...asked) => canApprove(context, {}, asked)
  return isAdministrable(context, change, apartAfter) || !isAdministrable(context, {}, apartBefore)
}

function isAdministrable({ access, roots, circumstances }: OperationContext, change: Change, meets: Meets): boolean {
  const lasting = (change.rules ?? access.rules()).filter(lasts)
  const plain = lasting.filter((rule) => !isDemanding(rule)).map((rule) => ({ ...rule, conditions: {} }))
  const enabled = new Set(access.principals().flatMap(({ id, disabledAt }) => (disabledAt === null ? [id] : [])))
  // A token that expires gives no lasting access, nor is a token whose root key the server does not have.
  const tokens = access.tokens().filter(({ accessor, principal, expiresAt, revokedAt, root }) => {
    if (!roots.isGiven(root)) return false
    if (revokedAt !== null || expiresAt !== null || !enabled.has(principal)) return false
    return accessor !== change.withoutToken && principal !== change.withoutPrincipal
  })
  return tokens.some((token) => {
    return ['rules', 'tokens'].every((resource) => {
      const asked = { principal: token.principal, action: 'admin', resource } as const
      if (!decide({ ...asked, context: circumstances }, plain).allow) return false
      const demands = demandsOn(lasting, { ...asked, actions: [asked.action] })
      return demands.length === 0 || meets(demands, token, tokens)
    })
  })
}

/** Whether a rule counts for good: a permit at all times that a token can meet, or a forbid that none of its conditions is a way around. */
function lasts({ effect, conditions = {} }: Rule): boolean {
  const { hours, days, notBefore, notAfter, methods, bound, addresses } = conditions
  if (effect === 'permit')
    return isMetByToken(conditions) && [hours, days, notBefore, notAfter].every((condition) => condition === undefined)
  // Times recur, and a client chooses its own user agent. A person can choose these three as well.
  return [methods, bound, addresses].every((condition) => condition === undefined)
}

/**
 * Whether the holder of a token satisfies the conditions of a permit: through a session, or with the token alone,
 * without a bound key or a second factor.
 */
function isMetByToken({ methods, bound, mfaWithinSeconds }: Conditions): boolean {
  if (methods === undefined || methods.includes('session')) return true
  return methods.includes('token') && bound === undefined && mfaWithinSeconds === undefined
}

/** The principals who can no longer approve after a change. */
function goneFrom({ withoutPrincipal, withoutApprover }: Change): string[] {
  return [withoutPrincipal, withoutApprover].filter((id) => id !== undefined)
}

/** Whether enough approvers of an administrator's requests are independent of it and of each other. */
function canApprove(
  context: OperationContext,
  change: Change,
  [demands, administrator, tokens]: Parameters<Meets>,
): boolean {
  const { access, issuers } = context
  const gone = goneFrom(change)
  const trusts = change.trusts ?? trustsOf(issuers)
  const requester = { principal: administrator.principal, lineage: access.lineage(administrator.accessor) }
  const ids = [...new Set(demands.flatMap(({ unless }) => unless.approvals.from))]
  const approvers = ids
    .filter((id) => !gone.includes(id) && quorumIn(access, { required: 1, from: [id], withinSeconds: 0 }))
    .map((id) => waysOf(access, id, { tokens, trusts }).filter((way) => areIndependent(way, requester)))
    .filter((ways) => ways.length > 0)
  let choices = 0
  const choose = (at: number, chosen: readonly TracedPrincipal[]): boolean => {
    // The remaining candidates must suffice: this ends most hopeless searches early.
    const left = approvers.slice(at).map(([way]) => way!)
    if (!areMet(demands, [...chosen, ...left]) || ++choices > MAX_CHOICES) return false
    if (areMet(demands, chosen)) return true
    const apart = approvers[at]!.filter((way) => chosen.every((other) => areIndependent(way, other)))
    return apart.some((way) => choose(at + 1, [...chosen, way])) || choose(at + 1, chosen)
  }
  return choose(0, [])
}

/** The trusts in identity providers: whom each signs in, and who is behind it. */
export function trustsOf(
  issuers: OperationContext['issuers'],
  { without }: { without?: string } = {},
): TracedPrincipal[] {
  const kept = issuers.list().filter(({ id }) => id !== without)
  return kept.map(({ id, principal }) => ({ principal, lineage: issuers.lineageOf(id) }))
}

/**
 * The ways in which a principal can sign in and approve: tokens that do not expire, and issuers, each with its lineage.
 */
function waysOf(
  access: OperationContext['access'],
  principal: string,
  { tokens, trusts }: { tokens: readonly TokenRow[]; trusts: readonly TracedPrincipal[] },
): TracedPrincipal[] {
  const own = tokens.filter((token) => token.principal === principal).map(({ accessor }) => access.lineage(accessor))
  const trusted = trusts.filter((trust) => trust.principal === principal).map(({ lineage }) => [principal, ...lineage])
  // The same people behind two tokens are one way.
  const distinct = new Map(
    [...own, ...trusted].map((lineage) => [JSON.stringify([...new Set(lineage)].sort()), lineage]),
  )
  return [...distinct.values()].map((lineage) => ({ principal, lineage }))
}

function areMet(demands: readonly DemandingRule[], approvers: readonly TracedPrincipal[]): boolean {
  return demands.every(({ unless }) => {
    const { required, from } = unless.approvals
    return approvers.filter(({ principal }) => from.includes(principal)).length >= required
  })
}
