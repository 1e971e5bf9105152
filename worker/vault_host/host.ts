/**
 * The port to vaults, in this process or in Durable Objects, and the handle that routes call.
 *
 * @module
 */

import { refusal } from '../../core/errors.ts'
import type { Operation } from '../../core/vault/operation.ts'
import { type Input, OPERATIONS, type OperationName, type Output } from '../../core/vault/operation_table.ts'
import type { Answer, Call, Caller, Granted } from '../../core/vault/rpc.ts'
import { refusalOf, unwrap } from '../../core/vault/rpc.ts'
import type { VaultStats } from '../../core/vault/stats.ts'
import type { TransactionCounters } from '../telemetry/counters.ts'

/** Finds vaults. */
export interface Host {
  /** Returns the handle of a vault. `create` allows a new vault: only for a bootstrap ticket. */
  vault(id: string, create: boolean): Promise<VaultHandle>
  /** Whether storage is available. */
  ready(): Promise<boolean>
  /** Counts what waits in all vaults; `null` when vaults are not in this process. */
  stats(): VaultStats | null
  /** Whether vaults and requests share one process, so that a request may wait for another's I/O. */
  inProcess: boolean
  /** Counts the transactions of vaults; `null` when vaults are not in this process. */
  transactions: TransactionCounters | null
}

/**
 * Sends calls to one vault. The answers are in the order of the calls.
 *
 * @param isGone Whether no client waits for the answers. Calls are then answered with {@link GONE}, as long as their
 *   transaction has not begun.
 */
export type Execute = (calls: Call[], isGone?: () => boolean) => Promise<Answer[]>

/** The answer to a call that no client waits for. */
export const GONE: Answer = { ok: false, index: null, quota: null, reason: 'gone' }

/** One vault, as routes call it. */
export class VaultHandle {
  readonly #execute: Execute
  readonly #queues: Map<string, Promise<unknown>> | null
  readonly #isGone: (() => boolean) | undefined

  /**
   * @param shares Whether requests may wait for each other, which Workers do not allow; or the handle whose turns to share.
   * @param isGone Whether the client of the one request that this handle is for has gone.
   */
  constructor(execute: Execute, shares: boolean | VaultHandle, isGone?: () => boolean) {
    this.#execute = execute
    this.#queues = shares instanceof VaultHandle ? shares.#queues : shares ? new Map() : null
    this.#isGone = isGone
  }

  /** Returns a handle of the same vault whose calls run inside `wait`, to time them. */
  around(wait: (work: () => Promise<Answer[]>) => Promise<Answer[]>): VaultHandle {
    return new VaultHandle((calls, isGone) => wait(() => this.#execute(calls, isGone)), this, this.#isGone)
  }

  /** Returns a handle of the same vault for one request, whose calls are dropped once its client has gone. */
  forClient(isGone: () => boolean): VaultHandle {
    return new VaultHandle(this.#execute, this, isGone)
  }

  /** Whether the client of the request has gone. Always false without a request. */
  get isAbandoned(): boolean {
    return this.#isGone?.() === true
  }

  /** Runs work one at a time for each key, within this process. */
  async inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.#queues === null) return work()
    const turn = (this.#queues.get(key) ?? Promise.resolve()).then(work, work)
    const settled = turn.catch(() => {})
    this.#queues.set(key, settled)
    try {
      return await turn
    } finally {
      if (this.#queues.get(key) === settled) this.#queues.delete(key)
    }
  }

  /**
   * Calls one operation.
   *
   * @throws {PosternError} the vault's refusal; `unavailable` when the vault cannot be reached.
   */
  async call<K extends OperationName>(operation: K, caller: Caller, input: Input<K>): Promise<Granted<Output<K>>> {
    const [answer] = await this.#execute([{ operation, caller, input }], this.#isGoneFor(operation))
    return unwrap(answer as Answer<Output<K>>)
  }

  /**
   * Calls one operation for many inputs at once. Each has its own answer and its own entry in the log.
   *
   * @throws {PosternError} `unauthenticated` or, after many such refusals, `throttled`, for all inputs; `unavailable`.
   */
  async callAll<K extends OperationName>(
    operation: K,
    caller: Caller,
    inputs: Input<K>[],
  ): Promise<Answer<Output<K>>[]> {
    if (inputs.length === 0) return []
    const calls = inputs.map((input) => ({ operation, caller, input }))
    const answers = await this.#execute(calls, this.#isGoneFor(operation))
    const refused = answers.filter((answer) => !answer.ok)
    if (refused.some(({ reason }) => reason === 'unauthenticated')) throw refusal('unauthenticated')
    // The limit is on the source of unauthenticated calls, so it concerns all inputs.
    for (const answer of refused) if (answer.quota?.name === 'refusals') throw refusalOf(answer)
    return answers as Answer<Output<K>>[]
  }

  /** An outcome is recorded for a client that has gone, too: what it reports was done. */
  #isGoneFor(name: OperationName): (() => boolean) | undefined {
    const { continuation } = OPERATIONS[name] as Operation<unknown, unknown>
    return continuation ? undefined : this.#isGone
  }
}

/** Answers for a vault that does not exist, as a vault answers strangers. A ticket learns that there are no principals. */
export function answersWithoutVault(calls: readonly Call[]): Answer[] {
  return calls.map(({ caller: { credential } }) => {
    const reason = credential?.kind === 'ticket' ? 'has_no_principals' : 'unauthenticated'
    return { ok: false, index: null, quota: null, reason }
  })
}
