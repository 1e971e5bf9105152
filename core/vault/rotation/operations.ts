/**
 * Operations on rotations: their configuration, their schedule, and a rotation at once.
 *
 * @module
 */

import { randomBytes } from '../../bytes.ts'
import { PosternError } from '../../errors.ts'
import { type Recipe, underPolicy } from '../../values/generate.ts'
import type { WebhookStore } from '../notifications/webhook_store.ts'
import { byName, type OperationContext, type Outcome, operation } from '../operation.ts'
import type { SecretRow } from '../secrets/store.ts'
import { beginRun, objectionTo, settleProvided } from './provider_rotation.ts'
import { nextDue, thawed } from './schedule.ts'
import type { RotationConfig, SteerAction } from './state_machine.ts'
import type { Rotation, Run } from './store.ts'

/** The rotation of a secret, with its running or last run. */
export interface ShownRotation extends Rotation {
  run: Run | null
}

const LIST_SCAN_LIMIT = 1000

/** A fraction from 0 up to 1, for jitter. */
export function chance(): number {
  const [byte = 0, low = 0] = randomBytes(2)
  return (byte * 256 + low) / 65_536
}

/** Sets how a secret rotates. The first run is a period from now. */
export const putRotation = operation({
  action: 'admin',
  securityEvent: true,
  resource: () => 'rotations',
  resourceFacts: ({ name }: { name: string; config: RotationConfig }) => ({ resource: name }),
  approvalBinding: ({ secrets, rotations, hooks }, { name, config }) => {
    const secret = secrets.find(name)
    return { resource: name, config, before: shown(secret && rotations.find(secret.id)), url: urlOf(hooks, config) }
  },
  run(context: OperationContext, { name, config }): Outcome<ShownRotation> {
    const { secrets, rotations, chains, hooks, now, principal } = context
    const chain = chains.covering(name)
    const objection = objectionTo({ chains }, config.target, chain)
    if (objection !== null) return { reason: objection }
    const found = secrets.find(name)
    // A value at a provider is read there when it rotates.
    if (chain === null && (found === null || found.current === null)) return { reason: 'no_secret' }
    if (config.target.kind === 'webhook' && hooks.find(config.target.hook) === null) return { reason: 'no_hook' }
    if (!isStrong(context, name, config.generate)) return { reason: 'weak_recipe' }
    const secret = found ?? secrets.reserve(name, now)
    const before = rotations.find(secret.id)
    const nextAt = nextDue(config, now, chance())
    const about = { provided: chain !== null, updatedAt: now, updatedBy: principal }
    rotations.put({ secret: secret.id, config, nextAt, ...about })
    const facts = { before: before?.config ?? null, after: config, ...(chain && { chain: chain.id }) }
    return { value: withRun(context, rotations.find(secret.id)!), facts }
  },
})

/** Ends the rotation of a secret. A running run has to end first: its target waits for it. */
export const deleteRotation = operation({
  action: 'admin',
  securityEvent: true,
  resource: () => 'rotations',
  resourceFacts: ({ name }: { name: string }) => ({ resource: name }),
  approvalBinding: 'nothing',
  run({ secrets, rotations }: OperationContext, { name }: { name: string }): Outcome<{ name: string }> {
    const secret = secrets.find(name)
    const before = secret && rotations.find(secret.id)
    if (secret === null || before === null) return { reason: 'no_rotation' }
    if (rotations.active(secret.id) !== null) return { reason: 'rotating' }
    rotations.delete(secret.id)
    return { value: { name }, facts: { before: before.config } }
  },
})

/** Lists the rotations of the secrets that the caller may rotate; all for an administrator of rotations. */
export const listRotations = operation({
  action: null,
  resource: () => 'rotations',
  run(context: OperationContext, { after, limit }: { after: string; limit: number }): Outcome<ListedRotations> {
    const { rotations } = context
    const isAdmin = context.refuses('admin', 'rotations') === null
    const items: ShownRotation[] = []
    let last = after
    for (const rotation of rotations.list(after, LIST_SCAN_LIMIT)) {
      if (items.length === limit) return { value: { items, after: last } }
      last = rotation.name
      if (isAdmin || context.refuses('rotate', rotation.name) === null) items.push(withRun(context, rotation))
    }
    return { value: { items, after: rotations.list(last, 1).length > 0 ? last : null } }
  },
})

/** A page of rotations, and where the next begins. */
export interface ListedRotations {
  items: ShownRotation[]
  after: string | null
}

/** Shows how a secret rotates, and its last runs. */
export const showRotation = operation({
  action: null,
  resource: byName,
  run(context: OperationContext, { name }: { name: string }): Outcome<ShownRotation & { runs: Run[] }> {
    const denied = context.refuses('admin', 'rotations') && context.refuses('rotate', name)
    if (denied !== null) return { reason: denied }
    const { secrets, rotations } = context
    const secret = secrets.find(name)
    const rotation = secret && rotations.find(secret.id)
    if (secret === null || rotation === null) return { reason: 'no_rotation' }
    return { value: { ...withRun(context, rotation), runs: rotations.runs(secret.id, 20) } }
  },
})

interface StartRotation {
  name: string
  /** The version to restore, in place of a new value. */
  restores: number | null
  /** Rotates in a freeze too. */
  force: boolean
  /** Set when a document of a provider may be replaced by the value. */
  replace?: 'shape' | undefined
}

