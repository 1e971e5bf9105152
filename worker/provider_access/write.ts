/**
 * Changes secrets that a provider keeps. A change is recorded before it is sent to the primary, and again with its
 * outcome.
 *
 * @module
 */

import { PosternError, refusal } from '../../core/errors.ts'
import type { ProviderRegistry } from '../../core/provider_registry/registry.ts'
import type { ChainMember } from '../../core/providers/failover.ts'
import { isBreakerOpen } from '../../core/providers/guarded_provider.ts'
import { type Provider, ProviderFailure } from '../../core/providers/provider.ts'
import { deadlineMsOf, type Settings } from '../../core/settings/settings.ts'
import type { Effect } from '../../core/vault/chains/replication_store.ts'
import type { ProviderWrite, WriteReport } from '../../core/vault/chains/write_operations.ts'
import type { Granted } from '../../core/vault/rpc.ts'
import { unnamedError, type VaultRequest } from './read.ts'

/** A change that the vault permitted. */
export interface ProviderChange {
  name: string
  effect: Effect
  plan: ProviderWrite
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
  { settings, registry }: { settings: Settings; registry: ProviderRegistry },
  change: ProviderChange,
): Promise<Granted<{ at: number; version: string | null }>> {
  const { name, effect, plan, replace, idempotency } = change
  const members = registry.resolve(request.vault, plan.chain, name)
  const primary = members[0]!
  const provider = primary.guarded.id
  // Neither late nor for a client that has gone: such a change could undo a newer one.
  const isUnwanted = change.isLate() || request.handle.isAbandoned
  const { outcome, failure }: Attempted = isUnwanted
    ? { outcome: NOT_SENT }
    : await attempt(primary, change, deadlineMsOf(settings))
  const providers = members.flatMap((member) => (member.name === null ? [member.guarded.id] : []))
  const unnamed = { revision: plan.chain.revision, providers }
  const report = { name, chain: plan.chain.id, provider, effect, outcome, unnamed }
  const full = { ...report, ...(replace && { replace }), ...(idempotency && { idempotency }) }
  const granted = await request.handle.call('secret.relayed', request.caller, full).catch((error) => {
    if (primary.name !== null || !(error instanceof PosternError) || error.detail.reason !== 'provider_name')
      throw explained(error, failure)
    throw unnamedError(plan.chain, { provider, problem: primary.problem }, error.detail)
  })
  if (!('version' in outcome)) throw refusal('provider_unavailable')
  return { ...granted, value: { ...granted.value, version: outcome.version } }
}

const NOT_SENT = { failure: 'timeout', sent: false } as const

async function attempt({ guarded, name }: ChainMember, change: ProviderChange, timeoutMs: number): Promise<Attempted> {
  if (name === null) return { outcome: { failure: 'name', sent: false } }
  if (guarded.rest(Date.now(), name) !== null) return { outcome: { failure: 'unavailable', sent: false } }
  try {
    const make = guarded.ask((provider, signal) => change.make(provider, name, signal), timeoutMs, name)
    return { outcome: { version: await make } }
  } catch (error) {
    if (error instanceof ProviderFailure) {
      const { kind, isUnread } = error
      const outcome = { failure: isUnread ? 'unavailable' : kind, sent: kind !== 'foreign_shape' } as const
      return { outcome, failure: error }
    }
    if (isBreakerOpen(error)) return { outcome: { failure: 'unavailable', sent: false } }
    throw error
  }
}

interface Attempted {
  outcome: WriteReport['outcome']
  /** The failure of the provider. */
  failure?: ProviderFailure
}

/** Adds to a refusal which values the store takes. It is a property of the store, not of the secret. */
function explained(error: unknown, failure: ProviderFailure | undefined): unknown {
  if (!(error instanceof PosternError) || error.detail.reason !== 'provider_invalid') return error
  const { code, limitBytes = null } = failure ?? {}
  if (limitBytes !== null) {
    const message = `The provider of this secret keeps values of 1 to ${limitBytes} bytes`
    return new PosternError(error.code, message, { ...error.detail, limitBytes })
  }
  if (code !== 'Bytes') return error
  return new PosternError(
    error.code,
    'The provider of this secret keeps text and no bytes. Send it as text',
    error.detail,
  )
}
