/**
 * Counters and histograms of requests, kept in this process or isolate.
 *
 * @module
 */
import type { Ended } from './request_timing.ts'

/** The upper bounds of buckets, in seconds: from a read out of memory to a provider that does not answer. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const
/** The upper bounds of batches: a transaction takes up to 500 calls. */
const CALLS = [1, 2, 5, 10, 25, 50, 100, 250, 500] as const

/** How values are spread, as Prometheus wants it. */
export class Histogram {
  readonly bounds: readonly number[]
  readonly #buckets: number[]
  #count = 0
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.#buckets = bounds.map(() => 0)
  }

  note(value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound)
    if (bucket >= 0) this.#buckets[bucket]!++
    this.#count++
    this.#sum += value
  }

  /** Counts by bucket, each with those of the smaller buckets. */
  read(): { cumulative: number[]; count: number; sum: number } {
    let below = 0
    const cumulative = this.#buckets.map((count) => {
      below += count
      return below
    })
    return { cumulative, count: this.#count, sum: this.#sum }
  }
}

/** Things by a label. The labels are from closed sets of ours, or a client could make as many as it likes. */
export class Labelled<T> {
  readonly entries = new Map<string, T>()
  readonly #make: () => T

  constructor(make: () => T) {
    this.#make = make
  }

  of(label: string): T {
    const known = this.entries.get(label) ?? this.#make()
    this.entries.set(label, known)
    return known
  }
}

/** What is counted of requests. */
export class Meters {
  /** By operation and outcome. */
  readonly requests = new Labelled(() => ({ outcomes: new Map<string, number>(), seconds: new Histogram(SECONDS) }))
  readonly phases = new Labelled(() => new Histogram(SECONDS))

  note({ route, outcome, durationMs, observation }: Ended): void {
    const { outcomes, seconds } = this.requests.of(route?.id ?? 'none')
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    seconds.note(durationMs / 1000)
    for (const { phase, startMs, endMs } of observation.spans) this.phases.of(phase).note((endMs - startMs) / 1000)
  }
}

/** Transactions of the vaults of a process. */
export class Transactions {
  readonly seconds = new Histogram(SECONDS)
  readonly calls = new Histogram(CALLS)

  note(calls: number, ms: number): void {
    this.calls.note(calls)
    this.seconds.note(ms / 1000)
  }
}