/** Begins a rotation now. */
export const startRotation = operation({
  action: 'rotate',
  // A restored value is opened for the caller; a new value is not.
  also: ({ restores }: StartRotation) => (restores === null ? null : 'read'),
  securityEvent: true,
  resource: byName,
  resourceFacts: ({ restores, force, replace }: StartRotation) => ({
    ...(restores !== null && { restores }),
    ...(force && { force }),
    ...(replace && { replace }),
  }),
  approvalBinding: ({ secrets, chains, rotations, hooks }, { name, restores, force, replace }: StartRotation) => {
    const secret = secrets.find(name)
    const chain = chains.covering(name)
    const config = (secret && rotations.find(secret.id)?.config) ?? null
    const to = { config, url: config && urlOf(hooks, config) }
    // The vault does not know the provider's version, so the binding holds the chain.
    const at = chain === null ? { current: secret?.current ?? null } : { chain: chain.id, revision: chain.revision }
    return { restores, force, ...(replace && { replace }), ...at, latest: secret?.latest ?? null, ...to }
  },
  run(context: OperationContext, { name, restores, force, replace }: StartRotation): Outcome<Run> {
    const { secrets, rotations, chains, principal, now } = context
    const isHere = chains.covering(name) === null
    // No value of a provider is kept here to be brought back.
    if (!isHere && restores !== null) return { reason: 'not_sealed' }
    const secret = secrets.find(name)
    if (isHere && (secret === null || secret.current === null)) return { reason: 'no_secret' }
    if (isHere && secret?.deletedAt != null) return { reason: 'deleted' }
    const rotation = secret && rotations.find(secret.id)
    if (secret === null || rotation === null) return { reason: 'no_rotation' }
    if (rotations.active(secret.id) !== null) return { reason: 'rotating' }
    if (!force && thawed(rotation.config.freeze, now) !== now) return { reason: 'frozen' }
    const old = restores === null ? null : secrets.version(secret.id, restores)
    if (restores !== null && old === null) return { reason: 'no_version' }
    if (old !== null && old.sealed === null) return { reason: 'destroyed' }
    if (old?.expiresAt != null && old.expiresAt <= now) return { reason: 'expired' }
    const why = restores === null ? 'manual' : 'rollback'
    const id = beginRun(context, secret, rotation, { why, by: principal, restores, replace })
    if (id === null) return { reason: isHere ? 'not_provided' : 'not_sealed' }
    return { value: rotations.run(id)!, facts: { run: id } }
  },
})

/**
 * Steers the run of a secret: tries its step again now, has it undone, ends its grace now, or gives up on telling the
 * target.
 */
export const steerRotation = operation({
  action: 'rotate',
  securityEvent: true,
  resource: byName,
  resourceFacts: ({ to }: { name: string; to: SteerAction }) => ({ to }),
  // A retry follows anyway, and was approved with the run. The other actions decide which value stays valid, and where.
  approvalBinding: ({ secrets, rotations, hooks }, { name, to }: { name: string; to: SteerAction }) => {
    if (to === 'retry') return 'nothing'
    const secret = secrets.find(name)
    const run = secret && rotations.active(secret.id)
    return { to, run: run && { ...boundRun(run), url: urlOf(hooks, run.config) } }
  },
  run(context: OperationContext, { name, to }: { name: string; to: SteerAction }): Outcome<Run> {
    const { secrets, rotations, now } = context
    const secret = secrets.find(name)
    const run = secret && rotations.active(secret.id)
    if (secret === null || run === null) return { reason: 'not_rotating' }
    const facts = { run: run.id, step: run.step }
    const isCurrent = run.step === 'finish'
    if (to === (isCurrent ? 'cancel' : 'finish')) return { reason: 'not_rotating', facts }
    // The present holder of the lease comes too late.
    rotations.interrupt(run)
    if (to === 'abandon') abandon(context, secret, run)
    else if (to === 'cancel') rotations.goto(run.id, { step: 'undo', nextAt: now, failure: 'cancelled' })
    else rotations.goto(run.id, { step: run.step, nextAt: now, failure: null })
    return { value: rotations.run(run.id)!, facts }
  },
})

/**
 * The destination of the values. An approval binds it and the configuration, not their versions: a version restarts at
 * 1 when a rotation is deleted and put again.
 */
function urlOf(hooks: WebhookStore, { target }: RotationConfig): string | null {
  return target.kind === 'webhook' ? (hooks.find(target.hook)?.url ?? null) : null
}

/** The state of a rotation. The version alone restarts at 1 when a rotation is deleted and put again. */
function shown(rotation: Rotation | null) {
  if (rotation === null) return null
  const { config, version, updatedAt, updatedBy } = rotation
  return { config, version, updatedAt, updatedBy }
}

/** A run as far as it is. Not its tries: they come while others make up their mind. */
function boundRun({ id, why, by, restores, config, step, number, replaces }: Run) {
  return { id, why, by, restores, config, step, number, replaces }
}

function abandon(context: OperationContext, secret: SecretRow, run: Run): void {
  const { secrets, rotations, now } = context
  const outcome = run.step === 'finish' ? 'rotated' : 'abandoned'
  if (run.provided !== null) settleProvided(context, secret, run, null)
  else if (secret.pending === run.number) secrets.dropPending(secret.id)
  rotations.end(run.id, outcome, 'cancelled', now)
  const rotation = rotations.find(secret.id)
  if (rotation !== null) rotations.reschedule(secret.id, nextDue(rotation.config, now, chance()), rotation.failures)
}

function withRun({ rotations }: OperationContext, rotation: Rotation): ShownRotation {
  return { ...rotation, run: rotations.runs(rotation.secret, 1)[0] ?? null }
}

function isStrong({ policy }: OperationContext, name: string, recipe: Recipe): boolean {
  try {
    underPolicy(recipe, policy.strengthFor(name))
    return true
  } catch (error) {
    if (error instanceof PosternError) return false
    throw error
  }
}
