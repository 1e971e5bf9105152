/**
 * Tasks for rotations: find those that are due, hand out a step, and store its result.
 *
 * A step is handed out with a fence and the sealed values that it needs, and that is recorded before the values leave.
 * A report with an older fence changes nothing.
 *
 * @module
 */

import type { Bytes } from '../../bytes.ts'
import { HOUR_MS } from '../../durations.ts'
import type { Encoding } from '../../encoding.ts'
import type { VersionedChain } from '../../providers/chain.ts'
import type { StrengthPolicy } from '../../values/strength.ts'
import type { Under } from '../keys/key_store.ts'
import { notify } from '../notifications/tasks.ts'
import type { Webhook } from '../notifications/webhook_store.ts'
import type { Outcome } from '../operation.ts'
import { byName } from '../operation.ts'
import { type SealedVersion, sealedVersion } from '../secrets/operations.ts'
import type { SecretRow } from '../secrets/store.ts'
import { type TaskContext, task } from '../task.ts'
import { chance } from './operations.ts'
import { beginRun, homeOf, isAtHome, settleProvided } from './provider_rotation.ts'
import { nextDue, thawed } from './schedule.ts'
import { afterFailure, afterSuccess, isFinal, type Next, type RunFailure, type Step } from './state_machine.ts'
import type { Run } from './store.ts'

/** The author of versions that a scheduled rotation makes. No principal can have this id. */
const SCHEDULE = '(schedule)'
/** How long a lease for a step lasts. Longer than any request to a target. */
const TURN_MS = 120_000
const LOOK_LIMIT = 50

/** The steps that are due, and when to look again. */
export interface DueRotations {
  due: string[]
  ready: { name: string; run: number }[]
  nextAt: number | null
}

/** Finds the rotations and runs that are due, and when the next one will be. */
export const lookAtRotations = task({
  resource: () => 'rotations',
  run({ rotations, now }: TaskContext, _: Record<never, never>): Outcome<DueRotations> {
    const found = { due: rotations.due(now, LOOK_LIMIT), ready: rotations.ready(now, LOOK_LIMIT) }
    return { value: { ...found, nextAt: rotations.nextAt() }, unrecorded: true }
  },
})

/** Begins the run of a secret that is due, unless it is frozen. */
export const startDue = task({
  resource: byName,
  run(context: TaskContext, { name }: { name: string }): Outcome<{ run: number | null }> {
    const { secrets, rotations, now } = context
    const nothing = { value: { run: null }, unrecorded: true } as const
    const secret = secrets.find(name)
    const rotation = secret && rotations.find(secret.id)
    if (secret === null || rotation === null || rotation.nextAt === null || rotation.nextAt > now) return nothing
    if (rotations.active(secret.id) !== null) return nothing
    const isAway = homeOf(context, secret, rotation) === null
    const thaw = isAway ? null : thawed(rotation.config.freeze, now)
    if (thaw !== now) {
      rotations.reschedule(secret.id, thaw ?? now + 24 * HOUR_MS, rotation.failures)
      return nothing
    }
    const run = beginRun(context, secret, rotation, { why: 'schedule', by: SCHEDULE, restores: null })
    return { value: { run }, facts: { run } }
  },
})

/** A step that was handed out, with all it takes. */
export interface RotationLease
  extends Pick<Run, 'config' | 'why' | 'number' | 'replaces' | 'attempts' | 'startedAt' | 'provided'> {
  name: string
  run: number
  fence: number
  step: Step
  /** The chain that keeps the secret; `null` if the vault does. */
  chain: VersionedChain | null
  /** For `create`: the number that the next version has, and the key to seal it under. */
  nextNumber: number
  under: Under
  strength: StrengthPolicy | null
  pending: SealedVersion | null
  current: SealedVersion | null
  previous: SealedVersion | null
  restores: SealedVersion | null
  hook: Webhook | null
}

