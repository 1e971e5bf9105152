/**
 * Vaults in Durable Objects, one each.
 *
 * @module
 */

import { PosternError, refusal } from '../../core/errors.ts'
import { REPEATABLE } from '../../core/vault/operation_table.ts'
import type { Answer, Call } from '../../core/vault/rpc.ts'
import { logLine } from '../telemetry/log.ts'
import { GONE, type Host, VaultHandle } from './host.ts'

/** The methods of a vault's Durable Object that the Worker calls. */
export interface VaultStub {
  execute(calls: Call[]): Promise<Answer[]>
}

const RETRY_SOON = { retryAfterSeconds: 1 }

/** Makes a host of vaults in Durable Objects, one each. */
export function durableHost(stubOf: (id: string) => VaultStub): Host {
  return {
    async vault(id) {
      return new VaultHandle(async (calls, isGone) => {
        if (isGone?.()) return calls.map(() => GONE)
        const answers: Answer[] = []
        while (answers.length < calls.length) {
          answers.push(...(await executed(id, () => stubOf(id), calls.slice(answers.length))))
        }
        return answers
      }, false)
    },
    // Each vault is an object of its own; no object represents all.
    ready: async () => true,
    stats: () => null,
    inProcess: false,
    transactions: null,
  }
}

/**
 * Executes calls in a vault's object. An object is reset by a deployment, a move or a limit, and a stub that has thrown
 * throws for ever, so calls that change nothing are sent once more, by a new stub.
 *
 * @throws {PosternError} `unavailable`: with reason `write_unknown` for calls that may have been carried out, and
 *   `overloaded` for an object that has too much to do, which another call would only make worse.
 */
async function executed(vault: string, stub: () => VaultStub, calls: Call[]): Promise<Answer[]> {
  try {
    return await stub().execute(calls)
  } catch (error) {
    const { overloaded, isFault } = noteReset(error, vault, calls)
    if (overloaded) throw refusal('overloaded', RETRY_SOON)
    if (!calls.every(isRepeatable)) throw new PosternError('unavailable', INTERRUPTED, INTERRUPTION)
    if (isFault) throw unreachable()
    return executedAgain(vault, stub, calls)
  }
}

const INTERRUPTED =
  'The vault was interrupted. The change may have been made. Repeat the request with the same Idempotency-Key, or read the state first'
const INTERRUPTION = { reason: 'write_unknown', ...RETRY_SOON } as const

async function executedAgain(vault: string, stub: () => VaultStub, calls: Call[]): Promise<Answer[]> {
  let answers: Answer[]
  try {
    answers = await stub().execute(calls)
  } catch (error) {
    throw noteReset(error, vault, calls).overloaded ? refusal('overloaded', RETRY_SOON) : unreachable()
  }
  // The first call may have used up its proof: the caller is not a replay.
  if (answers.some((answer, i) => isReplayOfProof(answer, calls[i]!))) throw unreachable()
  return answers
}

/** An approval is good for one request, and the vault may have used it up. */
function isRepeatable({ operation, caller: { approval } }: Call): boolean {
  return REPEATABLE.has(operation) && approval === undefined
}

function isReplayOfProof(answer: Answer, { caller }: Call): boolean {
  return caller.proof !== null && !answer.ok && answer.reason === 'unauthenticated'
}

function unreachable(): PosternError {
  return new PosternError('unavailable', 'Vault cannot be reached now', RETRY_SOON)
}

/**
 * Logs that an object did not answer, by the properties that Cloudflare documents. The error itself may quote anything,
 * so it is dropped.
 *
 * @returns `isFault` for an error of our own code in the object, which would only repeat.
 */
function noteReset(error: unknown, vault: string, calls: readonly Call[]): { overloaded: boolean; isFault: boolean } {
  const is = (property: string) => typeof error === 'object' && error !== null && Reflect.get(error, property) === true
  const [overloaded, retryable, remote] = [is('overloaded'), is('retryable'), is('remote')]
  const { operation = null, caller } = calls[0] ?? {}
  const requestId = caller?.requestId ?? null
  logLine('warn', 'vault_interrupted', { requestId, vault, operation, overloaded, retryable, remote })
  return { overloaded, isFault: remote && !retryable }
}
