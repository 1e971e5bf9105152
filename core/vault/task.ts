/**
 * Tasks of a vault: work without a request, when its time has come or when its edge has news. A task has no caller and
 * needs no right; no request can name one.
 *
 * The tasks themselves are in the folders of their subjects; `vault.ts` runs them in a transaction and records them
 * like operations. A job of the edge (`worker/background/scheduler.ts`) does the part that needs keys or the network,
 * before or after.
 *
 * @module
 */
import type { Facts, Outcome } from './operation.ts'
import type { Stores } from './stores.ts'

/** Everything that a task may touch, inside its transaction. */
export interface TaskContext extends Stores {
  /** Milliseconds since the Unix epoch. */
  now: number
}

/** One task of a vault. Synchronous throughout: no request comes between. */
export interface Task<Input, Output> {
  /** See {@link Operation.securityEvent}. */
  securityEvent?: true | 'alert'
  /** The resource, for the log: a secret's name, or a part of the vault. */
  resource: (input: Input) => string
  /** Facts about the resource for the entry of any outcome. */
  resourceFacts?: (input: Input) => Facts
  /** Does the work. A task that finds nothing to do is `unrecorded`. */
  run: (context: TaskContext, input: Input) => Outcome<Output>
}

/** Lets the compiler infer the types of a task from its definition. */
export function task<Input, Output>(definition: Task<Input, Output>): Task<Input, Output> {
  return definition
}
