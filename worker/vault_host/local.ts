/**
 * Vaults in this process.
 *
 * @module
 */
import type { VaultStats } from '../../core/vault/stats.ts'
import { TransactionCounters } from '../telemetry/counters.ts'
import { groupCommit } from './group_commit.ts'
import { answerOfNone, type Execute, type Host, VaultHandle } from './host.ts'
import type { OpenVault } from './open_vault.ts'

/**
 * Vaults in this process.
 *
 * @param open Resolves to `null` for one that does not exist and may not be made.
 * @param ready Whether storage can be written now.
 * @param gauges What waits in all of them.
 */
export function localHost(
  open: (id: string, create: boolean) => Promise<OpenVault | null>,
  ready: () => boolean,
  gauges: () => VaultStats | null = () => null,
): Host {
  const handles = new Map<string, VaultHandle>()
  const transactions = new TransactionCounters()

  function handleOf({ vault, scheduler }: OpenVault): VaultHandle {
    return new VaultHandle(
      groupCommit(vault, (calls, ms) => {
        transactions.note(calls.length, ms)
        scheduler.notifyWrite(Date.now(), calls)
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