/** Hands out the step of a run, to one at a time. */
export const claimStep = task({
  resource: byName,
  resourceFacts: ({ run }: { name: string; run: number }) => ({ run }),
  run(context: TaskContext, { name, run: id }: { name: string; run: number }): Outcome<RotationLease | null> {
    const { secrets, rotations, cache, now } = context
    const secret = secrets.find(name)
    const before = rotations.run(id)
    if (secret === null || before === null || before.outcome !== null || before.nextAt > now)
      return { value: null, unrecorded: true }
    // A secret that was deleted meanwhile, or moved to another store, must not become valid again.
    const gone = !isAtHome(context, secret, before)
    // A restored version must not be replaced by a different value.
    const lost = before.step === 'create' && before.restores !== null && !isThere(context, secret, before.restores)
    if ((gone || lost) && before.step !== 'finish' && before.step !== 'undo') {
      rotations.goto(id, { step: 'undo', nextAt: now, failure: 'cancelled' })
    }
    const run = rotations.run(id)!
    // From here on the provider may have another value at any time: older cached values are dropped until the result is
    // known.
    if (run.provided !== null) cache.purge(name, now)
    const fence = rotations.claim(run, now + TURN_MS)
    const { step } = run
    const lease = { ...leaseOf(context, secret, run), fence, attempts: run.attempts + 1 }
    return { value: lease, facts: { step, fence, attempt: lease.attempts, ...released(lease) } }
  },
})

function isThere({ secrets, now }: TaskContext, secret: SecretRow, number: number): boolean {
  const row = secrets.version(secret.id, number)
  return row !== null && row.sealed !== null && (row.expiresAt === null || row.expiresAt > now)
}

function leaseOf(context: TaskContext, secret: SecretRow, run: Run): Omit<RotationLease, 'fence'> {
  const { secrets, keys, hooks, policy, chains } = context
  const sealed = (number: number | null): SealedVersion | null => {
    const row = number === null ? null : secrets.version(secret.id, number)
    return row?.sealed ? sealedVersion(secret, row, row.sealed) : null
  }
  const { id, step, config, why, number, replaces, attempts, startedAt, provided } = run
  const isAfter = step === 'finish'
  return {
    ...{ name: secret.name, run: id, step, config, why, number, replaces, attempts, startedAt, provided },
    chain: chains.covering(secret.name),
    nextNumber: secret.latest + 1,
    under: keys.under(),
    strength: policy.strengthFor(secret.name),
    // Each step gets the values that it needs, and no others.
    pending: isAfter || step === 'create' ? null : sealed(number),
    current: step === 'test' || config.target.kind !== 'webhook' ? null : sealed(isAfter ? number : secret.current),
    previous: isAfter ? sealed(replaces) : null,
    restores: step === 'create' ? sealed(run.restores) : null,
    hook: config.target.kind === 'webhook' ? hooks.find(config.target.hook) : null,
  }
}

/** The versions that a step needs. */
function released(lease: Omit<RotationLease, 'fence'>): Record<string, unknown> {
  const { pending, current, previous, restores, hook, provided } = lease
  const versions = [pending, current, previous, restores].flatMap((one) => (one === null ? [] : [one.version]))
  return { versions, ...(hook && { hook: hook.id }), ...(provided && { provider: provided.member.provider }) }
}

interface StepDone {
  name: string
  run: number
  fence: number
}

/** Keeps the value that was made, as the pending version. */
export const keepCreated = task({
  resource: byName,
  resourceFacts: ({ run, fence, number }: Created) => ({ run, fence, version: number }),
  run(context: TaskContext, created: Created): Outcome<{ number: number }> {
    const { secrets, rotations, keys, now } = context
    const { run: id, fence, name, number, kid, sealed, contentType, encoding, expects } = created
    const secret = secrets.find(name)
    const run = rotations.run(id)
    if (secret === null || run === null || run.step !== 'create' || !rotations.holds(id, fence))
      return { reason: 'superseded' }
    // The version was deleted or destroyed meanwhile: the next step undoes the run.
    if (!isAtHome(context, secret, run)) return { reason: 'superseded' }
    // A write came between, or a new term: the edge seals again.
    if (number !== secret.latest + 1 || !keys.isCurrent(kid)) return { reason: 'raced', unrecorded: true }
    const why = run.restores === null ? 'rotation' : `rollback to ${run.restores}`
    const restored = run.restores === null ? null : secrets.version(secret.id, run.restores)
    const about = { createdAt: now, createdBy: run.by, why, expiresAt: restored?.expiresAt ?? null }
    secrets.addPending(secret, { number, kid, sealed, contentType, encoding, ...about })
    rotations.setVersions(id, number, null)
    if (run.provided !== null) rotations.setProvided(id, { ...run.provided, ...(expects && { expects }) })
    proceed(context, { ...run, number }, afterSuccess('create', run))
    return { value: { number } }
  },
})

