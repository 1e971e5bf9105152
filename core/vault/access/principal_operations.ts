/**
 * Operations on principals, tokens and lockouts. Each needs `admin` and is recorded; a change with its state before and
 * after.
 *
 * @module
 */
import { type OperationContext, type Outcome, operation } from '../operation.ts'
import { staysAdministrable } from './last_admin.ts'
import type { Lock } from './lockout.ts'
import type { Principal, PrincipalKind, TokenRow } from './principal_store.ts'

const onPrincipals = { action: 'admin', resource: () => 'principals' } as const
const onTokens = { action: 'admin', resource: () => 'tokens' } as const

/** Lists all principals. */
export const listPrincipals = operation({
  ...onPrincipals,
  approvalBinding: 'nothing',
  run: ({ access }): Outcome<Principal[]> => ({ value: access.principals() }),
})

/** Creates a principal, or changes its kind and whether it is disabled. */
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
    // Without `disabled` the state stays: a change of the kind must not enable a disabled principal.
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

/** A new token: its keyed hash, never the token itself. */
interface NewToken {
  hash: Uint8Array
  /** The id of the root key that the token is made under. */
  root?: string
  accessor: string
  principal: string
  label: string
  expiresAt: number | null
}

/** Lists all tokens, without their hashes. */
export const listTokens = operation({
  ...onTokens,
  approvalBinding: 'nothing',
  run: ({ access }): Outcome<TokenRow[]> => ({ value: access.tokens() }),
})

/** Stores the hash of a new token for a principal. */
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

/** Revokes a token, unless it is the last one that can administer the vault. */
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

/** Lists the principals that are locked out. */
export const listLocks = operation({
  ...onPrincipals,
  approvalBinding: 'nothing',
  run: ({ lockout, now }): Outcome<Lock[]> => ({ value: lockout.locks(now) }),
})

/** Clears the failed attempts of a principal, so that it may try again at once. */
export const unlockPrincipal = operation({
  ...onPrincipals,
  securityEvent: true,
  resourceFacts: ({ id }: { id: string }) => ({ principal: id }),
  // Without the failures: an attacker who keeps guessing would void each approval before its use.
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
