/**
 * Leases of values. No other module of the extension requests values from a server. Each value is leased for one action
 * of the user and released right after.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { SecretValue } from '../../core/client/user.ts'
import { PosternError } from '../../core/errors.ts'
import type { Redacted } from '../../core/redacted.ts'
import { type Resolved, resolve } from '../../core/text/find_references.ts'
import { type Endpoint, environmentFor, isPresenting, variablesFor } from '../settings.ts'
import { ExtensionError, explainMalformed } from '../shared/errors.ts'
import type { Vaults } from '../vaults/vaults.ts'
import type { KnownValues } from './known_values.ts'

const PER_CALL = 200

/** The outcome of one reference, as it is written in a document. */
export type LeaseOutcome = { secret: Omit<SecretValue, 'value'>; fingerprint: string } | { error: unknown }

/** Values that are held for the duration of one user action. */
export class Lease implements Disposable {
  /** The outcome of each reference, by its text. */
  readonly outcomes: ReadonlyMap<string, LeaseOutcome>
  readonly #values: Map<string, Redacted<string>>

  constructor(outcomes: ReadonlyMap<string, LeaseOutcome>, values: Map<string, Redacted<string>>) {
    this.outcomes = outcomes
    this.#values = values
  }

  /**
   * Returns the value of a reference.
   *
   * @throws The server's error, if it refused the reference.
   * @throws {RangeError} if the lease has ended.
   */
  value(reference: string): Redacted<string> {
    const value = this.#values.get(reference)
    const outcome = this.outcomes.get(reference)
    if (value !== undefined) return value
    throw outcome && 'error' in outcome ? outcome.error : new RangeError('Lease has ended')
  }

  [Symbol.dispose](): void {
    // JavaScript cannot wipe a string. Dropping the last pointer to it is the best available.
    this.#values.clear()
  }
}

/** The options of a lease. */
export interface LeaseOptions {
  /** The document that contains the references. It selects the server and the environment. */
  scope?: vscode.Uri
  /** The environment. Defaults to that of `scope`. */
  environment?: string
  /** The server. Defaults to that of `scope`. */
  server?: Endpoint | null
  /** Whether the values will be displayed, which presentation mode forbids. */
  shown?: boolean
  signal?: AbortSignal
}

/** Leases values from the vaults that the user is signed in to. */
export class Leases {
  readonly #vaults: Vaults
  readonly #known: KnownValues

  constructor({ vaults, known }: { vaults: Vaults; known: KnownValues }) {
    this.#vaults = vaults
    this.#known = known
  }

  /**
   * Leases the values of references. Sends one request for each vault and 200 references.
   *
   * @param references The references as written, with their variables.
   * @returns The lease. If the server refuses a reference, the error is its outcome and is not thrown.
   * @throws {ExtensionError} `restricted`, `presenting` for values that will be displayed, or `signed_out` when the user is
   *   signed in to none of the vaults.
   */
  async of(references: Iterable<string>, options: LeaseOptions = {}): Promise<Lease> {
    if (!vscode.workspace.isTrusted) throw new ExtensionError('restricted')
    if (options.shown && isPresenting()) throw new ExtensionError('presenting')
    const outcomes = new Map<string, LeaseOutcome>()
    const values = new Map<string, Redacted<string>>()
    const byVault = new Map<string, Map<string, string[]>>()
    const variables = variablesFor(options.environment ?? environmentFor(options.scope))
    for (const written of new Set(references)) {
      const resolved = resolve(written, variables)
      if (!('reference' in resolved)) {
        outcomes.set(written, { error: unresolved(resolved) })
        continue
      }
      const { vault } = resolved.reference
      const wanted = byVault.get(vault) ?? new Map<string, string[]>()
      byVault.set(vault, wanted.set(resolved.text, [...(wanted.get(resolved.text) ?? []), written]))
    }
    let failure: unknown
    for (const [vault, wanted] of byVault) {
      try {
        await this.#hydrate(vault, wanted, options, { outcomes, values })
      } catch (error) {
        failure ??= error
        for (const written of [...wanted.values()].flat()) outcomes.set(written, { error })
      }
    }
    // If no value was read, the first failure is thrown, so that it is reported once and not for each reference.
    if (failure !== undefined && values.size === 0) throw failure
    return new Lease(outcomes, values)
  }

  /**
   * Leases the value of one reference.
   *
   * @throws The errors of {@link Leases.of}, and the server's error if it refused the reference.
   */
  async one(reference: string, options: LeaseOptions = {}): Promise<Lease> {
    const lease = await this.of([reference], options)
    const outcome = lease.outcomes.get(reference)
    if (outcome && 'error' in outcome) throw outcome.error
    return lease
  }

  /**
   * Reads the values of one vault.
   *
   * @param wanted The references as written, by their resolved text.
   */
  async #hydrate(
    id: string,
    wanted: ReadonlyMap<string, string[]>,
    { scope, server, signal }: LeaseOptions,
    into: { outcomes: Map<string, LeaseOutcome>; values: Map<string, Redacted<string>> },
  ): Promise<void> {
    const vault = await this.#vaults.find(id, scope, server)
    const texts = [...wanted.keys()]
    for (let at = 0; at < texts.length; at += PER_CALL) {
      const some = texts.slice(at, at + PER_CALL)
      const answers = await this.#vaults.call(vault, (client) => client.hydrate(some, signal ? { signal } : {}))
      await Promise.all(
        answers.map(async (answer) => {
          const written = wanted.get(answer.reference) ?? []
          if ('error' in answer) {
            for (const one of written) into.outcomes.set(one, { error: answer.error })
            return
          }
          const { value, ...secret } = answer.secret
          const fingerprint = await this.#known.note(answer.reference, value.reveal())
          for (const one of written) {
            into.outcomes.set(one, { secret, fingerprint })
            into.values.set(one, value)
          }
        }),
      )
    }
  }
}

function unresolved(resolved: Exclude<Resolved, { reference: unknown }>): PosternError {
  const { t } = vscode.l10n
  const message =
    'missing' in resolved
      ? t(
          'the variable {0} is not set: choose an environment, or write {1}',
          resolved.missing,
          `\${${resolved.missing}:-default}`,
        )
      : explainMalformed(resolved.malformed)
  return new PosternError('bad_request', message)
}