/** The number of the next version and the key that seals it, after a write took the former number. */
export const nextVersion = task({
  resource: byName,
  run({ secrets, keys }: TaskContext, { name }: { name: string }): Outcome<{ number: number; under: Under }> {
    return { value: { number: (secrets.find(name)?.latest ?? 0) + 1, under: keys.under() }, unrecorded: true }
  },
})

interface Created extends StepDone {
  number: number
  kid: string
  sealed: Bytes
  contentType: string
  encoding: Encoding
  /** The version that is current at the provider which keeps the secret. */
  expects?: string | undefined
}

/** Stores that a step succeeded, and moves to the next. */
export const advanceRun = task({
  resource: byName,
  resourceFacts: ({ run, fence, step, version }: Advance) => ({ run, fence, step, ...(version && { version }) }),
  run(context: TaskContext, { run: id, fence, step, version }: Advance): Outcome<{ next: Next }> {
    const { rotations } = context
    const run = rotations.run(id)
    if (run === null || run.step !== step || step === 'create' || !rotations.holds(id, fence))
      return { reason: 'superseded' }
    if (run.provided !== null && version) rotations.setProvided(id, { ...run.provided, version })
    const next = afterSuccess(step, run)
    return { value: { next }, facts: proceed(context, run, next) }
  },
})

interface Advance extends StepDone {
  step: Step
  /** The provider's name for its present version, if it has one. */
  version?: string | undefined
}

/** Writes down that a step failed: it is tried again, or undone. */
export const failStep = task({
  resource: byName,
  resourceFacts: ({ run, fence, step, failure, code }: Failed) => ({
    run,
    fence,
    step,
    failure,
    ...(code && { code }),
  }),
  run(context: TaskContext, { run: id, fence, step, failure }: Failed): Outcome<{ next: Next }> {
    const { rotations } = context
    const run = rotations.run(id)
    if (run === null || run.step !== step || !rotations.holds(id, fence)) return { reason: 'superseded' }
    const next = afterFailure(step, failure, run, { attempts: run.attempts, chance: chance() })
    return { value: { next }, facts: proceed(context, run, next, failure) }
  },
})

interface Failed extends StepDone {
  step: Step
  failure: RunFailure
  /** The provider's own code. */
  code?: string | undefined
}

/** Applies a transition: moves the stages, and continues or ends the run. */
function proceed(
  context: TaskContext,
  run: Run,
  next: Next,
  failure: RunFailure | null = null,
): Record<string, unknown> {
  const { secrets, rotations, now } = context
  const secret = secrets.find(run.name)!
  const isHere = run.provided === null
  const facts = next.promote && isHere ? { current: run.number, previous: secret.current } : {}
  if (next.promote && isHere) {
    rotations.setVersions(run.id, run.number, secret.current)
    secrets.promote(secret, now)
  }
  if (next.kind === 'step') {
    rotations.goto(run.id, { step: next.step, nextAt: now + (next.waitMs ?? 0), failure })
    return { next: next.step, ...facts }
  }
  if (!isHere)
    settleProvided(context, secret, run, isUnchanged(run, failure) ? false : next.outcome === 'rotated' || null)
  else if (!next.promote && secret.pending === run.number) secrets.dropPending(secret.id)
  rotations.end(run.id, next.outcome, failure, now)
  reschedule(context, run, next.outcome === 'rotated')
  if (next.outcome !== 'rotated' || failure !== null) {
    const data = { secret: run.name, run: run.id, outcome: next.outcome, failure: failure ?? run.failure }
    notify(context, { type: 'rotation.failed', data }, now)
  }
  return { outcome: next.outcome, ...facts }
}

/** Whether a run certainly changed nothing at its provider: the first request was refused. */
function isUnchanged({ step, attempts }: Run, failure: RunFailure | null): boolean {
  return failure !== null && isFinal(failure) && attempts === 1 && step !== 'test'
}

/** After a period; or sooner, an hour and then twice as long each time, when nothing was changed. */
function reschedule({ rotations, now }: TaskContext, { secret }: Run, rotated: boolean): void {
  const rotation = rotations.find(secret)
  if (rotation === null) return
  const { config } = rotation
  const regular = nextDue(config, now, chance())
  const failures = rotated ? 0 : rotation.failures + 1
  const retry = now + HOUR_MS * 2 ** Math.min(failures - 1, 10)
  const soon = regular === null || rotated ? regular : Math.min(regular, thawed(config.freeze, retry) ?? regular)
  rotations.reschedule(secret, soon, failures)
}
