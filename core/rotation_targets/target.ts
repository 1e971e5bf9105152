/**
 * The port of rotation: a system in which a value becomes valid, and later invalid.
 *
 * @module
 */
import type { Bytes } from '../bytes.ts'
import type { Encoding } from '../encoding.ts'
import type { Redacted } from '../redacted.ts'
import type { RunFailure } from '../vault/rotation/state_machine.ts'

/** A value at a version, in clear. */
export interface Credential {
  version: number
  value: Redacted<Bytes>
  encoding: Encoding
  contentType: string
}

/** One step of one run, with its values. */
export interface TargetStep {
  vault: string
  name: string
  run: number
  /** Higher than at any earlier step of any run of this secret. A target refuses a lower one. */
  fence: number
  version: number | null
  pending: Credential | null
  current: Credential | null
  previous: Credential | null
}

/** A failed step. It carries only the kind of failure, and no text of the target. */
export class TargetFailure extends Error {
  override readonly name = 'TargetFailure'
  readonly failure: RunFailure
  /** The code of a provider, as in {@link ProviderFailure}; safe to log. */
  readonly code: string | null

  constructor(failure: RunFailure, code: string | null = null) {
    super(`Target failed: ${failure}`)
    this.failure = failure
    this.code = code
  }
}

/**
 * A system in which the value of a secret must be valid. Each step may be repeated, also after it succeeded, and then
 * changes nothing.
 *
 * Every method throws {@link TargetFailure} for every failure of the target. All but the first return the present
 * version at a provider; `null` if there is none.
 */
export interface RotationTarget {
  /** Creates the next value, if only the target can; `null` if Postern generates it. */
  create(step: TargetStep): Promise<Omit<Credential, 'version'> | null>
  /** Makes the pending value valid, and leaves the current one valid. */
  set(step: TargetStep): Promise<string | null>
  /** Tests the pending value by using it. */
  test(step: TargetStep): Promise<string | null>
  /** Invalidates the previous value, which no client needs any more. */
  finish(step: TargetStep): Promise<string | null>
  /** Makes the pending value invalid if it ever was valid, and the current one valid if it is not. */
  undo(step: TargetStep): Promise<string | null>
}

/** The target of a secret that is valid as soon as it is stored: no other system has to be told. */
export const generateOnly: RotationTarget = {
  create: async () => null,
  set: async () => null,
  test: async () => null,
  finish: async () => null,
  undo: async () => null,
}
