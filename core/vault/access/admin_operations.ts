/**
 * What can be asked of a vault's principals, tokens and rules. All of it needs `admin`, all of it
 * is recorded, changes with what was before and after.
 *
 * @module
 */

import { lineageOf, quorumIn } from '../approvals/approval.ts'
import { type OperationContext, type Outcome, operation, type Unusable } from '../operation.ts'
import type { Issuer, VersionedIssuer } from './issuer_store.ts'
import { staysAdministrable, trustsOf } from './last_admin.ts'
import type { Lock } from './lockout.ts'
import type { Principal, PrincipalKind, TokenRow, VersionedRule } from './principal_store.ts'
import { type AccessRequest, decide, isDemanding, type Rule } from './rules.ts'

const onPrincipals = { action: 'admin', resource: () => 'principals' } as const
const onTokens = { action: 'admin', resource: () => 'tokens' } as const
const onRules = { action: 'admin', resource: () => 'rules' } as const

export const listPrincipals = operation({
  ...onPrincipals,
  approvalBinding: 'nothing',
  run: ({ access }): Outcome<Principal[]> => ({ value: access.principals() }),
})

export const putPrincipal = operation({
  ...onPrincipals,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ principal: id }),
  approvalBinding: ({ access }, { id, kind, disabled }: NewPrincipal) => ({
    ...{ id, kind, disabled: disabled ?? null },
    before: shown(access.principal(id)),
  }),
  run(context, { id, kind, disabled }: NewPrincipal): Outcome<Principal> {
    const { access, now } = context
    const before = access.principal(id)
    // Not given, it stays as it is: a change of something else must not enable anybody.
    const since = before?.disabledAt ?? null
    const disabledAt = disabled === undefined ? since : disabled ? (since ?? now) : null
    if (disabledAt !== null && !staysAdministrable(context, { withoutPrincipal: id })) return { reason: 'last_admin' }
    const approvesNoMore = before?.kind === 'user' && kind !== 'user'
    if (approvesNoMore && !staysAdministrable(context, { withoutApprover: id })) return { reason: 'last_admin' }
    const after = { id, kind, createdAt: before?.createdAt ?? now, disabledAt }
    access.putPrincipal(after)
    return { value: after, facts: { before: shown(before), after: shown(after) } }
  },
})

interface NewPrincipal {
  id: string
  kind: PrincipalKind
  disabled?: boolean | undefined
}

/** A token to be: its keyed hash, never the token. */
interface NewToken {
  hash: Uint8Array
  /** The root key that it is made under. */
  root?: string
  accessor: string
  principal: string
  label: string
  expiresAt: number | null
}

export const listTokens = operation({
  ...onTokens,
  approvalBinding: 'nothing',
  run: ({ access }): Outcome<TokenRow[]> => ({ value: access.tokens() }),
})

export const createToken = operation({
  ...onTokens,
  securityEvent: true,
  resourceFacts: ({ accessor, principal, expiresAt }: NewToken) => ({ accessor, principal, expiresAt }),
  approvalBinding: (_, { principal, label, expiresAt }: NewToken) => ({ principal, label, expiresAt }),
  run({ access, issuers, identity, principal: createdBy, now }: OperationContext, input: NewToken): Outcome<TokenRow> {
    const { hash, accessor, principal, label, expiresAt, root = null } = input
    if (access.principal(principal) === null) return { reason: 'no_principal' }
    if (expiresAt !== null && expiresAt < now) return { reason: 'past_expiry' }
    const token = { accessor, principal, label, createdAt: now, createdBy, expiresAt, revokedAt: null, root }
    const trustedBy = identity.issuer === null ? [] : issuers.lineageOf(identity.issuer)
    access.addToken(hash, token, { mintedWith: identity.token, trustedBy })
    return { value: token }
  },
})

export const revokeToken = operation({
  ...onTokens,
  securityEvent: true,
  resourceFacts: ({ accessor }: { accessor: string }) => ({ accessor }),
  approvalBinding: 'nothing',
  run(context, { accessor }: { accessor: string }): Outcome<TokenRow> {
    const { access, now } = context
    const token = access.tokens().find((row) => row.accessor === accessor)
    if (token === undefined) return { reason: 'no_token' }
    const facts = { principal: token.principal }
    if (!staysAdministrable(context, { withoutToken: accessor })) return { reason: 'last_admin', facts }
    access.revokeToken(accessor, now)
    return { value: { ...token, revokedAt: token.revokedAt ?? now }, facts }
  },
})

export const listRules = operation({
  ...onRules,
  approvalBinding: 'nothing',
  run: ({ access }): Outcome<VersionedRule[]> => ({ value: access.rules() }),
})

export const putRule = operation({
  ...onRules,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ rule: id }),
  approvalBinding: ({ access }, rule: Rule) => ({ rule, before: access.findRule(rule.id) }),
  run(context, rule: Rule): Outcome<VersionedRule> {
    const { access, now, principal } = context
    const others = access.rules()
    const before = others.find(({ id }) => id === rule.id)
    const rules = [...others.filter(({ id }) => id !== rule.id), rule]
    if (isDemanding(rule) && !quorumIn(access, rule.unless.approvals)) return { reason: 'no_quorum' }
    if (!staysAdministrable(context, { rules })) return { reason: 'last_admin' }
    const version = (before?.version ?? 0) + 1
    access.putRule(rule, version, now, principal)
    const value = { ...rule, version, updatedAt: now, updatedBy: principal }
    return { value, facts: { before: shownRule(before), after: shownRule(value) } }
  },
})

