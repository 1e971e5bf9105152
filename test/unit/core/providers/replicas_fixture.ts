/**
 * Two providers in memory, asked one after the other.
 *
 * @module
 */
import { vi } from 'vitest'
import { failover, type ResolvedMember } from '../../../../core/providers/failover.ts'
import { GuardedProvider } from '../../../../core/providers/guarded_provider.ts'
import { type MemoryProvider, memoryProvider } from '../../../support/memory_provider.ts'

export const times = { deadlineMs: 1000, attemptMs: 200, onNotFound: 'stop' } as const

export function replicaOf(id: string, memory: MemoryProvider): ResolvedMember {
  memory.set('n', id)
  return { guarded: new GuardedProvider(id, memory.provider, { recoveryMs: 1000 }), name: 'n' }
}

export function pair() {
  const [one, other] = [memoryProvider(), memoryProvider()]
  return { one, other, replicas: [replicaOf('one', one), replicaOf('other', other)] }
}

export const read = (replicas: ResolvedMember[], more: object = {}) =>
  failover(replicas, (provider, name, signal) => provider.get(name, { signal }), { ...times, ...more })

/** Reads until the timers have nothing to do any more. */
export async function settled<T>(promise: Promise<T>): Promise<T> {
  let done = false
  void promise.finally(() => {
    done = true
  })
  while (!done) await vi.advanceTimersByTimeAsync(10)
  return promise
}

export const providerOf = (reply: Awaited<ReturnType<typeof read>>) => reply.provider

export async function trip(replica: ResolvedMember): Promise<void> {
  for (let i = 0; i < 5; i++) await settled(read([replica]))
}
