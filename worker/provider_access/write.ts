/**
 * Changes secrets that a provider keeps. A change is recorded before it is sent to the primary, and again with its
 * outcome.
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
import type { VaultRequest } from './read.ts'

/** A change that the vault permitted. */
export interface ProviderChange {
  name: string
  effect: Effect
  plan: ProvidedWrite
  replace?: WriteReport['replace']
  idempotency?: WriteReport['idempotency'] | undefined
  /** Whether the deadline has passed: a change sent then could undo a newer one. */
  isLate(): boolean
  /** Makes the change. @returns The new version; `null` for a deletion. */
  make(provider: Provider, name: string, signal: AbortSignal): Promise<string | null>
}

/**
 * Makes a change at the primary, and records the outcome. A change never fails over and is never retried: only the
 * primary's copy counts.
 *
 * @throws {PosternError} `unavailable` when the primary does not answer; the vault's refusal, when the outcome is one.
 */
export async function changeAtProvider(
  request: VaultRequest,
  { settings, upstreams }: { settings: Settings; upstreams: Upstreams },
  change: ProviderChange,
): Promise<Granted<{ at: number; version: string | null }>> {
  const { name, effect, plan, replace, idempotency } = change
  const [primary] = upstreams.replicas(request.vault, plan.chain, name)
  const outcome = await attempt(primary!, change, deadlineMsOf(settings))
  const report = { name, chain: plan.chain.id, provider: primary!.upstream.id, effect, outcome }
  const full = { ...report, ...(replace && { replace }), ...(idempotency && { idempotency }) }
  const granted = await request.handle.call('secret.relayed', request.caller, full)
  if (!('version' in outcome)) throw refusal('provider_unavailable')
  return { ...granted, value: { ...granted.value, version: outcome.version } }
}

async function attempt(
  { upstream, name }: Replica,
  change: ProviderChange,
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