export const deleteRule = operation({
  ...onRules,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ rule: id }),
  // All of it: its version alone begins at one again when it is deleted and made anew.
  approvalBinding: ({ access }, { id }: { id: string }) => ({ id, before: access.findRule(id) }),
  run(context, { id }: { id: string }): Outcome<VersionedRule> {
    const rules = context.access.rules()
    const before = rules.find((rule) => rule.id === id)
    if (before === undefined) return { reason: 'no_rule' }
    const rest = rules.filter((rule) => rule.id !== id)
    if (!staysAdministrable(context, { rules: rest })) return { reason: 'last_admin' }
    context.access.deleteRule(id)
    return { value: before, facts: { before: shownRule(before), after: null } }
  },
})

/** What a rule would say, and why: the rules that name the principal and the resource, with their effect. */
export interface DecisionExplanation {
  allow: boolean
  rule: string | null
  missing: 'mfa' | 'approval' | null
  considered: { id: string; effect: Rule['effect']; applies: boolean }[]
}

/** Explains a decision that was not asked for. It changes nothing, and reads no secret. */
export const explainDecision = operation({
  ...onRules,
  approvalBinding: 'nothing',
  run({ access }, request: AccessRequest): Outcome<DecisionExplanation> {
    const rules = access.rulesFor(request.principal)
    const named = rules.filter((rule) => decide(request, [{ ...rule, effect: 'permit', conditions: {} }]).allow)
    const considered = named.map((rule) => {
      const { allow, missing } = decide(request, [{ ...rule, effect: 'permit' }])
      const forbids = rule.effect === 'forbid' && decide(request, [{ ...rule, unless: undefined }]).rule !== null
      return {
        id: rule.id,
        effect: rule.effect,
        applies: rule.effect === 'forbid' ? forbids : allow && missing === undefined,
      }
    })
    const { allow, rule, missing = null } = decide(request, rules)
    const { principal, action, resource } = request
    return { value: { allow, rule, missing, considered }, facts: { principal, action, resource, allow } }
  },
})

const onIssuers = { action: 'admin', resource: () => 'issuers' } as const

export const listIssuers = operation({
  ...onIssuers,
  approvalBinding: 'nothing',
  run: ({ issuers }): Outcome<VersionedIssuer[]> => ({ value: issuers.list() }),
})

export const putIssuer = operation({
  ...onIssuers,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ issuer: id }),
  approvalBinding: ({ issuers }, issuer: Issuer | Unusable) => ({
    issuer,
    revision: issuers.find(issuer.id)?.revision ?? null,
  }),
  run(context, issuer: Issuer | Unusable): Outcome<VersionedIssuer> {
    if ('unusable' in issuer) return { reason: 'unusable' }
    const { access, issuers, sessions, identity, now, principal } = context
    if (access.principal(issuer.principal) === null) return { reason: 'no_principal' }
    const before = issuers.find(issuer.id)
    const lineage = [...new Set([...issuers.formerLineageOf(issuer), ...lineageOf(context, identity)])]
    const trusts = [...trustsOf(issuers, { without: issuer.id }), { principal: issuer.principal, lineage }]
    // Who approved by it as it was may come in by nothing else.
    if (before !== null && !staysAdministrable(context, { trusts })) return { reason: 'last_admin' }
    const version = (before?.version ?? 0) + 1
    const assertions = issuer.assertions ?? before?.assertions ?? 'same-key'
    const value = {
      ...issuer,
      assertions,
      revision: crypto.randomUUID(),
      version,
      updatedAt: now,
      updatedBy: principal,
    }
    issuers.put(value, lineage)
    // Made under the trust as it was; whoever still meets it signs in again.
    sessions.revokeFederated(issuer.id, now)
    return { value, facts: { before, after: value } }
  },
})

export const deleteIssuer = operation({
  ...onIssuers,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ issuer: id }),
  approvalBinding: 'nothing',
  run(context, { id }: { id: string }): Outcome<VersionedIssuer> {
    const { issuers, sessions, now } = context
    const before = issuers.find(id)
    if (before === null) return { reason: 'no_issuer' }
    if (!staysAdministrable(context, { trusts: trustsOf(issuers, { without: id }) })) return { reason: 'last_admin' }
    issuers.delete(id)
    sessions.revokeFederated(id, now)
    return { value: before, facts: { before, after: null } }
  },
})

export const listLocks = operation({
  ...onPrincipals,
  approvalBinding: 'nothing',
  run: ({ lockout, now }): Outcome<Lock[]> => ({ value: lockout.locks(now) }),
})

/** Forgets the failures of a principal; it may try again at once. */
export const unlockPrincipal = operation({
  ...onPrincipals,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ principal: id }),
  // Not the failures: whoever goes on guessing would void each approval before it is used.
  approvalBinding: ({ access }, { id }: { id: string }) => ({ id, before: shown(access.principal(id)) }),
  run({ access, lockout }, { id }: { id: string }): Outcome<{ id: string }> {
    if (access.principal(id) === null) return { reason: 'no_principal' }
    lockout.unlock(id)
    return { value: { id } }
  },
})

function shown(principal: Principal | null) {
  return principal && { id: principal.id, kind: principal.kind, disabled: principal.disabledAt !== null }
}

function shownRule(rule: VersionedRule | undefined) {
  if (rule === undefined) return null
  const { id, effect, principal, actions, resource, conditions = {}, unless, version } = rule
  return { id, effect, principal, actions, resource, conditions, ...(unless && { unless }), version }
}
