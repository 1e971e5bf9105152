import { type Bytes, equal, parseUtf8, utf8 } from '../core/bytes.ts'
import type { Replica } from '../core/providers/failover.ts'
import { type ProvidedSecret, ProviderFailure } from '../core/providers/provider.ts'
import { canonicalDocument } from '../core/providers/shape.ts'
import { Redacted } from '../core/redacted.ts'
import type { Desk } from './upkeep.ts'

/**
 * Asks one place of a secret, within the time of an attempt; not at all while its provider rests.
 *
 * @throws {ProviderFailure}
 * @throws {BrokenCircuitError} when its breaker is open; nothing was sent.
 */
export function askReplica<T>(
  { settings }: Pick<Desk, 'settings'>,
  { upstream, name }: Replica,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (upstream.rest(Date.now(), name) !== null) throw new ProviderFailure('unavailable')
  return upstream.ask((_, signal) => work(signal), settings.providers.attemptMs, name)
}

/** A value, as far as it is compared. */
type Compared = Pick<ProvidedSecret, 'value' | 'encoding' | 'isFields'>

/** Whether two places have one value. */
export function isSame(one: Compared, other: Compared): boolean {
  const [a, b] = comparable(one, other)
  return one.encoding === other.encoding && equal(a.reveal(), b.reveal())
}

/** Two values as they are compared: a store that keeps fields writes a document in its own way, so both in one. */
export function comparable(one: Compared, other: Compared): [Redacted<Bytes>, Redacted<Bytes>] {
  return one.isFields || other.isFields ? [canonical(one), canonical(other)] : [one.value, other.value]
}

function canonical({ value }: Compared): Redacted<Bytes> {
  const text = canonicalDocument(parseUtf8(value.reveal()))
  return text === null ? value : new Redacted(utf8(text))
}
