/**
 * From a vault's id to the vault: in this process, or in its Durable Object.
 *
 * Routes see neither; they call a {@link VaultHandle}.
 *
 * @module
 */

import type { Answer, Call, Caller, Granted } from '../core/call.ts'
import { refusalOf, unwrap } from '../core/call.ts'
import { PosternError, refusal } from '../core/errors.ts'
import type { Gauges } from '../core/gauges.ts'
import type { Input, OperationName, Output } from '../core/operations.ts'
import type { Vault } from '../core/vault.ts'
import { Transactions } from './meters.ts'
import type { Opened } from './opening.ts'

/** Where vaults are. */
export interface Host {
  /** The handle of a vault. `create` lets the vault come into being: only for a bootstrap ticket. */
  vault(id: string, create: boolean): Promise<VaultHandle>
  /** Whether storage can be reached. */
  ready(): Promise<boolean>
  /** What waits in all vaults; `null` where they are not in this process, and nobody knows them all. */
  gauges(): Gauges | null
  /** Whether vaults and requests share one process, and may wait for each other. */
  inProcess: boolean
  /** What is counted of their transactions; `null` where they are not in this process. */
  transactions: Transactions | null
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

/** The most calls that wait for one vault. More are refused: a queue that only grows helps nobody. */
const MAX_WAITING = 10_000
/** The most calls in one transaction, so that the first does not wait long for the last. */
const MAX_BATCH = 500

/**
 * Joins the calls that arrive while the process is busy into one transaction: group commit. One
 * wait for the disk then serves them all.
 *
 * Where the vault is: in the process, or in its Durable Object, whose transactions cost ten times what a call does. Not
 * in the Worker in front of that, where a request must not wait for the I/O of another.
 *
 * @param onWrite Told after each transaction, of the calls that were answered in it and of how long it took, in milliseconds.
 * @param later Does something once the requests that are there were read.
 */
export function groupCommit(
  vault: Vault,
  onWrite: (calls: readonly Call[], ms: number) => void = () => {},
  later: (work: () => void) => void = setImmediate,
): Execute {
  let waiting: { call: Call; settle: (answer: Answer) => void }[] = []

  function flush(): void {
    const batch = waiting.slice(0, MAX_BATCH)
    const calls = batch.map(({ call }) => call)
    const start = performance.now()
    const answers = vault.execute(calls, Date.now())
    const ms = performance.now() - start
    waiting = waiting.slice(answers.length)
    // The rest goes after the next look at the sockets.
    if (waiting.length > 0) later(flush)
    answers.forEach((answer, i) => {
      batch[i]!.settle(answer)
    })
    // Last: whatever becomes of it, nobody must go on waiting for an answer that is there.
    onWrite(calls.slice(0, answers.length), ms)
  }

  return (calls) => {
    if (waiting.length + calls.length > MAX_WAITING) {
      return Promise.reject(refusal('overloaded', { retryAfterSeconds: 1 }))
    }
    // Not a microtask: that would run before the sockets are read for the requests to join.
    if (waiting.length === 0) later(flush)
    return Promise.all(calls.map((call) => new Promise<Answer>((settle) => waiting.push({ call, settle }))))
  }
}

/**
 * Vaults in this process.
 *
 * @param open Resolves to `null` for one that does not exist and may not be made.
 * @param ready Whether storage can be written now.
 * @param gauges What waits in all of them.
 */
export function localHost(
  open: (id: string, create: boolean) => Promise<Opened | null>,
  ready: () => boolean,
  gauges: () => Gauges | null = () => null,
): Host {
  const handles = new Map<string, VaultHandle>()
  const transactions = new Transactions()

  function handleOf({ vault, upkeep }: Opened): VaultHandle {
    return new VaultHandle(
      groupCommit(vault, (calls, ms) => {
        transactions.note(calls.length, ms)
        upkeep.stir(Date.now(), calls)
      }),
      true,
    )
  }

  return {
    async vault(id, create) {
      const known = handles.get(id)
      if (known) return known
      const opened = await open(id, create)
      // Not told apart from one that does not know the caller.
      if (opened === null) return new VaultHandle(knowsNobody, true)
      // Another request may have come as far meanwhile: one handle a vault, or two would not join their calls.
      const handle = handles.get(id) ?? handleOf(opened)
      handles.set(id, handle)
      return handle
    },
    ready: async () => ready(),
    gauges,
    inProcess: true,
    transactions,
  }
}

const knowsNobody: Execute = async (calls) => answerOfNone(calls)

/** How a vault that is not there answers: as one does to strangers. The operator is told what there is. */
export function answerOfNone(calls: readonly Call[]): Answer[] {
  return calls.map(({ caller: { credential } }) => {
    const reason = credential?.kind === 'ticket' ? 'has_no_principals' : 'unauthenticated'
    return { ok: false, index: null, quota: null, reason }
  })
}

/** A vault's Durable Object, as far as it is called. */
export interface VaultStub {
  execute(calls: Call[]): Promise<Answer[]>
}

/** Vaults in Durable Objects, one each. */
export function durableHost(stubOf: (id: string) => VaultStub): Host {
  return {
    async vault(id) {
      return new VaultHandle(async (calls) => {
        try {
          const answers: Answer[] = []
          while (answers.length < calls.length) {
            answers.push(...(await stubOf(id).execute(calls.slice(answers.length))))
          }
          return answers
        } catch {
          // Overload, a restart or a broken object; the error itself may carry anything.
          throw new PosternError('unavailable', 'Vault cannot be reached now', { retryAfterSeconds: 1 })
        }
      }, false)
    },
    // Each vault is an object of its own; there is none that stands for all.
    ready: async () => true,
    gauges: () => null,
    inProcess: false,
    transactions: null,
  }
}
