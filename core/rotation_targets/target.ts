/**
 * The seam of rotation: where a value has to be made valid, and then invalid.
 *
 * @module
 */
import type { Bytes } from '../bytes.ts'
import type { Encoding } from '../encoding.ts'
import type { Redacted } from '../redacted.ts'
import type { Failure } from '../vault/rotation/state_machine.ts'

/** A value at a version, in clear. */
export interface Credential {
  version: number
  value: Redacted<Bytes>
  encoding: Encoding
  contentType: string
}

/** One step of one run, with the values that it takes. */
export interface TargetStep {
  vault: string
  name: string
  run: number
  /** Higher than that of any step before, of any run of this secret: a target refuses a lower one. */
  fence: number
  version: number | null
  pending: Credential | null
  current: Credential | null
  previous: Credential | null
}

/** A step that failed. It tells nothing that the target said, only which kind it was. */
export class TargetFailure extends Error {
  override readonly name = 'TargetFailure'
  readonly failure: Failure
  /** A provider's own word for it, as {@link ProviderFailure} has it; safe to log. */
  readonly code: string | null

  constructor(failure: Failure, code: string | null = null) {
    super(`Target failed: ${failure}`)
    this.failure = failure
    this.code = code
  }
}

/**
 * Where a secret's value has to be valid. Each step may come again, also after it was done, and does nothing new then.
 * Every method throws {@link TargetFailure} and nothing else. All but the first return what a provider calls the version
 * that it has now; `null` where there is none to be named.
 */
export interface RotationTarget {
  /** Makes the next value, where only the target can; `null`: it is generated here. */
  create(step: TargetStep): Promise<Omit<Credential, 'version'> | null>
  /** Makes the pending value valid, and leaves the current one valid. */
  set(step: TargetStep): Promise<string | null>
  /** Proves the pending value by using it. */
  test(step: TargetStep): Promise<string | null>
  /** Invalidates the previous value, which no client needs any more. */
  finish(step: TargetStep): Promise<string | null>
  /** Makes the pending value invalid, if it ever was valid, and the current one valid, if it is not. */
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
