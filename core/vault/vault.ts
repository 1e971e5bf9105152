/**
 * One tenant's vault: its rules, its sealed secrets and its log, behind one synchronous transaction.
 *
 * @module
 */

import { sourceOf } from '../addresses.ts'
import type { Reason } from '../errors.ts'
import { isProgrammingError } from '../programming_error.ts'
import type { VersionedChain } from '../providers/chain.ts'
import type { RateLimitDecision } from '../rate_limit.ts'
import type { Hash, Sha256 } from '../tlog/merkle.ts'
import { authorize, operationContext, runAuthorized } from './access/authorize.ts'
import { RequestQuota } from './access/request_quota.ts'
import { REFUSALS_RECORDED_MS, refusalEvent, resolveCaller, type UnresolvedCaller } from './access/resolve_caller.ts'
import type { Decision } from './access/rules.ts'
import type { ServerPolicy } from './access/server_policy.ts'
import { type AuditEvent, encodeEvent, IndescribableChange } from './audit/event.ts'
import { NO_PRIVACY, type Privacy } from './audit/privacy.ts'
import { severityOf } from './audit/severity.ts'
import { type Time, VaultClock } from './clock.ts'
import { Erasures } from './erasures.ts'
import { migrate } from './migrate.ts'
import type { Identity, Operation, Outcome } from './operation.ts'
import { OPERATIONS } from './operation_table.ts'
import type { Answer, Call, Caller } from './rpc.ts'
import type { Sql } from './sql.ts'
import { forgetAll, openStores, type Stores } from './stores.ts'
import type { Task } from './task.ts'
import { TASKS, type TaskInput, type TaskName, type TaskOutput } from './task_table.ts'

/** Options of a vault. */
export interface VaultOptions {
  /** Told by how many milliseconds the clock is behind the log, and 0 when it is right again. */
  onClockBehind?: (behindMs: number) => void
  /** Called with an error that left a call unanswered. Its message may quote input. */
  onFailure?: (error: unknown) => void
  privacy?: Privacy
  /** The runtime's own, for the log. */
  sha256?: Sha256 | undefined
  /** Digests of differences of the schema that the operator accepts: `schema_check.ts`. */
  acceptedSchemas?: readonly string[] | undefined
  /** The reason to refuse every call from the start. The store is then left unchanged, and is not migrated. */
  quarantined?: Reason
}

/** How long the calls of one transaction may take together before the rest have to wait for the next. */
const MAX_TRANSACTION_MS = 20

/**
 * A vault over its store. Everything is synchronous: it decides, reads and records in one
 * transaction, so no other request comes between a decision and its audit entry. Keys and
 * plaintext never come here.
 */
export class Vault {
  readonly #sql: Sql
  readonly #policy: ServerPolicy
  readonly #erasures = new Erasures()
  readonly #quota = new RequestQuota()
  readonly #onFailure: (error: unknown) => void
  readonly #privacy: Privacy
  #quarantined: Reason | null
  readonly #stores: Stores
  readonly #clock: VaultClock

