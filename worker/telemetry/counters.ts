/**
 * Counters and histograms of requests and transactions, kept in this process or isolate.
 *
 * @module
 */
import { Histogram } from '../../core/histogram.ts'
import type { AnsweredRequest } from './request_timing.ts'

/** The upper bounds of durations, in seconds: from a read out of memory to a provider that times out. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const
/** The upper bounds of calls in a transaction, which takes up to 500. */
const CALLS = [1, 2, 5, 10, 25, 50, 100, 250, 500] as const

/**
 * Counters by label, each made when first used. Labels must come from a closed set, never from clients, which could
 * create counters at will.
 */
export class Labelled<T> {
  /** The counters, by label. */
  readonly entries = new Map<string, T>()
  readonly #make: () => T

  constructor(make: () => T) {
    this.#make = make
  }

  /** The counter of a label. */
  of(label: string): T {
    const known = this.entries.get(label) ?? this.#make()
    this.entries.set(label, known)
    return known
  }
}

/** Counts requests by operation and outcome, and the time that they take. */
export class RequestCounters {
  /** By operation. */
  readonly requests = new Labelled(() => ({ outcomes: new Map<string, number>(), seconds: new Histogram(SECONDS) }))
  readonly phases = new Labelled(() => new Histogram(SECONDS))

  /** Counts a request that was answered. */
  note({ route, outcome, durationMs, timing }: AnsweredRequest): void {
    const { outcomes, seconds } = this.requests.of(route?.id ?? 'none')
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    seconds.note(durationMs / 1000)
    for (const { phase, startMs, endMs } of timing.spans) this.phases.of(phase).note((endMs - startMs) / 1000)
  }
}

/** Counts the transactions of the vaults of a process. */
export class TransactionCounters {
  readonly seconds = new Histogram(SECONDS)
  readonly calls = new Histogram(CALLS)

  /**
   * Counts a transaction.
   *
   * @param calls The number of calls that it answered.
   * @param ms How long it took, in milliseconds.
   */
  note(calls: number, ms: number): void {
    this.calls.note(calls)
    this.seconds.note(ms / 1000)
  }
}
