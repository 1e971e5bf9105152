/**
 * From one replica of a secret to the next: when it goes on, and when it does not.
 *
 * An answer is not an outage. A replica that says no, whatever it says, ends the search: a secret that was revoked
 * must not come from a replica that has not heard of it.
 *
 * @module
 */
import { ANSWERS, type FailureKind, OUTAGES, type Provider, ProviderFailure } from './provider.ts'
import { isBroken, type Rest, type Upstream } from './upstream.ts'

/** One place where a secret is kept: a provider, and the secret's name there. */
export interface Replica {
  upstream: Upstream
  name: string
}

/** A replica that was passed over, and why. */
export interface Skipped {
  provider: string
  why: FailureKind | Rest
}

/** What a chain came to. */
export type Reply<T> = { skipped: Skipped[] } & (
  | { value: T; provider: string }
  // No provider when none was left to answer.
  | { failure: FailureKind; provider: string | null }
)

export interface FailoverOptions {
  /** How long all of it may take, in milliseconds. */
  deadlineMs: number
  /** How long one replica may take, in milliseconds. */
  attemptMs: number
  /** Whether a replica that has no such secret ends the search, as it should, or not. */
  onNotFound: 'stop' | 'next'
}

/** What failover does with each kind of failure; `docs/providers.md` is checked against it. */
export const ON_FAILURE: Readonly<Record<FailureKind, 'stop' | 'next'>> = Object.freeze({
  ...(Object.fromEntries(ANSWERS.map((kind) => [kind, 'stop'])) as Record<(typeof ANSWERS)[number], 'stop'>),
  ...(Object.fromEntries(OUTAGES.map((kind) => [kind, 'next'])) as Record<(typeof OUTAGES)[number], 'next'>),
})

const RETRY_DELAY_MS = 200
/** Less time is not worth an attempt. */
const MIN_ATTEMPT_MS = 20

/** Asks one replica. */
export type AskReplica<T> = (provider: Provider, name: string, signal: AbortSignal) => Promise<T>

/**
 * Asks the replicas in order until one answers. It does not throw.
 *
 * When none could be reached it goes through them once more, after a pause and within the providers' budgets of
 * retries: the only place where anything is asked twice.
 */
export async function failover<T>(
  replicas: readonly Replica[],
  ask: AskReplica<T>,
  options: FailoverOptions,
): Promise<Reply<T>> {
  const endsAt = performance.now() + options.deadlineMs
  const first = await askInOrder(replicas, ask, { ...options, endsAt })
  if (!('failure' in first) || first.provider !== null) return first
  const again = replicas.filter(({ upstream }) => wasAbsent(first.skipped, upstream) && upstream.takeRetry())
  const pauseMs = Math.random() * RETRY_DELAY_MS
  if (again.length === 0 || performance.now() + pauseMs + MIN_ATTEMPT_MS > endsAt) return first
  await new Promise((resolve) => setTimeout(resolve, pauseMs))
  const second = await askInOrder(again, ask, { ...options, endsAt })
  return { ...second, skipped: [...first.skipped, ...second.skipped] }
}

async function askInOrder<T>(
  replicas: readonly Replica[],
  ask: AskReplica<T>,
  { attemptMs, onNotFound, endsAt }: FailoverOptions & { endsAt: number },
): Promise<Reply<T>> {
  const skipped: Skipped[] = []
  let absent: { failure: FailureKind; provider: string } | null = null
  for (const [i, { upstream, name }] of replicas.entries()) {
    const provider = upstream.id
    // Those behind get their share of what is left, however long the first ones take.
    const timeoutMs = Math.min(attemptMs, (endsAt - performance.now()) / (replicas.length - i))
    const rest = upstream.rest(Date.now())
    if (rest !== null || timeoutMs < MIN_ATTEMPT_MS) {
      skipped.push({ provider, why: rest ?? 'timeout' })
      continue
    }
    try {
      return { value: await upstream.ask((it, signal) => ask(it, name, signal), timeoutMs), provider, skipped }
    } catch (error) {
      if (!(error instanceof ProviderFailure)) {
        if (!isBroken(error)) throw error
        skipped.push({ provider, why: 'breaker' })
        continue
      }
      const goesOn = ON_FAILURE[error.kind] === 'next' || (error.kind === 'not_found' && onNotFound === 'next')
      if (!goesOn) return { failure: error.kind, provider, skipped }
      skipped.push({ provider, why: error.kind })
      if (error.kind === 'not_found') absent ??= { failure: 'not_found', provider }
    }
  }
  // Not there, as far as all could be asked; what one of them has that could not be asked is not known.
  const allAnswered = skipped.every(({ why }) => why === 'not_found')
  return absent !== null && allAnswered
    ? { ...absent, skipped }
    : { failure: worstOf(skipped), provider: null, skipped }
}

/** What is said when no replica could be asked: throttled only if that is all that is wrong. */
function worstOf(skipped: readonly Skipped[]): FailureKind {
  const [first] = skipped
  const same = skipped.every(({ why }) => why === first?.why)
  return same && first !== undefined && first.why in ON_FAILURE ? (first.why as FailureKind) : 'unavailable'
}

/** Whether a provider failed in a way that a second try may mend soon. */
function wasAbsent(skipped: readonly Skipped[], { id }: Upstream): boolean {
  return skipped.some(({ provider, why }) => provider === id && why === 'unavailable')
}
