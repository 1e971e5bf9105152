import { equal } from '../core/bytes.ts'
import type { Replica } from '../core/providers/failover.ts'
import { type ProvidedSecret, ProviderFailure } from '../core/providers/provider.ts'
import type { Desk } from './upkeep.ts'

/**
 * Asks one place of a secret, within the time of an attempt; not at all while its provider rests.
 *
 * @throws {ProviderFailure}
 * @throws {BrokenCircuitError} when its breaker is open; nothing was sent.
 */
export function askReplica<T>(
  { settings }: Pick<Desk, 'settings'>,
  { upstream }: Replica,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (upstream.rest(Date.now()) !== null) throw new ProviderFailure('unavailable')
  return upstream.ask((_, signal) => work(signal), settings.providers.attemptMs)
}

/** Whether two places have one value. */
export function isSame(
  one: Pick<ProvidedSecret, 'value' | 'encoding'>,
  other: Pick<ProvidedSecret, 'value' | 'encoding'>,
): boolean {
  return one.encoding === other.encoding && equal(one.value.reveal(), other.value.reveal())
}
