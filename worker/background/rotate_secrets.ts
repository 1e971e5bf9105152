/**
 * The edge's half of rotation: it makes values, seals and opens them, and calls targets. The vault decides which step comes
 * next, and who has the lease for it: `core/vault/rotation/tasks.ts`.
 *
 * @module
 */

import { equal } from '../../core/bytes.ts'
import { dekCache } from '../../core/crypto/envelope.ts'
import { PosternError } from '../../core/errors.ts'
import { retryRaced } from '../../core/races.ts'
import {
  type Credential,
  generateOnly,
  type RotationTarget,
  TargetFailure,
  type TargetStep,
} from '../../core/rotation_targets/target.ts'
import { webhookTarget } from '../../core/rotation_targets/webhook.ts'
import { openVersion, sealValue } from '../../core/sealing/version.ts'
import { openWebhookSecret } from '../../core/sealing/webhook_secret.ts'
import { contentTypeOf, generate, underPolicy } from '../../core/values/generate.ts'
import type { OperationName } from '../../core/vault/operation_table.ts'
import type { RunFailure } from '../../core/vault/rotation/state_machine.ts'
import type { RotationLease } from '../../core/vault/rotation/tasks.ts'
import type { SealedVersion } from '../../core/vault/secrets/operations.ts'
import { toHooks } from '../outbound.ts'
import type { VaultServices } from '../vault_services.ts'
import { fitToDocument, type ProviderLease, providerTarget, readPresent } from './provider_targets.ts'
import type { Job } from './scheduler.ts'

/** How many secrets of a vault rotate at the same time. */
const CONCURRENCY = 4
/** The most attempts to seal a value after a write took its number. */
const MAX_RACES = 5

const WOKEN_BY: readonly OperationName[] = ['rotation.put', 'rotation.start', 'rotation.steer', 'secret.restore']

/** Starts rotations that are due, and continues those that have begun. */
export const rotateSecrets: Job = {
  name: 'rotation',
  afterWriteMs: null,
  triggeredBy: ({ operation }) => WOKEN_BY.includes(operation),
  async run(services) {
    for (;;) {
      const { due, ready, nextAt } = await services.perform('rotation.look', {})
      if (due.length === 0 && ready.length === 0) return nextAt
      for (const name of due) await services.perform('rotation.due', { name })
      for (let at = 0; at < ready.length; at += CONCURRENCY) {
        await Promise.all(ready.slice(at, at + CONCURRENCY).map((one) => runStep(services, one)))
      }
    }
  },
}

async function runStep(services: VaultServices, one: { name: string; run: number }): Promise<void> {
  const lease = await services.perform('rotation.claim', one)
  if (lease === null) return
  const { name, run, fence, step } = lease
  try {
    if (step === 'create') await createValue(services, lease)
    else {
      const about = await targetStep(services, lease)
      const target = await targetOf(services, lease)
      // The leaving value may equal the one that stays, after a rollback or if the target made it again: then it must not go.
      const stays = isStill(about.current, step === 'finish' ? about.previous : step === 'undo' ? about.pending : null)
      const version = stays ? null : await target[step](about)
      await services.perform('rotation.advance', { name, run, fence, step, ...(version !== null && { version }) })
    }
  } catch (error) {
    const failed = runFailureOf(error)
    if (failed !== null)
      await unlessSuperseded(() => services.perform('rotation.fail', { name, run, fence, step, ...failed }))
  }
  // The replicas of a provider's secret may be due now.
  if (isProvided(lease)) services.notifyWrite()
}

function isProvided(lease: RotationLease): lease is ProviderLease {
  return lease.provided !== null
}

/** Makes the next value, here or at the target, and stores it sealed under the next version number. */
async function createValue(services: VaultServices, lease: RotationLease): Promise<void> {
  const { name, run, fence } = lease
  const present = isProvided(lease) ? await readPresent(services, lease) : null
  const made = await madeFor(services, lease)
  const { value, contentType, encoding } =
    isProvided(lease) && present !== null ? fitToDocument(lease, present, made) : made
  await retryRaced(MAX_RACES, async (races) => {
    const next =
      races === 0 ? { number: lease.nextNumber, under: lease.under } : await services.perform('rotation.next', { name })
    const { number, under } = next
    const place = { vault: services.vault, name, version: number, contentType, encoding }
    const sealed = await sealValue(services.keyring, value, place, under)
    const about = { contentType, encoding, expects: present?.version }
    await services.perform('rotation.create', { name, run, fence, number, ...sealed, ...about })
  })
}

/**
 * The value of the next version. The value policy applies only to a generated value. A restored value, and one that the
 * target made, is what the target has by then: its strength is neither tested nor logged, since more people read the log
 * than may read the value.
 */
async function madeFor(services: VaultServices, lease: RotationLease): Promise<Omit<Credential, 'version'>> {
  const given =
    lease.restores !== null
      ? await opened(services, lease.restores)
      : await (await targetOf(services, lease)).create(await targetStep(services, lease))
  if (given !== null) return given
  const recipe = underPolicy(lease.config.generate, lease.strength)
  return { value: await generate(recipe), encoding: 'utf8', contentType: contentTypeOf(recipe) }
}

/** The target of a run. */
async function targetOf(services: VaultServices, lease: RotationLease): Promise<RotationTarget> {
  if (isProvided(lease)) return providerTarget(services, lease)
  const { vault, keyring } = services
  const { config, hook } = lease
  if (config.target.kind !== 'webhook') return generateOnly
  if (hook === null) throw new TargetFailure('unreachable')
  const secret = await openWebhookSecret(keyring, vault, hook)
  return webhookTarget({ url: hook.url, secret }, toHooks(services))
}

async function targetStep(services: VaultServices, lease: RotationLease): Promise<TargetStep> {
  const { name, run, fence, number: version, pending, current, previous } = lease
  const [one, two, three] = await Promise.all(
    [pending, current, previous].map((sealed) => (sealed === null ? null : opened(services, sealed))),
  )
  return { vault: services.vault, name, run, fence, version, pending: one!, current: two!, previous: three! }
}

async function opened({ vault, keyring }: VaultServices, sealed: SealedVersion): Promise<Credential> {
  // Opened once, so a cache of keys would be of no use.
  const value = await openVersion(keyring, dekCache(1), vault, sealed)
  if (typeof value === 'string') throw new TargetFailure('cannot_open')
  const { version, encoding, contentType } = sealed
  return { version, value, encoding, contentType }
}

/** Whether two versions have the same value. */
function isStill(current: Credential | null, leaving: Credential | null): boolean {
  return current !== null && leaving !== null && equal(current.value.reveal(), leaving.value.reveal())
}

/** Why a step failed; `null` when its lease was over, which is not reported. Throws unforeseen errors on. */
function runFailureOf(error: unknown): { failure: RunFailure; code?: string } | null {
  if (error instanceof TargetFailure)
    return { failure: error.failure, ...(error.code !== null && { code: error.code }) }
  if (!(error instanceof PosternError)) throw error
  if (error.detail.reason === 'superseded') return null
  if (error.code === 'tampered' || error.detail.reason === 'no_key') return { failure: 'cannot_open' }
  // The recipe cannot make a value that the policy accepts.
  if (error.code === 'bad_request') return { failure: 'cannot_generate' }
  throw error
}

/** Reports a failure, unless its lease is over. */
async function unlessSuperseded(say: () => Promise<unknown>): Promise<void> {
  try {
    await say()
  } catch (error) {
    if (!(error instanceof PosternError) || error.detail.reason !== 'superseded') throw error
  }
}
