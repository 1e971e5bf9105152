/**
 * From a vault's id to the vault: in this process, or in its Durable Object.
 *
 * Routes see neither; they call a {@link VaultHandle}.
 *
 * @module
 */

import { refusal } from '../../core/errors.ts'
import type { Input, OperationName, Output } from '../../core/vault/operation_table.ts'
import type { Answer, Call, Caller, Granted } from '../../core/vault/rpc.ts'
import { refusalOf, unwrap } from '../../core/vault/rpc.ts'
import type { VaultStats } from '../../core/vault/stats.ts'
import type { TransactionCounters } from '../telemetry/counters.ts'

/** Where vaults are. */
export interface Host {
  /** The handle of a vault. `create` lets the vault come into being: only for a bootstrap ticket. */
  vault(id: string, create: boolean): Promise<VaultHandle>
  /** Whether storage can be reached. */
  ready(): Promise<boolean>
  /** What waits in all vaults; `null` where they are not in this process, and nobody knows them all. */
  gauges(): VaultStats | null
  /** Whether vaults and requests share one process, and may wait for each other. */
  inProcess: boolean
  /** What is counted of their transactions; `null` where they are not in this process. */
  transactions: TransactionCounters | null
}

/** Sends calls to one vault; the answers come in the same order. */
export type Execute = (calls: Call[]) => Promise<Answer[]>

/** One vault, as routes use it. */
export class VaultHandle {
  readonly #execute: Execute
  readonly #queues: Map<string, Promise<unknown>> | null

  /** @param shares Whether requests may wait for each other: not on Workers. Or the handle that they share turns with. */
  constructor(execute: Execute, shares: boolean | VaultHandle) {
    this.#execute = execute
    this.#queues = shares instanceof VaultHandle ? shares.#queues : shares ? new Map() : null
  }

  /** The same vault, each question to it asked within `wait`: to see how long it takes. */
  around(wait: (work: () => Promise<Answer[]>) => Promise<Answer[]>): VaultHandle {
    return new VaultHandle((calls) => wait(() => this.#execute(calls)), this)
  }

  /** Does things of one key one after another, as far as they are asked for in this process. */
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
   * Asks one thing.
   *
   * @throws {PosternError} the vault's refusal, or `unavailable` when it cannot be asked.
   */
  async call<K extends OperationName>(operation: K, caller: Caller, input: Input<K>): Promise<Granted<Output<K>>> {
    const [answer] = await this.#execute([{ operation, caller, input }])
    return unwrap(answer as Answer<Output<K>>)
  }

  /**
   * Asks many things of one kind at once. Each has its own answer, and its own entry in the log.
   *
   * @throws {PosternError} `unauthenticated` or, after many such refusals, `throttled`, for all of them; or `unavailable`.
   */
  async callAll<K extends OperationName>(
    operation: K,
    caller: Caller,
    inputs: Input<K>[],
  ): Promise<Answer<Output<K>>[]> {
    if (inputs.length === 0) return []
    const answers = await this.#execute(inputs.map((input) => ({ operation, caller, input })))
    const refused = answers.filter((answer) => !answer.ok)
    if (refused.some(({ reason }) => reason === 'unauthenticated')) throw refusal('unauthenticated')
    // The caller was not identified, and its source is limited for that: no single item is.
    for (const answer of refused) if (answer.quota?.name === 'refusals') throw refusalOf(answer)
    return answers as Answer<Output<K>>[]
  }
}

/** How a vault that is not there answers: as one does to strangers. The operator is told what there is. */
export function answerOfNone(calls: readonly Call[]): Answer[] {
  return calls.map(({ caller: { credential } }) => {
    const reason = credential?.kind === 'ticket' ? 'has_no_principals' : 'unauthenticated'
    return { ok: false, index: null, quota: null, reason }
  })
}
