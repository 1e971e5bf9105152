/**
 * One tenant's vault: its rules, its sealed secrets and its log, behind one synchronous transaction.
 *
 * @module
 */
import { sourceOf } from './access/cidr.ts'
import { FactorStore } from './access/factors.ts'
import { IssuerStore } from './access/issuers.ts'
import { Lockout } from './access/lockout.ts'
import * as accessOperations from './access/operations.ts'
import { type Action, type Circumstances, type Decision, decide } from './access/policy.ts'
import { barrier, type SecurityPolicy } from './access/security_policy.ts'
import * as sessionOperations from './access/session_operations.ts'
import { SessionStore } from './access/sessions.ts'
import { AccessStore } from './access/store.ts'
import { type Admission, Throttle } from './access/throttle.ts'
import { type AuditEvent, encodeEvent } from './audit/event.ts'
import { Log } from './audit/log.ts'
import * as auditOperations from './audit/operations.ts'
import { type PosternError, type Reason, refusal } from './errors.ts'
import type { Context, Identity, Operation, Outcome } from './operation.ts'
import { migrate } from './schema.ts'
import * as secretOperations from './secrets/operations.ts'
import { SecretStore } from './secrets/store.ts'
import type { Sql } from './sql.ts'

/** Everything that a vault can be asked, by the name that the log records. */
const OPERATIONS = {
  'secret.read': secretOperations.readSecret,
  'secret.prepare': secretOperations.prepareWrite,
  'secret.write': secretOperations.writeSecret,
  'secret.list': secretOperations.listSecrets,
  'secret.versions': secretOperations.listVersions,
  'secret.delete': secretOperations.deleteSecret,
  'secret.restore': secretOperations.restoreSecret,
  'secret.destroy': secretOperations.destroySecret,
  'secret.unopened': secretOperations.reportUnopened,
  'principal.list': accessOperations.listPrincipals,
  'principal.put': accessOperations.putPrincipal,
  'token.list': accessOperations.listTokens,
  'token.create': accessOperations.createToken,
  'token.revoke': accessOperations.revokeToken,
  'session.whoami': sessionOperations.whoami,
  'session.open': sessionOperations.openSession,
  'session.federate': sessionOperations.federateSession,
  'session.list': sessionOperations.listSessions,
  'session.end': sessionOperations.endSession,
  'session.end_all': sessionOperations.endSessions,
  'totp.begin': sessionOperations.beginTotp,
  'totp.fail': sessionOperations.failTotp,
  'totp.enrol': sessionOperations.enrolTotp,
  'totp.confirm': sessionOperations.confirmTotp,
  'factors.reset': sessionOperations.resetFactors,
  'lock.list': accessOperations.listLocks,
  'lock.clear': accessOperations.unlockPrincipal,
  'issuer.list': accessOperations.listIssuers,
  'issuer.put': accessOperations.putIssuer,
  'issuer.delete': accessOperations.deleteIssuer,
  'issuer.trusted': sessionOperations.trustedIssuers,
  'rule.explain': accessOperations.explainDecision,
  'rule.list': accessOperations.listRules,
  'rule.put': accessOperations.putRule,
  'rule.delete': accessOperations.deleteRule,
  'audit.entries': auditOperations.readEntries,
  'audit.head': auditOperations.readHead,
  'audit.sign': auditOperations.keepCheckpoint,
  'audit.inclusion': auditOperations.proveInclusion,
  'audit.consistency': auditOperations.proveConsistency,
  'audit.tile': auditOperations.readTile,
} as const

type Operations = typeof OPERATIONS
export type OperationName = keyof Operations
export type Input<K extends OperationName> = Operations[K] extends Operation<infer I, unknown> ? I : never
export type Output<K extends OperationName> = Operations[K] extends Operation<never, infer O> ? O : never

/** How long the calls of one transaction may take together before the rest have to wait for the next. */
const MAX_TRANSACTION_MS = 20

