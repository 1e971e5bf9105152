/**
 * Vaults in Durable Objects, one each.
 *
 * @module
 */

import { PosternError } from '../../core/errors.ts'
import type { Answer, Call } from '../../core/vault/rpc.ts'
import { GONE, type Host, VaultHandle } from './host.ts'

/** The methods of a vault's Durable Object that the Worker calls. */
export interface VaultStub {
  execute(calls: Call[]): Promise<Answer[]>
}

/** Makes a host of vaults in Durable Objects, one each. */
export function durableHost(stubOf: (id: string) => VaultStub): Host {
  return {
    async vault(id) {
      return new VaultHandle(async (calls, isGone) => {
        if (isGone?.()) return calls.map(() => GONE)
        try {
          const answers: Answer[] = []
          while (answers.length < calls.length) {
            answers.push(...(await stubOf(id).execute(calls.slice(answers.length))))
          }
          return answers
        } catch {
          // Overload, a restart or a broken object. The error itself may quote anything, so it is dropped.
          throw new PosternError('unavailable', 'Vault cannot be reached now', { retryAfterSeconds: 1 })
        }
      }, false)
    },
    // Each vault is an object of its own; no object represents all.
    ready: async () => true,
    stats: () => null,
    inProcess: false,
    transactions: null,
  }
}
