/**
 * One tenant's vault: its rules, its sealed secrets and its log, behind one synchronous transaction.
 *
 * @module
 */
import * as accessOperations from './access/operations.ts'
import { decide } from './access/policy.ts'
import { AccessStore } from './access/store.ts'
import { type AuditEvent, encodeEvent } from './audit/event.ts'
import { Log } from './audit/log.ts'
import * as auditOperations from './audit/operations.ts'
import { type PosternError, type Reason, refusal } from './errors.ts'
import type { Context, Operation, Outcome } from './operation.ts'
import { migrate } from './schema.ts'
import * as secretOperations from './secrets/operations.ts'
import { SecretStore } from './secrets/store.ts'
import type { Sql } from './sql.ts'

/** Everything that a vault can be asked, by the name that the log records. */
const OPERATIONS = {
  'secret.read': secretOperations.readSecret,
  'secret.write': secretOperations.writeSecret,
  'secret.list': secretOperations.listSecrets,
  'secret.versions': secretOperations.listVersions,
  'secret.delete': secretOperations.deleteSecret,
  'secret.restore': secretOperations.restoreSecret,
  'secret.destroy': secretOperations.destroySecret,
  'secret.tampered': secretOperations.reportTampered,
  'principal.list': accessOperations.listPrincipals,
  'principal.put': accessOperations.putPrincipal,
  'token.list': accessOperations.listTokens,
  'token.create': accessOperations.createToken,
  'token.revoke': accessOperations.revokeToken,
  'rule.list': accessOperations.listRules,
  'rule.put': accessOperations.putRule,
  'rule.delete': accessOperations.deleteRule,
  'audit.entries': auditOperations.readEntries,
} as const

type Operations = typeof OPERATIONS
export type OperationName = keyof Operations
export type Input<K extends OperationName> = Operations[K] extends Operation<infer I, unknown> ? I : never
export type Output<K extends OperationName> = Operations[K] extends Operation<never, infer O> ? O : never

/** What the edge knows of a caller. No rights: the vault looks those up itself. */
export interface Caller {
  /** The keyed hash of its token. */
  tokenHash: Uint8Array
  /** Set by the edge when the token is the bootstrap token that the operator configured. */
  bootstrap?: true
  requestId: string
  address: string | null
  agent: string | null
}

/** One question to a vault. Plain data: it crosses an RPC. */
export interface Call {
  operation: OperationName
  caller: Caller
  /** The operation's input. `VaultHandle` in `worker/host.ts` is where its type is kept. */
  input: unknown
}

/**
 * What a vault answers, with the index of the audit entry that records it.
 *
 * A refusal is a value here, not a throw: a throw inside a transaction would undo its own audit
 * entry, and a throw across Durable Object RPC loses its code. {@link unwrap} turns it into one.
 */
export type Answer<T = unknown> =
  | { ok: true; index: number; value: T }
  | { ok: false; index: number | null; reason: Reason }

/** An answer that was granted. */
export interface Granted<T> {
  index: number
  value: T
}

/**
 * Returns what was granted.
 *
 * @throws {PosternError} the refusal.
 */
export function unwrap<T>(answer: Answer<T>): Granted<T> {
  if (answer.ok) return answer
  throw refusalOf(answer)
}

/** Makes the error of a refused answer. */
export function refusalOf({ reason, index }: Answer & { ok: false }): PosternError {
  return refusal(reason, {
    ...(index === null ? {} : { auditIndex: index }),
    ...(reason === 'storage' ? { retryAfterSeconds: 1 } : {}),
  })
}

/**
 * A vault over its store. Everything is synchronous: it decides, reads and records in one
 * transaction, so no other request comes between a decision and its audit entry. Keys and
 * plaintext never come here.
 */
export class Vault {
  readonly #sql: Sql
  readonly #secrets: SecretStore
  readonly #access: AccessStore
  readonly #log: Log

