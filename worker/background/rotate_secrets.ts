/**
 * The edge's half of rotation: it makes values, seals and opens them, and tells targets. What comes next, and whose
 * turn it is, the vault says: `core/vault/rotation/tasks.ts`.
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
import type { Failure } from '../../core/vault/rotation/state_machine.ts'
import type { Turn } from '../../core/vault/rotation/tasks.ts'
import type { SealedVersion } from '../../core/vault/secrets/operations.ts'
import type { VaultServices } from '../vault_services.ts'
import { fitted, type ProviderTurn, presentAt, providerTarget } from './provider_targets.ts'
import type { Job } from './scheduler.ts'

/** How many secrets of a vault rotate at a time. */
const CONCURRENCY = 4
/** How often a value is sealed anew because a write took its number. */
const MAX_RACES = 5

const WOKEN_BY: readonly OperationName[] = ['rotation.put', 'rotation.start', 'rotation.steer', 'secret.restore']

/** Rotates what is due, and goes on with what has begun. */
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
        await Promise.all(ready.slice(at, at + CONCURRENCY).map((one) => takeTurn(services, one)))
      }
    }
  },
}

async function takeTurn(services: VaultServices, one: { name: string; run: number }): Promise<void> {
  const turn = await services.perform('rotation.claim', one)
  if (turn === null) return
  const { name, run, fence, step } = turn
  try {
    if (step === 'create') await createValue(services, turn)
    else {
      const about = await targetStep(services, turn)
      const target = await targetOf(services, turn)
      // What goes must not be what stays: an earlier value that was brought back, or one that the target made again.
      const stays = isStill(about.current, step === 'finish' ? about.previous : step === 'undo' ? about.pending : null)
      const version = stays ? null : await target[step](about)
      await services.perform('rotation.advance', { name, run, fence, step, ...(version !== null && { version }) })
    }
  } catch (error) {
    const failed = failureOf(error)
    if (failed !== null) await outOfTurn(() => services.perform('rotation.fail', { name, run, fence, step, ...failed }))
  }
  // The replicas of what a provider keeps may be due now.
  if (isProvided(turn)) services.notifyWrite()
}

function isProvided(turn: Turn): turn is ProviderTurn {
  return turn.provided !== null
}

/** Makes the next value, here or at the target, and keeps it sealed as the number that is next. */
async function createValue(services: VaultServices, turn: Turn): Promise<void> {
  const { name, run, fence } = turn
  const present = isProvided(turn) ? await presentAt(services, turn) : null
  const made = await madeFor(services, turn)
  const { value, contentType, encoding } = isProvided(turn) && present !== null ? fitted(turn, present, made) : made
  await retryRaced(MAX_RACES, async (races) => {
    const next =
      races === 0 ? { number: turn.nextNumber, under: turn.under } : await services.perform('rotation.next', { name })
    const { number, under } = next
    const place = { vault: services.vault, name, version: number, contentType, encoding }
    const sealed = await sealValue(services.keyring, value, place, under)
    const about = { contentType, encoding, expects: present?.version }
    await services.perform('rotation.create', { name, run, fence, number, ...sealed, ...about })
  })
}

/**
 * The value for a version to be. Only a generated one follows the policy. One that is brought back, or that the target
 * made, is what the target has by then: it is neither tested nor told, since the log is read by more than may read it.
 */
async function madeFor(services: VaultServices, turn: Turn): Promise<Omit<Credential, 'version'>> {
  const given =
    turn.restores !== null
      ? await opened(services, turn.restores)
      : await (await targetOf(services, turn)).create(await targetStep(services, turn))
  if (given !== null) return given
  const recipe = underPolicy(turn.config.generate, turn.strength)
  return { value: await generate(recipe), encoding: 'utf8', contentType: contentTypeOf(recipe) }
}

/** The target of a run. */
async function targetOf(services: VaultServices, turn: Turn): Promise<RotationTarget> {
  if (isProvided(turn)) return providerTarget(services, turn)
  const { vault, keyring, settings } = services
  const { config, hook } = turn
  if (config.target.kind !== 'webhook') return generateOnly
  if (hook === null) throw new TargetFailure('unreachable')
  const secret = await openWebhookSecret(keyring, vault, hook)
  return webhookTarget({ url: hook.url, secret }, { allowLoopback: settings.security.allowLoopbackHooks })
}

async function targetStep(services: VaultServices, turn: Turn): Promise<TargetStep> {
  const { name, run, fence, number: version, pending, current, previous } = turn
  const [one, two, three] = await Promise.all(
    [pending, current, previous].map((sealed) => (sealed === null ? null : opened(services, sealed))),
  )
  return { vault: services.vault, name, run, fence, version, pending: one!, current: two!, previous: three! }
}

async function opened({ vault, keyring }: VaultServices, sealed: SealedVersion): Promise<Credential> {
  // Opened once and not again: a cache of keys would be of no use.
  const value = await openVersion(keyring, dekCache(1), vault, sealed)
  if (typeof value === 'string') throw new TargetFailure('cannot_open')
  const { version, encoding, contentType } = sealed
  return { version, value, encoding, contentType }
}

/** Whether two versions have one value. */
function isStill(current: Credential | null, leaving: Credential | null): boolean {
  return current !== null && leaving !== null && equal(current.value.reveal(), leaving.value.reveal())
}

/** What a step failed by; `null` when its turn was over, and nothing is to be said. Whatever is not foreseen is thrown on. */
function failureOf(error: unknown): { failure: Failure; code?: string } | null {
  if (error instanceof TargetFailure)
    return { failure: error.failure, ...(error.code !== null && { code: error.code }) }
  if (!(error instanceof PosternError)) throw error
  if (error.detail.reason === 'superseded') return null
  if (error.code === 'tampered' || error.detail.reason === 'no_key') return { failure: 'cannot_open' }
  // What the policy asks cannot be made by this recipe.
  if (error.code === 'bad_request') return { failure: 'cannot_generate' }
  throw error
}

/** Lets a failure that comes too late be. */
async function outOfTurn(say: () => Promise<unknown>): Promise<void> {
  try {
    await say()
  } catch (error) {
    if (!(error instanceof PosternError) || error.detail.reason !== 'superseded') throw error
  }
}
