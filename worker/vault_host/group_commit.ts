/**
 * Group commit: calls that arrive while a vault is busy share its next transaction.
 *
 * @module
 */

import { refusal } from '../../core/errors.ts'
import type { Answer, Call } from '../../core/vault/rpc.ts'
import type { Vault } from '../../core/vault/vault.ts'
import type { Execute } from './host.ts'

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