/** What the edge knows of a caller. No rights: the vault looks those up itself. */
export interface Caller {
  /** The keyed hash of its token and which kind it is; `null` for one that wants to sign in. */
  credential: { kind: 'token' | 'session'; hash: Uint8Array } | null
  /** A DPoP proof that was checked, but for whether it was used before. */
  proof: { jkt: string; id: string; expiresAt: number } | null
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

/** What the tightest rate limit leaves, for the client to see. */
export type Quota = Pick<Admission, 'name' | 'limit' | 'remaining' | 'retryAfterMs'>

/**
 * What a vault answers, with the index of the audit entry that records it.
 *
 * A refusal is a value here, not a throw: a throw inside a transaction would undo its own audit
 * entry, and a throw across Durable Object RPC loses its code. {@link unwrap} turns it into one.
 */
export type Answer<T = unknown> = { quota: Quota | null } & (
  | { ok: true; index: number | null; value: T }
  | { ok: false; index: number | null; reason: Reason }
)

/** An answer that was granted. */
export interface Granted<T> {
  index: number | null
  value: T
  quota: Quota | null
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
export function refusalOf({ reason, index, quota }: Answer & { ok: false }): PosternError {
  // A 401 tells nothing more: an index would tell a locked or wrong code from an unknown token.
  const recorded = index !== null && reason !== 'unauthenticated'
  const throttled = reason === 'throttled' && quota !== null
  return refusal(reason, {
    ...(recorded ? { auditIndex: index } : {}),
    ...(throttled ? { retryAfterSeconds: Math.ceil(quota.retryAfterMs / 1000) } : {}),
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
  readonly #policy: SecurityPolicy
  readonly #throttle = new Throttle()
  readonly #onFailure: (error: unknown) => void
  readonly #secrets: SecretStore
  readonly #access: AccessStore
  readonly #sessions: SessionStore
  readonly #factors: FactorStore
  readonly #lockout: Lockout
  readonly #issuers: IssuerStore
  readonly #log: Log

  /**
   * Opens the vault in a store, and brings the store to the newest schema.
   *
   * @param onFailure Told of an error that a call could not be answered for. Its message may quote input.
   */
  constructor(sql: Sql, policy: SecurityPolicy, now: number, onFailure: (error: unknown) => void = () => {}) {
    migrate(sql, now)
    this.#onFailure = onFailure
    this.#sql = sql
    this.#policy = policy
    this.#secrets = new SecretStore(sql)
    this.#access = new AccessStore(sql)
    this.#sessions = new SessionStore(sql, policy.sessionIdleMs)
    this.#factors = new FactorStore(sql)
    this.#lockout = new Lockout(sql, policy)
    this.#issuers = new IssuerStore(sql)
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

  /** Writes once, and throws when that is not possible now. */
  probe(now: number): void {
    this.#sql.atomic(() => this.#sql.all("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", String(now)))
  }

  /**
   * Answers calls, in order, in one transaction and so with one wait for the disk.
   *
   * When it fails, each call is tried alone, so that one that cannot be answered does not take the
   * others with it. What cannot be recorded is refused.
   *
   * @param now Milliseconds since the Unix epoch.
   * @returns One answer a call, or fewer when the first ones took long: ask again for the rest.
   */
  execute(calls: readonly Call[], now: number): Answer[] {
    try {
      const answers = this.#sql.atomic(() => this.#answerInTime(calls, now))
      // What was destroyed must not be read from the store's journal either.
      if (calls.some(({ operation }, i) => operation === 'secret.destroy' && answers[i]?.ok)) this.#sql.scrub()
      return answers
    } catch (error) {
      this.#access.forget()
      if (calls.length > 1) return calls.flatMap((call) => this.execute([call], now))
      this.#onFailure(error)
      // A failing disk heals; a mistake of ours does not, and must not look like an outage.
      const mistake = [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind)
      return calls.map(() => ({ ok: false, index: null, quota: null, reason: mistake ? 'failed' : 'storage' }))
    }
  }

  #answerInTime(calls: readonly Call[], now: number): Answer[] {
    const answers: Answer[] = []
    const start = performance.now()
    for (const call of calls) {
      answers.push(this.#answer(call, now))
      if (performance.now() - start > MAX_TRANSACTION_MS) break
    }
    return answers
  }

  /** One call: who asks → how often → by which right → do it → record it. */
  #answer(call: Call, now: number): Answer {
    const { caller } = call
    const operation = OPERATIONS[call.operation] as Operation<unknown, unknown>
    const found = this.#identify(caller, now)
    // Not recorded: whoever holds a dead token could fill the log with it.
    if (found === null && !(operation.anonymous && caller.credential === null)) {
      return { ok: false, index: null, quota: null, reason: 'unauthenticated' }
    }
    const { identity, circumstances } = found ?? stranger(caller, now)
    const source = sourceOf(caller.address)
    const quota = this.#throttle.admit(this.#policy.windows(identity.principal, source), now)
    const about = {
      operation: call.operation,
      principal: identity.principal || null,
      token: identity.token,
      session: identity.session,
      action: operation.action,
      resource: operation.resource(call.input),
    }
    const subject = operation.about?.(call.input)
    if (quota !== null && !quota.allowed) {
      const event = { ...about, rule: null, outcome: 'throttled', facts: { ...subject, window: quota.name } } as const
      return { ok: false, index: quota.first ? this.#record(caller, now, event) : null, quota, reason: 'throttled' }
    }
    const rules = this.#access.rulesFor(identity.principal)
    const decision = this.#decide(about, { identity, circumstances, rules })
    const outcome: Outcome<unknown> = decision.allow
      ? operation.run(
          this.#context({ identity, circumstances, rules, source, now, requestId: caller.requestId }),
          call.input,
        )
      : { reason: decision.missing === 'mfa' ? 'mfa_required' : 'denied' }
    const facts = { ...subject, ...outcome.facts }
    const event = {
      ...about,
      rule: decision.rule,
      outcome: 'reason' in outcome ? outcome.reason : 'ok',
      facts,
    } as const
    const index = outcome.quiet ? null : this.#record(caller, now, event)
    if ('reason' in outcome) return { ok: false, index, quota, reason: outcome.reason }
    return { ok: true, index, quota, value: outcome.value }
  }

  /** The barrier of the whole server first, then the rules; an operation without an action looks itself. */
  #decide(
    { action, resource }: { action: Action | null; resource: string },
    { identity, circumstances, rules }: Pick<Context, 'identity' | 'circumstances' | 'rules'>,
  ): Decision {
    const { principal, kind } = identity
    const barred = barrier(this.#policy, kind, action, circumstances)
    if (barred !== null) return barred
    return action === null
      ? { allow: true, rule: null }
      : decide({ principal, action, resource, context: circumstances }, rules)
  }

  #context(about: Pick<Context, 'identity' | 'circumstances' | 'rules' | 'source' | 'now' | 'requestId'>): Context {
    return {
      ...about,
      principal: about.identity.principal,
      limits: this.#policy,
      secrets: this.#secrets,
      access: this.#access,
      sessions: this.#sessions,
      factors: this.#factors,
      lockout: this.#lockout,
      issuers: this.#issuers,
      log: this.#log,
    }
  }

  #identify(caller: Caller, now: number): { identity: Identity; circumstances: Circumstances } | null {
    const { credential, proof } = caller
    if (credential === null) return null
    // Each proof counts once, whatever it is for (RFC 9449 section 11.1).
    if (proof !== null && !this.#factors.useOnce(`dpop/${proof.id}`, caller.requestId, proof.expiresAt, now))
      return null
    return credential.kind === 'session'
      ? this.#session(caller, credential.hash, now)
      : this.#token(caller, credential.hash, now)
  }

  #session(caller: Caller, hash: Uint8Array, now: number) {
    const session = this.#sessions.find(hash, now)
    if (session === null) return null
    const { principal, kind, token, jkt, accessor, expiresAt, method, mfaAt } = session
    // A bound token without a proof is a stolen one; a proof with an unbound token proves nothing.
    if (jkt !== (caller.proof?.jkt ?? null)) return null
    this.#sessions.touch(hash, session.seenAt, now)
    const identity = { principal, kind, token, session: accessor, sessionExpiresAt: expiresAt, jkt }
    return { identity, circumstances: circumstancesOf(caller, now, { method, mfaAt, bound: jkt !== null }) }
  }

  #token(caller: Caller, hash: Uint8Array, now: number) {
    const token = this.#access.identify(hash, now) ?? this.#bootstrap(caller, hash, now)
    if (token === null) return null
    const { principal, kind, accessor } = token
    const identity = { principal, kind, token: accessor, session: null, sessionExpiresAt: null, jkt: null }
    return { identity, circumstances: circumstancesOf(caller, now, { method: 'token', mfaAt: null, bound: false }) }
  }

  #bootstrap(caller: Caller, hash: Uint8Array, now: number) {
    const accessor = crypto.randomUUID()
    if (!caller.bootstrap || !accessOperations.bootstrap(this.#access, hash, accessor, now)) return null
    const principal = accessOperations.BOOTSTRAP_ADMIN
    const about = {
      operation: 'vault.bootstrap',
      principal,
      token: accessor,
      session: null,
      action: null,
      resource: '',
      rule: null,
    }
    this.#record(caller, now, { ...about, outcome: 'ok', facts: {} })
    return { principal, accessor, kind: 'user' as const }
  }

  #record(caller: Caller, now: number, event: Omit<AuditEvent, 'at' | 'request' | 'address' | 'agent'>): number {
    const { requestId, address, agent } = caller
    const whole = { at: now, request: requestId, address, agent, ...event }
    return this.#log.append((index, previous) => encodeEvent(whole, index, previous))
  }
}

/** Whoever wants to sign in: nobody yet. */
function stranger(caller: Caller, now: number): { identity: Identity; circumstances: Circumstances } {
  const identity = {
    principal: '',
    kind: 'service',
    token: null,
    session: null,
    sessionExpiresAt: null,
    jkt: null,
  } as const
  return { identity, circumstances: circumstancesOf(caller, now, { method: 'federated', mfaAt: null, bound: false }) }
}

function circumstancesOf(
  { address, agent }: Caller,
  now: number,
  proven: Pick<Circumstances, 'method' | 'mfaAt' | 'bound'>,
): Circumstances {
  return { address, agent, now, ...proven }
}
