/**
 * Writes that are known by their Idempotency-Key: those that were done, and those that were sent to a provider.
 *
 * @module
 */

import { DAY_MS } from '../../durations.ts'
import type { OperationContext } from '../operation.ts'
import type { Idempotency, Replay } from './store.ts'

/** How long a write is remembered by its idempotency key. */
export const IDEMPOTENCY_MS = DAY_MS

/** The write that a principal made with an idempotency key before, if it did. */
export function replayOf(context: OperationContext, idempotency: Idempotency | undefined): Replay | null {
  const replay = rememberedOf(context, idempotency)
  return replay === null || isBegun(replay) ? null : replay
}

function rememberedOf(
  { secrets, principal, now }: OperationContext,
  idempotency: Idempotency | undefined,
): Replay | null {
  return idempotency === undefined ? null : secrets.replay(principal, idempotency.key, now - IDEMPOTENCY_MS)
}

/** Whether a write is only known to have been sent to a provider. */
function isBegun({ number, provided }: Replay): boolean {
  return number === 0 && provided === null
}

/**
 * Stores that a write is about to be sent to a provider, with its fingerprint. The idempotency key at the provider
 * derives from a root key, so it must stay the same when the write is repeated under a new one.
 *
 * @returns The fingerprint of the first attempt.
 */
export function noteBegun(
  context: OperationContext,
  name: string,
  idempotency: Idempotency | undefined,
): string | null {
  if (idempotency === undefined) return null
  const { secrets, principal, now } = context
  const before = rememberedOf(context, idempotency)
  const fingerprint = before !== null && isSame(before, idempotency) ? before.fingerprint : idempotency.fingerprint
  const replay = { fingerprint, name, number: 0, provided: null }
  secrets.remember(principal, idempotency.key, replay, now, now - IDEMPOTENCY_MS)
  return fingerprint
}

/** Whether a write is a repeat of the one that is remembered. */
export function isSame(replay: Replay, idempotency: Idempotency | undefined): boolean {
  const { fingerprint, former = [] } = idempotency!
  return [fingerprint, ...former].includes(replay.fingerprint)
}
