/**
 * Authorization: checks the right that an operation needs and the approvals that rules demand, then runs the operation.
 * `rules.ts` decides which rule permits or forbids a request.
 *
 * @module
 */

import { runApproved } from '../approvals/approval.ts'
import type { Operation, OperationContext, Outcome } from '../operation.ts'
import type { Call } from '../rpc.ts'
import type { Stores } from '../stores.ts'
import type { ResolvedCaller } from './resolve_caller.ts'
import { type Action, type Decision, decide } from './rules.ts'
import { barrier, type ServerPolicy } from './server_policy.ts'

/** The caller, its circumstances, and the rules that name it. */
type Asking = Pick<OperationContext, 'identity' | 'circumstances' | 'rules'>

/** Makes the context of an operation for one caller: its stores, its rights and its circumstances. */
export function operationContext(
  stores: Stores,
  policy: ServerPolicy,
  { identity, circumstances, ticket = null }: ResolvedCaller,
  about: Pick<OperationContext, 'source' | 'clock' | 'now' | 'requestId'>,
): OperationContext {
  const { principal, kind } = identity
  const asking = { identity, circumstances, rules: stores.access.rulesFor(principal) }
  return {
    ...about,
    ...asking,
    ...stores,
    ticket,
    principal,
    limits: policy,
    refuses: (action, resource) => {
      const { allow, missing } = decideAction(policy, action, resource, asking)
      // Nothing that looks at rights itself can have an approval demanded of it.
      return allow || missing === 'approval' ? null : refusalFor(missing)
    },
    barred: (action) => {
      const barred = barrier(policy, kind, action, circumstances)
      return barred && refusalFor(barred.missing)
    },
  }
}

/** The barrier of the whole server first, then the rules; an operation without an action looks itself. */
function decideAction(
  policy: ServerPolicy,
  action: Action | null,
  resource: string,
  { identity, circumstances, rules }: Asking,
): Decision {
  const { principal, kind } = identity
  const barred = barrier(policy, kind, action, circumstances)
  if (barred !== null) return barred
  return action === null
    ? { allow: true, rule: null }
    : decide({ principal, action, resource, context: circumstances }, rules)
}

/**
 * Decides on every right that an operation needs. A refusal outweighs a demand for approvals, and that a permit.
 */
export function authorize(
  policy: ServerPolicy,
  { action, also, resource }: Operation<unknown, unknown>,
  input: unknown,
  asking: Asking,
): Decision {
  const name = resource(input)
  const first = decideAction(policy, action, name, asking)
  const further = also?.(input) ?? null
  if (further === null || !(first.allow || first.missing === 'approval')) return first
  const second = decideAction(policy, further, name, asking)
  if (second.allow) return first
  if (first.allow || second.missing !== 'approval') return second
  const demanded = [...(first.demanded ?? []), ...(second.demanded ?? [])]
  // A rule that demands it of both is one demand.
  const demands = [...new Set([...(first.demands ?? []), ...(second.demands ?? [])])]
  return { ...first, demanded, demands }
}

/**
 * Runs an authorized operation, at once or with the approvals that rules demand. An operation without an approval
 * binding is refused when a rule demands approvals: a new operation must not bypass the demand by an oversight.
 */
export function runAuthorized(
  { action, resource, approvalBinding, run }: Operation<unknown, unknown>,
  { operation, input, caller }: Call,
  { allow, missing, demands = [], demanded = [] }: Decision,
  context: OperationContext,
): Outcome<unknown> {
  if (allow) return run(context, input)
  if (missing !== 'approval' || approvalBinding === undefined || action === null) return { reason: refusalFor(missing) }
  const params = approvalBinding === 'nothing' ? approvalBinding : approvalBinding(context, input)
  if (params === 'nothing') return run(context, input)
  const asked = { operation, actions: demanded, resource: resource(input), params }
  return runApproved(context, { asked, demands, wanted: caller.approval }, () => run(context, input))
}

function refusalFor(missing: Decision['missing']): 'denied' | 'mfa_required' {
  return missing === 'mfa' ? 'mfa_required' : 'denied'
}
