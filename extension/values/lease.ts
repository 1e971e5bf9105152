/**
 * The only place that asks for values. Each is asked for by one gesture of the user and let go of right after.
 *
 * @module
 */
import * as vscode from 'vscode'
import type { SecretValue } from '../../core/client/user.ts'
import { PosternError } from '../../core/errors.ts'
import type { Redacted } from '../../core/redacted.ts'
import { type Resolved, resolve } from '../../core/text/find_references.ts'
import type { Parts } from '../services.ts'
import { type Endpoint, environmentFor, isPresenting, variablesFor } from '../settings.ts'
import { ExtensionError, explainMalformed } from '../shared/errors.ts'

const PER_CALL = 200

/** What became of one reference, as it is written in a document. */
export type LeaseOutcome = { secret: Omit<SecretValue, 'value'>; fingerprint: string } | { error: unknown }

/** Values that are held for the length of one gesture. */
export class Lease implements Disposable {
  readonly outcomes: ReadonlyMap<string, LeaseOutcome>
  readonly #values: Map<string, Redacted<string>>

  constructor(outcomes: ReadonlyMap<string, LeaseOutcome>, values: Map<string, Redacted<string>>) {
    this.outcomes = outcomes
    this.#values = values
  }

  /**
   * The value of a reference.
   *
   * @throws whatever the server said about it.
   */
  value(reference: string): Redacted<string> {
    const value = this.#values.get(reference)
    const outcome = this.outcomes.get(reference)
    if (value !== undefined) return value
    throw outcome && 'error' in outcome ? outcome.error : new RangeError('Lease has ended')
  }

  [Symbol.dispose](): void {
    // Text cannot be wiped; what can be done is to let nothing point at it.
    this.#values.clear()
  }
}

export interface LeaseOptions {
  /** The document that holds the references: it decides on the server and the environment. */
  scope?: vscode.Uri
  environment?: string
  /** The server, when it was decided before. */
  server?: Endpoint | null
  /** Whether somebody is to see the values: not in presentation mode. */
  shown?: boolean
  signal?: AbortSignal
}

/**
 * Asks for the values of references. Those of one vault go in one request, 200 at a time.
 *
 * @param references As they are written, variables and all.
 * @throws {Hindrance} in Restricted Mode, in presentation mode for values to be shown, or when nobody is signed in
 *   to any of the vaults. A refusal of one reference is its outcome, and is not thrown.
 */
export async function lease(parts: Parts, references: Iterable<string>, options: LeaseOptions = {}): Promise<Lease> {
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
    const asked = byVault.get(vault) ?? new Map<string, string[]>()
    byVault.set(vault, asked.set(resolved.text, [...(asked.get(resolved.text) ?? []), written]))
  }
  let failure: unknown
  for (const [vault, asked] of byVault) {
    try {
      await askVault(parts, vault, asked, options, { outcomes, values })
    } catch (error) {
      failure ??= error
      for (const written of [...asked.values()].flat()) outcomes.set(written, { error })
    }
  }
  // When nothing at all was answered there is one reason, and it is told once.
  if (failure !== undefined && values.size === 0) throw failure
  return new Lease(outcomes, values)
}

/** Asks for one value that is to be shown, inserted or copied. */
export async function leaseOne(parts: Parts, reference: string, options: LeaseOptions = {}): Promise<Lease> {
  const one = await lease(parts, [reference], options)
  const outcome = one.outcomes.get(reference)
  if (outcome && 'error' in outcome) throw outcome.error
  return one
}

async function askVault(
  parts: Parts,
  id: string,
  asked: ReadonlyMap<string, string[]>,
  { scope, server, signal }: LeaseOptions,
  into: { outcomes: Map<string, LeaseOutcome>; values: Map<string, Redacted<string>> },
): Promise<void> {
  const vault = await parts.vaults.find(id, scope, server)
  const texts = [...asked.keys()]
  for (let at = 0; at < texts.length; at += PER_CALL) {
    const some = texts.slice(at, at + PER_CALL)
    const answers = await parts.vaults.call(vault, (client) => client.hydrate(some, signal ? { signal } : {}))
    await Promise.all(
      answers.map(async (answer) => {
        const written = asked.get(answer.reference) ?? []
        if ('error' in answer) {
          for (const one of written) into.outcomes.set(one, { error: answer.error })
          return
        }
        const { value, ...secret } = answer.secret
        const fingerprint = await parts.known.note(answer.reference, value.reveal())
        for (const one of written) {
          into.outcomes.set(one, { secret, fingerprint })
          into.values.set(one, value)
        }
      }),
    )
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
