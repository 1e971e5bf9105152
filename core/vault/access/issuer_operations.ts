/**
 * Operations on trusted issuers: the OpenID providers whose tokens a vault accepts. Each needs `admin` and is recorded.
 *
 * @module
 */
import { lineageOf } from '../approvals/approval.ts'
import { type Outcome, operation, type Unusable } from '../operation.ts'
import type { Issuer, VersionedIssuer } from './issuer_store.ts'
import { staysAdministrable, trustsOf } from './last_admin.ts'

const onIssuers = { action: 'admin', resource: () => 'issuers' } as const

/** Lists the trusted issuers. */
export const listIssuers = operation({
  ...onIssuers,
  approvalBinding: 'nothing',
  run: ({ issuers }): Outcome<VersionedIssuer[]> => ({ value: issuers.list() }),
})

/** Creates or replaces a trusted issuer, and ends the sessions made by the former one. */
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
    // An approver may have no other way in than the issuer as it was.
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
    // These sessions met the former conditions. Who meets the new ones signs in again.
    sessions.revokeFederated(issuer.id, now)
    return { value, facts: { before, after: value } }
  },
})

/** Deletes a trusted issuer, and ends the sessions that it made. */
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
