/**
 * Access rules and the decision on a request. The terms are Cedar's: principal, action, resource, context; permit,
 * forbid.
 *
 * @module
 */

import { inRange, parseRange } from '../../addresses.ts'
import { covers, coversAnyCase, globMatches } from '../../patterns.ts'

/** The rights that a rule permits or forbids. */
export const ACTIONS = ['read', 'write', 'delete', 'rotate', 'admin'] as const
/** One of {@link ACTIONS}. */
export type Action = (typeof ACTIONS)[number]

/** How a caller proved who it is: an API token, a session from one, or a session from a federated identity. */
export const METHODS = ['token', 'session', 'federated'] as const
/** One of {@link METHODS}. */
export type Method = (typeof METHODS)[number]

/** The circumstances of a request. The edge and the session provide them, never the caller. */
export interface Circumstances {
  /** The client's address; `null` when it is unknown. */
  address: string | null
  agent: string | null
  method: Method
  /** Whether the caller proved to hold the key that its token is bound to. */
  bound: boolean
  /** When the second factor was given, in milliseconds since the Unix epoch. */
  mfaAt: number | null
  now: number
}

/** The request to decide on. */
export interface AccessRequest {
  principal: string
  action: Action
  /** A secret's name or, for `admin`, the part of the vault to administer, such as `rules`. */
  resource: string
  context: Circumstances
}

/** The conditions of a rule. It applies when all of them hold. */
export interface Conditions {
  /** The client's address is in one of these ranges. */
  addresses?: readonly string[] | undefined
  /** The user agent matches one of these globs. A signal and not a proof: a client can send any text. */
  agents?: readonly string[] | undefined
  methods?: readonly Method[] | undefined
  /** The token is bound to a key of the client (DPoP). */
  bound?: true | undefined
  /** A second factor was given, so many seconds ago at most. For `permit` only. */
  mfaWithinSeconds?: number | undefined
  /** Hours of the day, UTC, as `08:00`; over midnight when `from` is after `to`. */
  hours?: { from: string; to: string } | undefined
  /** Days of the week, UTC, 1 (Monday) to 7. */
  days?: readonly number[] | undefined
  /** Milliseconds since the Unix epoch. */
  notBefore?: number | undefined
  notAfter?: number | undefined
}

/** How many others have to approve, and who they may be. */
export interface ApprovalDemand {
  required: number
  /** Ids of principals: users, each counted once. */
  from: readonly string[]
  /** How long after the request an approval may be given and used, in seconds. */
  withinSeconds: number
}

/** A rule of a vault. */
export interface Rule {
  id: string
  effect: 'permit' | 'forbid'
  /** A principal's id, or `*` for all. */
  principal: string
  actions: readonly Action[]
  /**
   * A pattern: segments separated by `/`. `*` matches one segment, a last `**` one or more. A `permit` matches exactly, a
   * `forbid` in any case: see {@link matchesResource}.
   */
  resource: string
  conditions?: Conditions | undefined
  /** The approvals that lift a `forbid` for one request: see `approvals/approval.ts`. */
  unless?: { approvals: ApprovalDemand } | undefined
}

/** A `forbid` that others can lift. */
export type DemandingRule = Rule & { unless: { approvals: ApprovalDemand } }

/** The decision on a request. */
export interface Decision {
  allow: boolean
  /** The rule that decided, or `null` when none matched and the default, deny, did. */
  rule: string | null
  /** Set when it would be permitted, if only a second factor were given, or others approved. */
  missing?: 'mfa' | 'approval'
  /** With `missing: 'approval'`: the actions it is demanded of, the rule that permits them then, and all that demand it. */
  demanded?: readonly Action[]
  permit?: string
  demands?: DemandingRule[]
}

/**
 * Decides a request. The default is deny, and one `forbid` outweighs every `permit`. Among several rules with the
 * deciding effect, the decision names the first. Approvals come last: they are demanded only if nothing else is
 * missing.
 *
 * Pure: the same request and rules always give the same decision.
 */
