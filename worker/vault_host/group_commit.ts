/**
 * Group commit: calls that arrive while a vault is busy share its next transaction.
 *
 * @module
 */

import { refusal } from '../../core/errors.ts'
import type { Answer, Call } from '../../core/vault/rpc.ts'
import type { Vault } from '../../core/vault/vault.ts'
import { type Execute, GONE } from './host.ts'

/** The most calls that wait for one vault. Further calls are refused, so that the queue does not grow without limit. */
const MAX_WAITING = 10_000
/** The most calls in one transaction, so that the first does not wait long for the last. */
const MAX_BATCH = 500

/**
 * Joins calls that arrive while the process is busy into one transaction, so that one wait for the disk serves them all.
 *
 * Used beside the vault: in the process, or in its Durable Object, where a transaction costs ten times a call. Not in the
 * Worker in front, where a request must not wait for the I/O of another.
 *
 * @param onWrite Is called after each transaction with the calls that it answered and its duration in milliseconds.
 * @param later Runs work after the requests that have arrived are read.
 */
export function groupCommit(
  vault: Vault,
  onWrite: (calls: readonly Call[], ms: number) => void = () => {},
  later: (work: () => void) => void = setImmediate,
): Execute {
  let waiting: WaitingCall[] = []

  function flush(): void {
    const batch = waiting.slice(0, MAX_BATCH).filter(isAwaited)
    const calls = batch.map(({ call }) => call)
    const start = performance.now()
    const answers = calls.length === 0 ? [] : vault.execute(calls, Date.now())
    const ms = performance.now() - start
    waiting = [...batch.slice(answers.length), ...waiting.slice(MAX_BATCH)]
    // The rest waits until the sockets are read again.
    if (waiting.length > 0) later(flush)
    answers.forEach((answer, i) => {
      batch[i]!.settle(answer)
    })
    // Last, so that no answer waits if it throws.
    if (answers.length > 0) onWrite(calls.slice(0, answers.length), ms)
  }

  return (calls, isGone) => {
    if (waiting.length + calls.length > MAX_WAITING) {
      return Promise.reject(refusal('overloaded', { retryAfterSeconds: 1 }))
    }
    // Not a microtask, which would run before the requests that could join are read from their sockets.
    if (waiting.length === 0) later(flush)
    return Promise.all(calls.map((call) => new Promise<Answer>((settle) => waiting.push({ call, settle, isGone }))))
  }
}

interface WaitingCall {
  call: Call
  settle: (answer: Answer) => void
  isGone: (() => boolean) | undefined
}

/**
 * Whether a client still waits for the answer to a call. Otherwise the call is refused before the transaction: a write
 * would be done without its answer, and a read recorded as released that never arrives.
 *
 * Asked here rather than when the call arrives: Bun aborts a request when another follows it in one packet, but only once
 * the microtasks of the first have run (oven-sh/bun#38128).
 */
function isAwaited({ isGone, settle }: WaitingCall): boolean {
  if (isGone?.() !== true) return true
  settle(GONE)
  return false
}
