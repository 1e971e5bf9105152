/**
 * All operations of a vault, in one table.
 *
 * @module
 */

import * as factors from './access/factor_operations.ts'
import * as issuers from './access/issuer_operations.ts'
import * as principals from './access/principal_operations.ts'
import * as rules from './access/rule_operations.ts'
import * as sessions from './access/session_operations.ts'
import * as tickets from './access/ticket_operations.ts'
import * as approvals from './approvals/approval_operations.ts'
import * as glass from './approvals/break_glass.ts'
import { holdLog } from './audit/log_retention.ts'
import * as audit from './audit/operations.ts'
import * as chains from './chains/chain_operations.ts'
import * as provided from './chains/read_operations.ts'
import { reportWrite } from './chains/write_operations.ts'
import * as keys from './keys/key_operations.ts'
import * as hooks from './notifications/webhook_operations.ts'
import type { Operation } from './operation.ts'
import * as rotations from './rotation/operations.ts'
import * as lists from './secrets/list_operations.ts'
import * as secrets from './secrets/operations.ts'
import * as policy from './secrets/value_policy_operations.ts'
import { showStats } from './stats.ts'

/** The operations by the name that the log records. */
export const OPERATIONS = {
  'secret.read': secrets.readSecret,
  'secret.prepare': secrets.prepareWrite,
  'secret.write': secrets.writeSecret,
  'secret.list': lists.listSecrets,
  'secret.versions': lists.listVersions,
  'secret.delete': secrets.deleteSecret,
  'secret.restore': secrets.restoreSecret,
  'secret.destroy': secrets.destroySecret,
  'secret.unopened': secrets.reportUnopened,
  'secret.provided': provided.reportRead,
  'secret.relayed': reportWrite,
  'chain.browse': chains.browseChain,
  'chain.names': chains.showNames,
  'chain.list': chains.listChains,
  'chain.put': chains.putChain,
  'chain.delete': chains.deleteChain,
  'provider.list': chains.listProviders,
  'principal.list': principals.listPrincipals,
  'principal.put': principals.putPrincipal,
  'token.list': principals.listTokens,
  'token.create': principals.createToken,
  'token.revoke': principals.revokeToken,
  'session.whoami': sessions.whoami,
  'session.open': sessions.openSession,
  'session.federate': sessions.federateSession,
  'session.list': sessions.listSessions,
  'session.end': sessions.endSession,
  'session.end_all': sessions.endSessions,
  'totp.begin': factors.beginTotp,
  'totp.fail': factors.failTotp,
  'totp.enrol': factors.enrolTotp,
  'totp.confirm': factors.confirmTotp,
  'factors.reset': factors.resetFactors,
  'lock.list': principals.listLocks,
  'lock.clear': principals.unlockPrincipal,
  'issuer.list': issuers.listIssuers,
  'issuer.put': issuers.putIssuer,
  'issuer.delete': issuers.deleteIssuer,
  'issuer.trusted': sessions.trustedIssuers,
  'rule.explain': rules.explainDecision,
  'rule.list': rules.listRules,
  'rule.put': rules.putRule,
  'rule.delete': rules.deleteRule,
  'secret.rollback': secrets.prepareVersionRestore,
  'rotation.put': rotations.putRotation,
  'rotation.delete': rotations.deleteRotation,
  'rotation.list': rotations.listRotations,
  'rotation.show': rotations.showRotation,
  'rotation.start': rotations.startRotation,
  'rotation.steer': rotations.steerRotation,
  'policy.show': policy.showPolicy,
  'policy.put': policy.putPolicy,
  'hook.list': hooks.listWebhooks,
  'hook.put': hooks.putWebhook,
  'hook.delete': hooks.deleteWebhook,
  'keys.term': keys.currentTerm,
  'keys.show': keys.showKeys,
  'keys.rekey': keys.rekey,
  'approval.list': approvals.listApprovals,
  'approval.show': approvals.showApproval,
  'approval.decide': approvals.decideApproval,
  'approval.withdraw': approvals.withdrawApproval,
  'glass.break': glass.breakGlass,
  'glass.list': glass.listGlass,
  'glass.end': glass.endGlass,
  'glass.review': glass.reviewGlass,
  'gauges.show': showStats,
  'audit.entries': audit.readEntries,
  'audit.mine': audit.readMine,
  'audit.head': audit.readHead,
  'audit.cosigned': audit.readCosigned,
  'audit.sign': audit.keepCheckpoint,
  'audit.inclusion': audit.proveInclusion,
  'audit.consistency': audit.proveConsistency,
  'audit.tile': audit.readTile,
  'audit.hold': holdLog,
  'audit.rekey': audit.rekeyLog,
  'audit.status': audit.readStatus,
  'vault.bootstrap': tickets.bootstrapVault,
  'vault.recover': tickets.recoverVault,
} as const

type Operations = typeof OPERATIONS
/** The name of an operation. */
export type OperationName = keyof Operations
/** The input of an operation. */
export type Input<K extends OperationName> = Operations[K] extends Operation<infer I, unknown> ? I : never
/** The output of an operation. */
export type Output<K extends OperationName> = Operations[K] extends Operation<never, infer O> ? O : never

/**
 * Operations that may be executed again when their answer was lost: the second time changes nothing but the log. An
 * operation that is not listed may have been carried out.
 */
export const REPEATABLE: ReadonlySet<OperationName> = new Set<OperationName>([
  ...([
    'secret.read',
    'secret.prepare',
    'secret.list',
    'secret.versions',
    'secret.unopened',
    'secret.provided',
  ] as const),
  ...(['secret.rollback', 'chain.browse', 'chain.names', 'chain.list', 'provider.list'] as const),
  ...(['principal.list', 'token.list', 'session.whoami', 'session.list', 'lock.list'] as const),
  ...(['issuer.list', 'issuer.trusted', 'rule.explain', 'rule.list', 'rotation.list', 'rotation.show'] as const),
  ...(['policy.show', 'hook.list', 'keys.term', 'keys.show', 'approval.list', 'approval.show'] as const),
  ...(['glass.list', 'gauges.show', 'audit.entries', 'audit.mine', 'audit.head', 'audit.cosigned'] as const),
  ...(['audit.sign', 'audit.inclusion', 'audit.consistency', 'audit.tile', 'audit.status'] as const),
])
