/**
 * Vaults in this process.
 *
 * @module
 */
import type { VaultStats } from '../../core/vault/stats.ts'
import { TransactionCounters } from '../telemetry/counters.ts'
import { groupCommit } from './group_commit.ts'
import { answersWithoutVault, type Host, VaultHandle } from './host.ts'
import type { OpenVault } from './open_vault.ts'

/**
 * Makes a host of vaults in this process.
 *
 * @param open Opens a vault; `null` when it does not exist and may not be created.
 * @param ready Whether storage is writable now.
 * @param stats Counts what waits in all vaults.
 */
export function localHost(
  open: (id: string, create: boolean) => Promise<OpenVault | null>,
  ready: () => boolean,
  stats: () => VaultStats | null = () => null,
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
      // A stranger cannot tell a missing vault from one that does not know the caller.
      if (opened === null) return new VaultHandle(async (calls) => answersWithoutVault(calls), true)
      // Another request may have opened it meanwhile. Two handles would not join their calls.
      const handle = handles.get(id) ?? handleOf(opened)
      handles.set(id, handle)
      return handle
    },
    ready: async () => ready(),
    stats,
    inProcess: true,
    transactions,
  }
}
