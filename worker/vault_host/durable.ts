/**
 * Vaults in Durable Objects, one each.
 *
 * @module
 */

import { PosternError } from '../../core/errors.ts'
import type { Answer, Call } from '../../core/vault/rpc.ts'
import { type Host, VaultHandle } from './host.ts'

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
