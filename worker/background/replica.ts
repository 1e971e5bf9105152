/**
 * One place of a secret, and comparing two.
 *
 * @module
 */
import { type Bytes, equal, parseUtf8, utf8 } from '../../core/bytes.ts'
import type { ResolvedMember } from '../../core/providers/failover.ts'
import { ProviderFailure, type ProviderSecret } from '../../core/providers/provider.ts'
import { canonicalDocument, documentTokens } from '../../core/providers/shape.ts'
import { Redacted } from '../../core/redacted.ts'
import type { VaultServices } from '../vault_services.ts'

/**
 * Calls the provider of one replica, within the time of an attempt; not at all while its breaker is open.
 *
 * @throws {ProviderFailure}
 * @throws {BrokenCircuitError} when its breaker is open; nothing was sent.
 */
export function askReplica<T>(
  { settings }: Pick<VaultServices, 'settings'>,
  { guarded, name }: ResolvedMember,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (guarded.rest(Date.now(), name) !== null) throw new ProviderFailure('unavailable')
  return guarded.ask((_, signal) => work(signal), settings.providers.attemptMs, name)
}

/** The parts of a value that are compared. */
type Compared = Pick<ProviderSecret, 'value' | 'encoding' | 'isFields'>

/** Whether two places have the same value. */
export function isSame(one: Compared, other: Compared): boolean {
  const [a, b] = comparable(one, other)
  return one.encoding === other.encoding && equal(a.reveal(), b.reveal())
}

/**
 * Whether a replica has the primary's value, digit for digit, and its content type if both keep one. What differs is
 * copied once for each write, so a store that rounds numbers is not written to forever.
 */
export function isCopy(wanted: ProviderSecret, present: ProviderSecret): boolean {
  if (wanted.isFields || present.isFields) return isSameDocument(wanted, present)
  const isTyped = wanted.contentType !== null && present.contentType !== null
  return isSame(wanted, present) && (!isTyped || wanted.contentType === present.contentType)
}

function isSameDocument(one: Compared, other: Compared): boolean {
  const [a, b] = [one, other].map(({ value }) => documentTokens(parseUtf8(value.reveal())))
  return a && b ? a.length === b.length && a.every((token, i) => token === b[i]) : isSame(one, other)
}

/** Two values in a form that can be compared: a store of fields formats a document in its own way, so both are made canonical. */
export function comparable(one: Compared, other: Compared): [Redacted<Bytes>, Redacted<Bytes>] {
  return one.isFields || other.isFields ? [canonical(one), canonical(other)] : [one.value, other.value]
}

function canonical({ value }: Compared): Redacted<Bytes> {
  const text = canonicalDocument(parseUtf8(value.reveal()))
  return text === null ? value : new Redacted(utf8(text))
}