  /** Opens the vault in a store, and brings the store to the newest schema. */
  constructor(sql: Sql, now: number) {
    migrate(sql, now)
    this.#sql = sql
    this.#secrets = new SecretStore(sql)
    this.#access = new AccessStore(sql)
    this.#log = new Log(sql)
  }

  /**
   * Ties the vault to a root key, at its first opening.
   *
   * @returns Whether this root key is the vault's: another could neither open nor verify anything.
   */
  claim(rootId: string): boolean {
    this.#sql.all("INSERT INTO meta VALUES ('root', ?) ON CONFLICT DO NOTHING", rootId)
    return this.#sql.all<{ value: string }>("SELECT value FROM meta WHERE key = 'root'")[0]?.value === rootId
  }

  /** Whether nobody has a right here yet. */
  isEmpty(): boolean {
    return this.#access.principals().length === 0
  }

  /**
   * Answers calls, in order, in one transaction and so with one wait for the disk.
   *
   * When it fails, each call is tried alone, so that one that cannot be answered does not take the
   * others with it. What cannot be recorded is refused.
   *
   * @param now Milliseconds since the Unix epoch.
   */
  execute(calls: readonly Call[], now: number): Answer[] {
    try {
      return this.#sql.atomic(() => calls.map((call) => this.#answer(call, now)))
    } catch (error) {
      this.#access.forget()
      if (calls.length > 1) return calls.flatMap((call) => this.execute([call], now))
      // A failing disk heals; a mistake of ours does not, and must not look like an outage.
      const mistake = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
      return calls.map(() => ({ ok: false, index: null, reason: mistake ? 'failed' : 'storage' }))
    }
  }

  #answer(call: Call, now: number): Answer {
    const identity = this.#identify(call, now)
    // Not recorded: whoever holds a dead token could fill the log with it.
    if (identity === null) return { ok: false, index: null, reason: 'unauthenticated' }
    const { principal, accessor } = identity
    const operation = OPERATIONS[call.operation] as Operation<unknown, unknown>
    const resource = operation.resource(call.input)
    const rules = this.#access.rulesFor(principal)
    const { action } = operation
    const decision = action === null ? { allow: true, rule: null } : decide({ principal, action, resource }, rules)
    const context = { secrets: this.#secrets, access: this.#access, log: this.#log, principal, rules, now }
    const outcome: Outcome<unknown> = decision.allow
      ? operation.run(context satisfies Context, call.input)
      : { reason: 'denied' }
    const about = { operation: call.operation, principal, token: accessor, action, resource, rule: decision.rule }
    const index = this.#record(call.caller, now, { ...about, outcome: reasonOf(outcome), facts: outcome.facts ?? {} })
    return 'reason' in outcome
      ? { ok: false, index, reason: outcome.reason }
      : { ok: true, index, value: outcome.value }
  }

  #identify({ caller }: Call, now: number): { principal: string; accessor: string } | null {
    const identity = this.#access.identify(caller.tokenHash, now)
    if (identity !== null || !caller.bootstrap) return identity
    const accessor = crypto.randomUUID()
    if (!accessOperations.bootstrap(this.#access, caller.tokenHash, accessor, now)) return null
    const principal = accessOperations.BOOTSTRAP_ADMIN
    const about = { operation: 'vault.bootstrap', principal, token: accessor, action: null, resource: '', rule: null }
    this.#record(caller, now, { ...about, outcome: 'ok', facts: {} })
    return { principal, accessor }
  }

  #record(caller: Caller, now: number, event: Omit<AuditEvent, 'at' | 'request' | 'address' | 'agent'>): number {
    const { requestId, address, agent } = caller
    const whole = { at: now, request: requestId, address, agent, ...event }
    return this.#log.append((index, previous) => encodeEvent(whole, index, previous))
  }
}

function reasonOf(outcome: Outcome<unknown>): 'ok' | Reason {
  return 'reason' in outcome ? outcome.reason : 'ok'
}