export function decide(request: AccessRequest, rules: readonly Rule[]): Decision {
  let permit: Rule | undefined
  let stepUp: Rule | undefined
  let demands: DemandingRule[] | undefined
  for (const rule of rules) {
    if (!matches(rule, request) || !applies(rule, request.context)) continue
    if (rule.effect === 'forbid') {
      if (!isDemanding(rule)) return { allow: false, rule: rule.id }
      demands ??= []
      demands.push(rule)
    } else if (hasMfa(rule, request.context)) permit ??= rule
    else stepUp ??= rule
  }
  if (permit !== undefined && demands !== undefined)
    return {
      ...{ allow: false, rule: demands[0]!.id, missing: 'approval' as const },
      ...{ demanded: [request.action], permit: permit.id, demands },
    }
  if (permit !== undefined) return { allow: true, rule: permit.id }
  return stepUp === undefined ? { allow: false, rule: null } : { allow: false, rule: stepUp.id, missing: 'mfa' }
}

/** Whether a rule forbids only until others approve. */
export function isDemanding(rule: Rule): rule is DemandingRule {
  return rule.effect === 'forbid' && rule.unless !== undefined
}

/** The rules that may demand an approval of any of these actions, in any circumstances. */
export function demandsOn(
  rules: readonly Rule[],
  { actions, ...request }: Pick<AccessRequest, 'principal' | 'resource'> & { actions: readonly Action[] },
): DemandingRule[] {
  return rules.filter(isDemanding).filter((rule) => actions.some((action) => matches(rule, { ...request, action })))
}

/**
 * The rules whose conditions hold in these circumstances, without them: to decide about many names
 * at once. What only a second factor is missing for does not hold; a name is shown though its value needs an approval.
 */
export function inForce(rules: readonly Rule[], context: Circumstances): Rule[] {
  return rules
    .filter((rule) => applies(rule, context) && (rule.effect === 'forbid' ? !isDemanding(rule) : hasMfa(rule, context)))
    .map((rule) => ({ ...rule, conditions: undefined }))
}

/** Whether a rule is about a request, in any circumstances. */
export function matches(rule: Rule, { principal, action, resource }: Omit<AccessRequest, 'context'>): boolean {
  if (rule.principal !== '*' && rule.principal !== principal) return false
  return rule.actions.includes(action) && matchesResource(rule, resource)
}

/**
 * Whether a rule is about a resource. A `permit` matches exactly; a `forbid`, lifted by approvals or not, matches ASCII
 * letters of either case, so that a slip of case never opens anything.
 */
export function matchesResource({ effect, resource: pattern }: Pick<Rule, 'effect' | 'resource'>, resource: string) {
  return effect === 'forbid' ? coversAnyCase(pattern, resource) : covers(pattern, resource)
}

/**
 * Whether the conditions of a rule hold, apart from the second factor.
 *
 * An unknown circumstance never satisfies a `permit`, and never escapes a `forbid`.
 */
export function applies({ effect, conditions = {} }: Rule, context: Circumstances): boolean {
  const { addresses, agents, methods, bound, hours, days, notBefore, notAfter } = conditions
  const unknown = effect === 'forbid'
  const { address, agent, now } = context
  if (addresses && !(address === null ? unknown : addresses.some((range) => inRange(address, rangeOf(range)))))
    return false
  if (agents && !(agent === null ? unknown : agents.some((glob) => globMatches(glob, agent)))) return false
  if (methods && !methods.includes(context.method)) return false
  if (bound && !context.bound) return false
  if (hours && !inHours(hours, now)) return false
  if (days && !days.includes(new Date(now).getUTCDay() || 7)) return false
  return (notBefore === undefined || now >= notBefore) && (notAfter === undefined || now < notAfter)
}

function hasMfa({ conditions }: Rule, { mfaAt, now }: Circumstances): boolean {
  const within = conditions?.mfaWithinSeconds
  return within === undefined || (mfaAt !== null && now - mfaAt <= within * 1000)
}

const ranges = new Map<string, ReturnType<typeof parseRange>>()

/** Ranges are parsed once; their number is that of the ranges in rules. */
function rangeOf(text: string): ReturnType<typeof parseRange> {
  let range = ranges.get(text)
  if (range === undefined) {
    if (ranges.size > 10_000) ranges.clear()
    range = parseRange(text)
    ranges.set(text, range)
  }
  return range
}

function inHours({ from, to }: { from: string; to: string }, now: number): boolean {
  const time = new Date(now).toISOString().slice(11, 16)
  return from <= to ? from <= time && time < to : from <= time || time < to
}
