/**
 * Who may do what. The words are Cedar's: principal, action, resource, permit, forbid.
 *
 * @module
 */

export const ACTIONS = ['read', 'write', 'delete', 'rotate', 'admin'] as const
export type Action = (typeof ACTIONS)[number]

/** Who asks for what. */
export interface AccessRequest {
  principal: string
  action: Action
  /** A secret's name or, for `admin`, the part of the vault to administer, such as `rules`. */
  resource: string
}

export interface Rule {
  id: string
  effect: 'permit' | 'forbid'
  /** A principal's id, or `*` for all. */
  principal: string
  actions: readonly Action[]
  /** A pattern: segments parted by `/`; `*` stands for one segment, a last `**` for one or more. */
  resource: string
}

export interface Decision {
  allow: boolean
  /** The rule that decided, or `null` when none matched and the default, deny, did. */
  rule: string | null
}

/**
 * Decides a request. The default is deny, and one `forbid` outweighs every `permit`. Of several
 * rules with the deciding effect the first in order is named.
 *
 * Pure: the same request and rules always give the same decision.
 */
export function decide(request: AccessRequest, rules: readonly Rule[]): Decision {
  let permit: Rule | undefined
  for (const rule of rules) {
    if (!matches(rule, request)) continue
    if (rule.effect === 'forbid') return { allow: false, rule: rule.id }
    permit ??= rule
  }
  return { allow: permit !== undefined, rule: permit?.id ?? null }
}

function matches(rule: Rule, { principal, action, resource }: AccessRequest): boolean {
  if (rule.principal !== '*' && rule.principal !== principal) return false
  return rule.actions.includes(action) && covers(rule.resource, resource)
}

/**
 * Tells whether a pattern covers a name, in one pass over both. `team/*` covers `team/a` but
 * neither `team`, `team2` nor `team/a/b`; `team/**` covers `team/a/b` too; `**` covers all names.
 */
export function covers(pattern: string, name: string): boolean {
  let p = 0
  let n = 0
  for (;;) {
    const segment = upToSlash(pattern, p)
    if (segment === '**' && p + 2 === pattern.length) return true
    const actual = upToSlash(name, n)
    if (segment !== '*' && segment !== actual) return false
    p += segment.length + 1
    n += actual.length + 1
    if (p > pattern.length || n > name.length) return p > pattern.length && n > name.length
  }
}

function upToSlash(text: string, from: number): string {
  const to = text.indexOf('/', from)
  return to < 0 ? text.slice(from) : text.slice(from, to)
}
