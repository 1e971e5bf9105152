/**
 * What a vault can be asked, as data: each operation names the right it needs and does its work.
 *
 * The operations themselves stand in the rooms they belong to (`secrets/`, `access/`, `audit/`);
 * `vault.ts` runs them all in the same way.
 *
 * @module
 */

import type { Action, Rule } from './access/policy.ts'
import type { AccessStore } from './access/store.ts'
import type { Log } from './audit/log.ts'
import type { Reason } from './errors.ts'
import type { SecretStore } from './secrets/store.ts'

/** Facts that an operation adds to its audit entry. Never a value, a token, or a hash of one. */
export type Facts = Readonly<Record<string, unknown>>

/** What an operation came to: a value, or the reason why there is none. Both are recorded. */
export type Outcome<T> = { value: T; facts?: Facts } | { reason: Reason; facts?: Facts }

/** Everything that an operation may touch, inside its transaction. */
export interface Context {
  secrets: SecretStore
  access: AccessStore
  log: Log
  /** Who asks, as the vault itself knows from the token. */
  principal: string
  /** The rules that name this principal. */
  rules: readonly Rule[]
  /** Milliseconds since the Unix epoch. */
  now: number
}

/** One thing that a vault can be asked. Synchronous throughout: no other request comes between. */
export interface Operation<Input, Output> {
  /** The right it needs, on {@link Operation.resource}; `null` when `run` filters by right itself. */
  action: Action | null
  resource: (input: Input) => string
  run: (context: Context, input: Input) => Outcome<Output>
}

/** Lets the compiler infer the types of an operation from its definition. */
export function operation<Input, Output>(definition: Operation<Input, Output>): Operation<Input, Output> {
  return definition
}
