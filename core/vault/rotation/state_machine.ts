/**
 * Rotation as a state machine: create → set → test → finish, or undo. Pure.
 *
 * Between two steps the vault's rows hold the whole state. Each step is recorded before it is done, may be repeated,
 * and has one holder at a time: a fence that only grows tells a late holder from the present one.
 *
 * @module
 */
import { HOUR_MS } from '../../durations.ts'
import type { Recipe } from '../../values/generate.ts'
import type { Schedule } from './schedule.ts'

/**
 * Where a rotated value has to be made valid. `generate`: nowhere, its readers take it from where it is kept; `into` is
 * the place in a provider's document that it is put at, a JSON pointer (RFC 6901). `provider`:
 * the provider that keeps it makes the value, and makes it valid.
 */
export type TargetConfig =
  | { kind: 'generate'; into?: string | undefined }
  | { kind: 'webhook'; hook: string }
  | { kind: 'provider' }

/** How a secret rotates. */
export interface RotationConfig extends Schedule {
  target: TargetConfig
  generate: Recipe
  /** How long the value before stays valid at the target once the new one is current. */
  graceSeconds: number
}

/**
 * The next step of a run:
 *
 * - `create`: make a value, and store it as pending
 * - `set`: make it valid at the target, beside the current one
 * - `test`: prove it there; then it becomes current, in one transaction
 * - `finish`: after the grace, tell the target that the former value is no longer needed
 * - `undo`: tell the target to forget the pending value and to keep the current one
 *
 * A value at a provider is current there once it is tested, and no target hears of the grace: it runs while replicas
 * catch up.
 */
export const STEPS = ['create', 'set', 'test', 'finish', 'undo'] as const
/** One of {@link STEPS}. */
export type Step = (typeof STEPS)[number]

/**
 * Why a step failed. Some reasons are final answers: `refused` by the target, `denied` to our credentials, in
 * `conflict` with another change there, `foreign_shape` when the secret is a document that the value would replace.
 * `unfinished`: a provider has begun and is not done. After any other reason it is unknown what the target did.
 */
export const FAILURES = [
  ...['refused', 'denied', 'conflict', 'foreign_shape', 'unfinished', 'unreachable', 'unreadable'],
  ...['cannot_open', 'cannot_generate', 'cancelled'],
] as const
/** One of {@link FAILURES}. */
export type RunFailure = (typeof FAILURES)[number]

/** How a run can be steered by hand. */
export const STEERS = ['retry', 'cancel', 'finish', 'abandon'] as const
/** One of {@link STEERS}. */
export type SteerAction = (typeof STEERS)[number]

/** The outcome of a run: its value is current; nothing changed; or an operator gave up on it. */
export type RunOutcome = 'rotated' | 'undone' | 'abandoned'

/** The transition after a step. `promote`: the pending version becomes current. */
export type Next =
  | { kind: 'step'; step: Step; promote?: true; waitMs?: number }
  | { kind: 'end'; outcome: RunOutcome; promote?: true }

/** How often `set` and `test` are tried before the run is undone. */
const MAX_ATTEMPTS = 10
/** How often the rest is tried, an hour apart, before the run ends as it is: weeks. */
const MAX_LAST_ATTEMPTS = 500
const FIRST_WAIT_MS = 2000
const LAST_WAIT_MS = HOUR_MS

/** The facts that the steps of a run depend on: its configuration, and whether a provider keeps the value. */
export interface RunConfig {
  config: RotationConfig
  provided: object | null
}

/** The step that a run begins with. */
export function firstStep({ target }: RotationConfig): Step {
  return target.kind === 'provider' ? 'set' : 'create'
}

/** Whether a step failed with a final answer, so that a retry changes nothing. */
export function isFinal(failure: RunFailure): boolean {
  return ['refused', 'denied', 'conflict', 'foreign_shape', 'cancelled'].includes(failure)
}

/** The transition after a step that succeeded. */
export function afterSuccess(step: Step, { config: { target, graceSeconds }, provided }: RunConfig): Next {
  switch (step) {
    case 'create':
      if (target.kind === 'generate' && provided === null) return { kind: 'end', outcome: 'rotated', promote: true }
      return { kind: 'step', step: 'set' }
    case 'set':
      return { kind: 'step', step: 'test' }
    case 'test':
      if (provided !== null) return { kind: 'end', outcome: 'rotated', promote: true }
      return { kind: 'step', step: 'finish', promote: true, waitMs: graceSeconds * 1000 }
    case 'finish':
      return { kind: 'end', outcome: 'rotated' }
    case 'undo':
      return { kind: 'end', outcome: 'undone' }
  }
}

/**
 * The transition after a step that failed. Before the value is current a refusal is undone at once, and silence after
 * some attempts. After that there is no way back, and the target is called until it answers.
 *
 * @param attempts The attempts at this step, including this one.
 * @param chance From 0 up to 1: full jitter.
 */
export function afterFailure(
  step: Step,
  failure: RunFailure,
  { config: { target }, provided }: RunConfig,
  { attempts, chance }: { attempts: number; chance: number },
): Next {
  const again: Next = { kind: 'step', step, waitMs: waitMs(attempts, chance) }
  const refused = isFinal(failure)
  if (step === 'finish') return attempts < MAX_LAST_ATTEMPTS && !refused ? again : { kind: 'end', outcome: 'rotated' }
  if (step === 'undo') return attempts < MAX_LAST_ATTEMPTS && !refused ? again : { kind: 'end', outcome: 'abandoned' }
  if (attempts < MAX_ATTEMPTS && !refused) return again
  // A value made at a provider cannot be taken back: the next run finds it and continues.
  const isTold = target.kind === 'webhook' && provided === null
  return isTold ? { kind: 'step', step: 'undo' } : { kind: 'end', outcome: 'undone' }
}

/** 2, 4, 8 … seconds up to an hour, at least half of it: many must not come back to a target together. */
function waitMs(attempts: number, chance: number): number {
  const most = Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempts - 1, 20))
  return Math.ceil(most / 2 + (most / 2) * chance)
}
