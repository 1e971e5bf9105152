/**
 * Changes to secrets that a provider keeps: made at the primary, once, and recorded before and after.
 *
 * @module
 */

import { refusal } from '../../core/errors.ts'
import type { Upstreams } from '../../core/provider_registry/registry.ts'
import type { Replica } from '../../core/providers/failover.ts'
import { isBroken } from '../../core/providers/guarded_provider.ts'
import { type Provider, ProviderFailure } from '../../core/providers/provider.ts'
import { deadlineMsOf, type Settings } from '../../core/settings/settings.ts'
import type { Effect } from '../../core/vault/chains/replication_store.ts'
import type { ProvidedWrite, WriteReport } from '../../core/vault/chains/write_operations.ts'
import type { Granted } from '../../core/vault/rpc.ts'
import type { Asking } from './read.ts'

/** A change that the vault permitted. */
export interface Change {
  name: string
  effect: Effect
  plan: ProvidedWrite
  replace?: WriteReport['replace']
  idempotency?: WriteReport['idempotency'] | undefined
  /** Whether nobody waits for it any more: then it is not sent, since it could undo what was done since. */
  isLate(): boolean
  /** Makes it. @returns The version, when there is one. */
  make(provider: Provider, name: string, signal: AbortSignal): Promise<string | null>
}

/**
 * Makes a change at the primary, and records what came of it. It never goes to another provider, and is never tried
 * twice: where it was made is where it counts.
 *
 * @throws {PosternError}
 */
export async function changeProvided(
  asking: Asking,
  { settings, upstreams }: { settings: Settings; upstreams: Upstreams },
  change: Change,
): Promise<Granted<{ at: number; version: string | null }>> {
  const { name, effect, plan, replace, idempotency } = change
  const [primary] = upstreams.replicas(asking.vault, plan.chain, name)
  const outcome = await attempt(primary!, change, deadlineMsOf(settings))
  const report = { name, chain: plan.chain.id, provider: primary!.upstream.id, effect, outcome }
  const full = { ...report, ...(replace && { replace }), ...(idempotency && { idempotency }) }
  const granted = await asking.handle.call('secret.relayed', asking.caller, full)
  if (!('version' in outcome)) throw refusal('provider_unavailable')
  return { ...granted, value: { ...granted.value, version: outcome.version } }
}

async function attempt(
  { upstream, name }: Replica,
  change: Change,
  timeoutMs: number,
): Promise<WriteReport['outcome']> {
  if (change.isLate()) return { failure: 'timeout', sent: false }
  if (upstream.rest(Date.now(), name) !== null) return { failure: 'unavailable', sent: false }
  try {
    return { version: await upstream.ask((provider, signal) => change.make(provider, name, signal), timeoutMs, name) }
  } catch (error) {
    if (error instanceof ProviderFailure)
      return { failure: error.isUnread ? 'unavailable' : error.kind, sent: error.kind !== 'foreign_shape' }
    if (isBroken(error)) return { failure: 'unavailable', sent: false }
    throw error
  }
}