  /**
   * Opens the vault in a store, and brings the store to the newest schema.
   *
   * @throws {SchemaMismatch} when the schema is not the migrations' own.
   */
  constructor(sql: Sql, policy: ServerPolicy, now: number, options: VaultOptions = {}) {
    const {
      onFailure = () => {},
      onClockBehind,
      privacy = NO_PRIVACY,
      sha256,
      acceptedSchemas,
      quarantined = null,
    } = options
    if (quarantined === null) migrate(sql, now, acceptedSchemas)
    this.#quarantined = quarantined
    this.#onFailure = onFailure
    this.#privacy = privacy
    this.#sql = sql
    this.#policy = policy
    this.#stores = openStores(sql, { policy, erasures: this.#erasures, sha256 })
    this.#clock = new VaultClock(quarantined === null ? this.#stores.log.newestTime() : null, onClockBehind)
    this.#clock.read(now)
    // The time that the store was closed is unknown, and so is the age of a cached value, which must not outlive a
    // revocation.
    if (this.#clock.isBehind) sql.atomic(() => this.#stores.cache.purgeAll())
  }

  /**
   * Binds the vault to a root key, at its first opening: no other can open or verify its rows.
   *
   * @param earlierRootKeys The former root keys known then: none of them may replace it.
   * @param given All root keys of the server.
   */
  claim(
    rootId: string,
    earlierRootKeys: readonly string[] = [],
    given: readonly string[] = [rootId, ...earlierRootKeys],
  ): void {
    this.#sql.atomic(() => this.#stores.roots.tie(rootId, earlierRootKeys))
    this.#stores.roots.give(given)
    this.#stores.keys.forget()
  }

  /** Sets the chain of names that none of the vault's own covers: the operator's. */
  fallBackTo(chain: VersionedChain | null): void {
    this.#stores.chains.fallBackTo(chain)
  }

  /** Tells which providers of this server do not rotate a secret themselves. */
  exceptFromRotation(providers: readonly string[]): void {
    this.#stores.chains.exceptFromRotation(providers)
  }

  /** Whether the vault has no principal yet. */
  isEmpty(): boolean {
    if (this.#quarantined !== null) return false
    return this.#stores.access.principals().length === 0
  }

  /** The accessors of tokens that a server before 0.2 printed at its start: readers of its output have them. */
  printedTokens(): string[] {
    return this.#stores.access.printedTokens()
  }

  /** Refuses every call from now on, for this reason: further entries would fork the log, or follow a changed one. */
  quarantine(reason: Reason): void {
    this.#quarantined ??= reason
  }

  /** Writes once, and throws when that is not possible now. A vault in quarantine is not written to. */
  probe(now: number): void {
    if (this.#quarantined !== null) return
    this.#sql.atomic(() => this.#sql.all("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", String(now)))
  }

  /**
   * Answers calls, in order, in one transaction and so with one wait for the disk.
   *
   * If a call fails, the calls before it are tried again without it, so that it neither fails the others nor makes each
   * of them wait for the disk alone. A call that cannot be recorded is refused.
   *
   * @param clock The reading of the clock, in milliseconds since the Unix epoch.
   * @returns One answer a call, or fewer when the first calls took long or one failed: execute the rest again.
   */
  execute(calls: readonly Call[], clock: number): Answer[] {
    const reason = this.#quarantined
    if (reason !== null) return calls.map(() => refused(reason))
    const time = { clock, now: this.#clock.read(clock) }
    const answering = { at: 0 }
    try {
      const answers = this.#sql.atomic(() => this.#answerInTime(calls, time, answering))
      if (this.#erasures.take()) this.#scrub()
      return answers
    } catch (error) {
      this.#forget()
      // The commit failed and no call did: try each alone. Otherwise try the calls before the one that failed, or it alone.
      if (calls.length > 1 && answering.at === calls.length) return calls.flatMap((call) => this.execute([call], clock))
      if (calls.length > 1) return this.execute(calls.slice(0, Math.max(1, answering.at)), clock)
      const refusal = this.#failed(error)
      return calls.map(() => refusal)
    }
  }

  /**
   * Does a task of its own, in one transaction, and records it.
   *
   * @param clock What the clock shows, in milliseconds since the Unix epoch.
   */
  perform<K extends TaskName>(name: K, input: TaskInput<K>, clock: number): Answer<TaskOutput<K>> {
    if (this.#quarantined !== null) return refused(this.#quarantined)
    try {
      const now = this.#clock.read(clock)
      const answer = this.#sql.atomic(() => this.#perform(name, input, now)) as Answer<TaskOutput<K>>
      if (this.#erasures.take()) this.#scrub()
      return answer
    } catch (error) {
      this.#forget()
      return this.#failed(error)
    }
  }

  /** The caches of stores may hold rows that were rolled back. */
  #forget(): void {
    this.#erasures.take()
    forgetAll(this.#stores)
  }

  #failed(error: unknown): Answer & { ok: false } {
    if (error instanceof IndescribableChange) return refused('indescribable')
    this.#onFailure(error)
    // A failing disk recovers. A programming error does not, and must not look like an outage.
    return refused(isProgrammingError(error) ? 'failed' : 'storage')
  }

  #perform(name: TaskName, input: unknown, now: number): Answer {
    const { resource, resourceFacts, run, securityEvent } = TASKS[name] as Task<unknown, unknown>
    const outcome = run({ ...this.#stores, now }, input)
    const reason: 'ok' | Reason = 'reason' in outcome ? outcome.reason : 'ok'
    const facts = { ...resourceFacts?.(input), ...outcome.facts }
    const severity = severityOf(reason, { securityEvent, locked: false })
    const event = { ...NO_CALLER, operation: name, resource: resource(input), outcome: reason, severity, facts }
    const index = outcome.unrecorded ? null : this.#append({ at: now, ...event })
    return 'reason' in outcome
      ? { ...refused(outcome.reason), index }
      : { ok: true, index, quota: null, value: outcome.value }
  }

  /**
   * Erased values must not stay readable in the journal of the store. A failure here changes no answer: the erasure is
   * durable.
   */
  #scrub(): void {
    try {
      this.#sql.scrub()
    } catch (error) {
      this.#onFailure(error)
    }
  }

  /**
   * @param answering Receives the position of the call in progress, for the case of a throw; the number of calls once
   *   all are answered.
   */
  #answerInTime(calls: readonly Call[], time: Time, answering: { at: number }): Answer[] {
    const answers: Answer[] = []
    const start = performance.now()
    for (const call of calls) {
      answering.at = answers.length
      answers.push(this.#answer(call, time))
      if (performance.now() - start > MAX_TRANSACTION_MS) break
    }
    answering.at = calls.length
    return answers
  }

  /** Answers one call: resolves its caller, applies the rate limits, authorizes, runs the operation and records it. */
  #answer(call: Call, { clock, now }: Time): Answer {
    const { caller, input } = call
    const { requestId } = caller
    const operation = OPERATIONS[call.operation] as Operation<unknown, unknown>
    const found = resolveCaller(caller, operation, this.#stores, { clock, now })
    if ('why' in found) return this.#refuse(call, found, { clock, now })
    const { identity } = found
    const source = sourceOf(caller.address)
    const { principal } = identity
    const windows = this.#policy.windows(principal, source)
    const quota = this.#quota.admit(operation, { requestId, principal }, windows, now)
    if (quota !== null && !quota.allowed) return this.#refuseThrottled(call, identity, quota, now)
    const context = operationContext(this.#stores, this.#policy, found, { source, clock, now, requestId })
    const decision = authorize(this.#policy, operation, input, context)
    const outcome = runAuthorized(operation, call, decision, context)
    const index = this.#recordOutcome(call, identity, { decision, outcome }, now)
    if (!('reason' in outcome)) return { ok: true, index, quota, value: outcome.value }
    const { reason, approval, quota: own = quota } = outcome
    return { ok: false, index, quota: own, reason, ...(approval && { approval }) }
  }

  /** Records what a call came to. @returns The index of the entry; `null` for an outcome that is not recorded. */
  #recordOutcome(
    call: Call,
    identity: Identity,
    { decision, outcome }: { decision: Decision; outcome: Outcome<unknown> },
    now: number,
  ): number | null {
    const { securityEvent, resourceFacts } = OPERATIONS[call.operation] as Operation<unknown, unknown>
    if (outcome.unrecorded || (isStranger(identity) && !decision.allow)) return null
    const reason: 'ok' | Reason = 'reason' in outcome ? outcome.reason : 'ok'
    const rule = reason === 'ok' && decision.permit !== undefined ? decision.permit : decision.rule
    const facts = { ...resourceFacts?.(call.input), ...outcome.facts }
    const isAlert = outcome.securityEvent === 'alert' || outcome.facts?.locked === true
    const severity = severityOf(reason, { securityEvent, locked: isAlert })
    const event = { ...subjectOf(call, identity), rule, outcome: reason, severity, facts }
    return this.#record(call.caller, now, { ...event, ...('value' in outcome && outcome.actor) })
  }

  /** Refuses a call over its rate limit. The log gets the first refusal of a period, and none of a stranger, who could fill it. */
  #refuseThrottled(call: Call, identity: Identity, quota: RateLimitDecision, now: number): Answer {
    const { resourceFacts } = OPERATIONS[call.operation] as Operation<unknown, unknown>
    const facts = { ...resourceFacts?.(call.input), window: quota.name }
    const event = {
      ...subjectOf(call, identity),
      rule: null,
      outcome: 'throttled',
      severity: 'warning',
      facts,
    } as const
    const index = quota.first && !isStranger(identity) ? this.#record(call.caller, now, event) : null
    return { ...refused('throttled'), index, quota }
  }

  /**
   * Refuses an unresolved caller: recorded once an hour for each token and flaw, limited by source, without a reason.
   */
  #refuse({ caller, operation }: Call, found: UnresolvedCaller, time: Time): Answer {
    // The edge limits strangers, and lets them call only what is open to all.
    if (caller.credential === null) return refused('unauthenticated')
    const { now } = time
    const event = refusalEvent(found, operation)
    // A token that is not known leaves the same mark: it takes the same work.
    const mark = `refused/${event?.session ?? event?.token ?? ''}/${event?.facts.flaw ?? ''}`
    const isFirst = this.#stores.factors.mark(mark, now + REFUSALS_RECORDED_MS, time)
    if (isFirst && event !== null) this.#record(caller, now, event)
    const quota = this.#quota.admitUnknown(this.#policy.refusalWindows(sourceOf(caller.address)), now)
    return quota?.allowed === false ? { ...refused('throttled'), quota } : refused('unauthenticated')
  }

  #record(caller: Caller, now: number, event: Omit<AuditEvent, 'at' | 'request' | 'address' | 'agent'>): number {
    const { requestId, address, agent } = caller
    return this.#append({ at: now, request: requestId, address, agent, ...event })
  }

  #append(event: AuditEvent): number {
    const write = (index: number, previous: Hash | null) => encodeEvent(event, index, previous, this.#privacy)
    return this.#stores.log.append(write, event)
  }
}

/** Whether a caller has no principal: it signs in, or presents a ticket. */
function isStranger({ principal }: Identity): boolean {
  return principal === ''
}

/** The facts of an entry that say who called which operation on what. */
function subjectOf({ operation, input }: Call, { principal, token, session }: Identity) {
  const { action, resource } = OPERATIONS[operation] as Operation<unknown, unknown>
  return { operation, principal: principal || null, token, session, action, resource: resource(input) }
}

/** A task has no caller. */
const NO_CALLER = {
  ...{ request: null, principal: null, token: null, session: null, address: null, agent: null },
  ...{ action: null, rule: null },
} as const

function refused(reason: Reason): Answer & { ok: false } {
  return { ok: false, index: null, quota: null, reason }
}
