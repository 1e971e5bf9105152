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

/** One place where a secret is kept: a provider, and the secret's name there. */
export interface ResolvedMember {
  guarded: GuardedProvider
  name: string
}

/** What a chain came to. */
export type ChainReply<T> = { skipped: SkippedMember[] } & (
  | { value: T; provider: string }
  // No provider when none could answer for the chain.
  | { failure: FailureKind; provider: string | null; limitBytes?: number | null }
)

/** Limits of a search through a chain. */
export interface FailoverOptions {
  /** How long all of it may take, in milliseconds. */
  deadlineMs: number
  /** How long one replica may take, in milliseconds. */
  attemptMs: number
  /** Whether a replica that has no such secret ends the search, as it should, or not. */
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

/** Asks one replica. */
export type AskMember<T> = (provider: Provider, name: string, signal: AbortSignal) => Promise<T>

/**
 * Asks the replicas in order until one answers. Throws only what is not a provider's failure.
 *
 * When none could be reached it goes through them once more, after a pause and within the providers' budgets of
 * retries: the only place where anything is asked twice.
 *
 * @param replicas The primary first. An absence that only a replica reports is an outage of those before it.
 */
export async function failover<T>(
  replicas: readonly ResolvedMember[],
  ask: AskMember<T>,
  options: FailoverOptions,
): Promise<ChainReply<T>> {
  const search = new Search(replicas, options)
  const first = await search.run(replicas, ask)
  if (!('failure' in first) || first.provider !== null) return first
  const again = replicas.filter(({ guarded }) => wasAway(first.skipped, guarded) && guarded.takeRetry())
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
  /** What each member came to last. */
  readonly #last = new Map<string, SkipReason>()

  constructor(replicas: readonly ResolvedMember[], options: FailoverOptions) {
    this.endsAt = performance.now() + options.deadlineMs
    this.#options = options
    this.#primary = replicas[0]?.guarded.id
  }

  async run<T>(replicas: readonly ResolvedMember[], ask: AskMember<T>): Promise<ChainReply<T>> {
    const { attemptMs, onNotFound, outdated = [] } = this.#options
    for (const [i, { guarded, name }] of replicas.entries()) {
      const provider = guarded.id
      // Those behind get their share of what is left, however long the first ones take.
      const timeoutMs = Math.min(attemptMs, (this.endsAt - performance.now()) / (replicas.length - i))
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
    // Every member said so, or what one of them has is not known.
    const first = [...this.#last].find(([, why]) => why === 'not_found')
    const allAnswered = [...this.#last.values()].every((why) => why === 'not_found')
    if (first !== undefined && allAnswered) return { failure: 'not_found', provider: first[0], skipped: this.#skipped }
    return this.#outage()
  }

  /** An answer that ends the search. */
  #end<T>(provider: string, { kind: failure, limitBytes }: ProviderFailure): ChainReply<T> {
    const isFinal = provider === this.#primary || !ABSENT.includes(failure) || !this.#isAnyAway()
    if (isFinal) return { failure, provider, limitBytes, skipped: this.#skipped }
    this.#skip(provider, failure)
    return this.#outage()
  }

  /** Whether a member that might have the secret could not be asked. */
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

/** Whether a provider failed in a way that a second try may mend soon. */
function wasAway(skipped: readonly SkippedMember[], { id }: GuardedProvider): boolean {
  return skipped.some(({ provider, why }) => provider === id && why === 'unavailable')
}
