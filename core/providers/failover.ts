/**
 * Failover: which member of a chain is tried after which outcome.
 *
 * An answer is not an outage. A refusal by a member ends the search, since a revoked secret must not come from a member
 * that has not heard of the revocation. An outage is not an absence: a member without the secret says nothing about a
 * primary that is unreachable.
 *
 * @module
 */

import { sleep } from '../sleep.ts'
import { type GuardedProvider, isBreakerOpen } from './guarded_provider.ts'
import { ANSWERS, type FailureKind, OUTAGES, type Provider, ProviderFailure } from './provider.ts'
import { ABSENT, isAbsence, type SkippedMember, type SkipReason } from './skipped.ts'

/** A member of a chain, resolved for one secret: the guarded provider, and the name of the secret there. */
export interface ResolvedMember {
  guarded: GuardedProvider
  name: string
}

/** A member that cannot have a secret of this name, and the sentence that says why. It is not called. */
export interface UnnamedMember {
  guarded: GuardedProvider
  name: null
  problem: string
}

/** A member of a chain, resolved for one secret. */
export type ChainMember = ResolvedMember | UnnamedMember

/** The outcome of a search through a chain. */
export type ChainReply<T> = { skipped: SkippedMember[] } & (
  | { value: T; provider: string }
  // `null` if no member could answer for the chain.
  | { failure: FailureKind; provider: string | null; limitBytes?: number | null; problem?: string }
)

/** Limits of a search through a chain. */
export interface FailoverOptions {
  /** The time for the whole search, in milliseconds. */
  deadlineMs: number
  /** The time for one member, in milliseconds. */
  attemptMs: number
  /** Whether a member without the secret ends the search, which is the safe choice. */
  onNotFound: 'stop' | 'next'
  /** Members that are skipped, because they may still have an outdated value. */
  outdated?: readonly string[]
}

/** What failover does with each kind of failure; `docs/concepts/chains.md` is checked against it. */
export const ON_FAILURE: Readonly<Record<FailureKind, 'stop' | 'next'>> = Object.freeze({
  ...(Object.fromEntries(ANSWERS.map((kind) => [kind, 'stop'])) as Record<(typeof ANSWERS)[number], 'stop'>),
  ...(Object.fromEntries(OUTAGES.map((kind) => [kind, 'next'])) as Record<(typeof OUTAGES)[number], 'next'>),
})

const RETRY_DELAY_MS = 200
/** Less time is not worth an attempt. */
const MIN_ATTEMPT_MS = 20

/** Makes one request to a member. */
export type AskMember<T> = (provider: Provider, name: string, signal: AbortSignal) => Promise<T>

/**
 * Tries the members in order until one answers. Throws only errors that are not failures of a provider.
 *
 * If no member could be reached, it tries them once more, after a pause and within the retry budget of each: the only
 * place where a request is repeated.
 *
 * @param members The primary first. An absence that only a later member reports is an outage of those before it.
 */
export async function failover<T>(
  members: readonly ChainMember[],
  ask: AskMember<T>,
  options: FailoverOptions,
): Promise<ChainReply<T>> {
  const search = new Search(members, options)
  const first = await search.run(members, ask)
  if (!('failure' in first) || first.provider !== null) return first
  const again = members.filter(({ guarded }) => wasAway(first.skipped, guarded) && guarded.takeRetry())
  const pauseMs = Math.random() * RETRY_DELAY_MS
  if (again.length === 0 || performance.now() + pauseMs + MIN_ATTEMPT_MS > search.endsAt) return first
  await sleep(pauseMs)
  return search.run(again, ask)
}

/** One search through a chain, in one pass or two. */
class Search {
  readonly endsAt: number
  readonly #options: FailoverOptions
  readonly #primary: string | undefined
  readonly #skipped: SkippedMember[] = []
  /** The last outcome of each skipped member. */
  readonly #last = new Map<string, SkipReason>()

  constructor(members: readonly ChainMember[], options: FailoverOptions) {
    this.endsAt = performance.now() + options.deadlineMs
    this.#options = options
    this.#primary = members[0]?.guarded.id
  }

  async run<T>(members: readonly ChainMember[], ask: AskMember<T>): Promise<ChainReply<T>> {
    const { attemptMs, onNotFound, outdated = [] } = this.#options
    for (const [i, member] of members.entries()) {
      const { guarded, name } = member
      const provider = guarded.id
      if (name === null) {
        // Without a name at the primary, where writes go, the chain cannot have the secret.
        if (provider === this.#primary) return { failure: 'name', provider, problem: member.problem, skipped: [] }
        this.#skip(provider, 'name')
        continue
      }
      // Later members get their share of the time that is left, however slow the first ones are.
      const timeoutMs = Math.min(attemptMs, (this.endsAt - performance.now()) / (members.length - i))
      const rest = outdated.includes(provider) ? 'outdated' : guarded.rest(Date.now(), name)
      if (rest !== null || timeoutMs < MIN_ATTEMPT_MS) {
        this.#skip(provider, rest ?? 'timeout')
        continue
      }
      try {
        const value = await guarded.ask((it, signal) => ask(it, name, signal), timeoutMs, name)
        return { value, provider, skipped: this.#skipped }
      } catch (error) {
        if (!(error instanceof ProviderFailure)) {
          if (!isBreakerOpen(error)) throw error
          this.#skip(provider, 'breaker')
          continue
        }
        const { kind } = error
        if (ON_FAILURE[kind] === 'stop' && !(kind === 'not_found' && onNotFound === 'next'))
          return this.#end(provider, error)
        this.#skip(provider, kind)
      }
    }
    // Either every member has answered that there is no secret, or the answer of one is unknown.
    const first = [...this.#last].find(([, why]) => why === 'not_found')
    const allAnswered = [...this.#last.values()].every((why) => why === 'not_found' || why === 'name')
    if (first !== undefined && allAnswered) return { failure: 'not_found', provider: first[0], skipped: this.#skipped }
    return this.#outage()
  }

  /** Ends the search with an answer. */
  #end<T>(provider: string, { kind: failure, limitBytes }: ProviderFailure): ChainReply<T> {
    const isFinal = provider === this.#primary || !ABSENT.includes(failure) || !this.#isAnyAway()
    if (isFinal) return { failure, provider, limitBytes, skipped: this.#skipped }
    this.#skip(provider, failure)
    return this.#outage()
  }

  /** Whether a member that may have the secret was unreachable. */
  #isAnyAway(): boolean {
    return [...this.#last.values()].some((why) => !isAbsence(why))
  }

  /** Ends with the kind of the outages if all are of one kind, else with `unavailable`. */
  #outage<T>(): ChainReply<T> {
    const reasons = this.#skipped.map(({ why }) => why).filter((why) => !isAbsence(why))
    const [first] = reasons
    const same = first !== undefined && reasons.every((why) => why === first) && first in ON_FAILURE
    return { failure: same ? (first as FailureKind) : 'unavailable', provider: null, skipped: this.#skipped }
  }

  #skip(provider: string, why: SkipReason): void {
    this.#skipped.push({ provider, why })
    this.#last.set(provider, why)
  }
}

/** Whether a provider failed in a way that a second try may soon fix. */
function wasAway(skipped: readonly SkippedMember[], { id }: GuardedProvider): boolean {
  return skipped.some(({ provider, why }) => provider === id && why === 'unavailable')
}
