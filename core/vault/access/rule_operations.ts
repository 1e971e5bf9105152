/**
 * Operations on rules. Each needs `admin` and is recorded; a change with the rule before and after.
 *
 * @module
 */
import { quorumIn } from '../approvals/approval.ts'
import { type Outcome, operation } from '../operation.ts'
import { staysAdministrable } from './last_admin.ts'
import type { VersionedRule } from './principal_store.ts'
import { type AccessRequest, decide, isDemanding, matches, type Rule } from './rules.ts'

const onRules = { action: 'admin', resource: () => 'rules' } as const

/** Lists all rules. */
export const listRules = operation({
  ...onRules,
  approvalBinding: 'nothing',
  run: ({ access }): Outcome<VersionedRule[]> => ({ value: access.rules() }),
})

/** Creates or replaces a rule, unless no administrator would be left. */
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

/** Deletes a rule, unless no administrator would be left. */
export const deleteRule = operation({
  ...onRules,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ rule: id }),
  // Binds the whole rule: a rule that is deleted and put again restarts at version 1.
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

/** A decision and its reasons: the rules that name the principal and the resource, with their effect. */
export interface DecisionExplanation {
  allow: boolean
  rule: string | null
  missing: 'mfa' | 'approval' | null
  considered: { id: string; effect: Rule['effect']; applies: boolean }[]
}

/** Explains what the rules would decide. It changes nothing and reads no secret. */
export const explainDecision = operation({
  ...onRules,
  approvalBinding: 'nothing',
  run({ access }, request: AccessRequest): Outcome<DecisionExplanation> {
    const rules = access.rulesFor(request.principal)
    const named = rules.filter((rule) => matches(rule, request))
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

function shownRule(rule: VersionedRule | undefined) {
  if (rule === undefined) return null
  const { id, effect, principal, actions, resource, conditions = {}, unless, version } = rule
  return { id, effect, principal, actions, resource, conditions, ...(unless && { unless }), version }
}
