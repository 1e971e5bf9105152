/**
 * What can be asked of a vault's principals, tokens and rules. All of it needs `admin`, all of it
 * is recorded, changes with what was before and after.
 *
 * @module
 */
import { type Context, type Outcome, operation } from '../operation.ts'
import { decide, type Rule } from './policy.ts'
import type { AccessStore, Principal, PrincipalKind, TokenRow, VersionedRule } from './store.ts'

/** The id of the principal that a bootstrap token makes, and of its rule. */
export const BOOTSTRAP_ADMIN = 'admin'

const onPrincipals = { action: 'admin', resource: () => 'principals' } as const
const onTokens = { action: 'admin', resource: () => 'tokens' } as const
const onRules = { action: 'admin', resource: () => 'rules' } as const

export const listPrincipals = operation({
  ...onPrincipals,
  run: ({ access }): Outcome<Principal[]> => ({ value: access.principals() }),
})

export const putPrincipal = operation({
  ...onPrincipals,
  run(context, { id, kind, disabled }: { id: string; kind: PrincipalKind; disabled: boolean }): Outcome<Principal> {
    const { access, now } = context
    const before = access.principal(id)
    const after = {
      id,
      kind,
      createdAt: before?.createdAt ?? now,
      disabledAt: disabled ? (before?.disabledAt ?? now) : null,
    }
    if (disabled && !staysAdministrable(context, { withoutPrincipal: id })) return { reason: 'last_admin' }
    access.putPrincipal(after)
    return { value: after, facts: { before: shown(before), after: shown(after) } }
  },
})

export const listTokens = operation({
  ...onTokens,
  run: ({ access }): Outcome<TokenRow[]> => ({ value: access.tokens() }),
})

export const createToken = operation({
  ...onTokens,
  run(
    { access, principal: createdBy, now }: Context,
    input: { hash: Uint8Array; accessor: string; principal: string; label: string; expiresAt: number | null },
  ): Outcome<TokenRow> {
    const { hash, accessor, principal, label, expiresAt } = input
    const facts = { accessor, principal, expiresAt }
    if (access.principal(principal) === null) return { reason: 'no_principal', facts }
    const token = { accessor, principal, label, createdAt: now, createdBy, expiresAt, revokedAt: null }
    access.addToken(hash, token)
    return { value: token, facts }
  },
})

export const revokeToken = operation({
  ...onTokens,
  run(context, { accessor }: { accessor: string }): Outcome<TokenRow> {
    const { access, now } = context
    const token = access.tokens().find((row) => row.accessor === accessor)
    if (token === undefined) return { reason: 'no_token', facts: { accessor } }
    const facts = { accessor, principal: token.principal }
    if (!staysAdministrable(context, { withoutToken: accessor })) return { reason: 'last_admin', facts }
    access.revokeToken(accessor, now)
    return { value: { ...token, revokedAt: token.revokedAt ?? now }, facts }
  },
})

export const listRules = operation({
  ...onRules,
  run: ({ access }): Outcome<VersionedRule[]> => ({ value: access.rules() }),
})

export const putRule = operation({
  ...onRules,
  run(context, rule: Rule): Outcome<VersionedRule> {
    const { access, now, principal } = context
    const others = access.rules()
    const before = others.find(({ id }) => id === rule.id)
    const rules = [...others.filter(({ id }) => id !== rule.id), rule]
    if (!staysAdministrable(context, { rules })) return { reason: 'last_admin', facts: { rule: rule.id } }
    const version = (before?.version ?? 0) + 1
    access.putRule(rule, version, now, principal)
    const value = { ...rule, version, updatedAt: now, updatedBy: principal }
    return { value, facts: { before: shownRule(before), after: shownRule(value) } }
  },
})

export const deleteRule = operation({
  ...onRules,
  run(context, { id }: { id: string }): Outcome<VersionedRule> {
    const rules = context.access.rules()
    const before = rules.find((rule) => rule.id === id)
    if (before === undefined) return { reason: 'no_rule', facts: { rule: id } }
    const rest = rules.filter((rule) => rule.id !== id)
    if (!staysAdministrable(context, { rules: rest })) return { reason: 'last_admin', facts: { rule: id } }
    context.access.deleteRule(id)
    return { value: before, facts: { before: shownRule(before), after: null } }
  },
})

/**
 * Makes the first principal of an empty vault, with the token given and the right to everything.
 *
 * @returns Whether it did: never in a vault that has a principal.
 */
export function bootstrap(access: AccessStore, hash: Uint8Array, accessor: string, now: number): boolean {
  if (access.principals().length > 0) return false
  const by = BOOTSTRAP_ADMIN
  access.putPrincipal({ id: by, kind: 'user', createdAt: now, disabledAt: null })
  const token = { accessor, principal: by, label: 'bootstrap', createdAt: now, createdBy: by }
  access.addToken(hash, { ...token, expiresAt: null, revokedAt: null })
  const actions = ['read', 'write', 'delete', 'rotate', 'admin'] as const
  access.putRule({ id: BOOTSTRAP_ADMIN, effect: 'permit', principal: by, actions, resource: '**' }, 1, now, by)
  return true
}

interface Change {
  rules?: readonly Rule[]
  withoutPrincipal?: string
  withoutToken?: string
}

/** Tells whether, after a change, somebody with a live token could still change the rules and mint tokens. */
function staysAdministrable({ access, now }: Context, change: Change): boolean {
  const rules = change.rules ?? access.rules()
  const enabled = new Set(access.principals().flatMap(({ id, disabledAt }) => (disabledAt === null ? [id] : [])))
  return access.tokens().some(({ accessor, principal, expiresAt, revokedAt }) => {
    if (revokedAt !== null || (expiresAt !== null && expiresAt <= now) || !enabled.has(principal)) return false
    if (accessor === change.withoutToken || principal === change.withoutPrincipal) return false
    return ['rules', 'tokens'].every((resource) => decide({ principal, action: 'admin', resource }, rules).allow)
  })
}

function shown(principal: Principal | null) {
  return principal && { id: principal.id, kind: principal.kind, disabled: principal.disabledAt !== null }
}

function shownRule(rule: VersionedRule | undefined) {
  if (rule === undefined) return null
  const { id, effect, principal, actions, resource, version } = rule
  return { id, effect, principal, actions, resource, version }
}
