/**
 * Runs the jobs of a vault. A job is what the edge, which has the keys and the network, does for a vault without a
 * request; the vault's own part of it, on its rows, is a task.
 *
 * A job says when it is due again. None of that is stored: every job is due after a start, finds in the vault what is
 * left to do, and can do it twice without harm.
 *
 * @module
 */
import type { Call } from '../../core/vault/rpc.ts'
import { logLine } from '../telemetry/log.ts'
import { whereabouts } from '../telemetry/whereabouts.ts'
import type { VaultServices } from '../vault_services.ts'

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 5 * 60_000
/** How soon a busy scheduler is woken again: a Durable Object may be evicted in the middle of a job, and its timers with it. */
const GUARD_MS = 60_000

/** One kind of work that a vault needs now and then. */
export interface Job {
  name: string
  /** How soon it is due after a write, in milliseconds; `null` if writes do not matter to it. */
  afterWriteMs: number | null
  /** Whether a call makes it due at once. */
  triggeredBy?: (call: Call) => boolean
  /**
   * Does what is due. An error is logged, and the job is retried later.
   *
   * @returns When it is due again, in milliseconds since the Unix epoch; `null` for after the next write.
   */
  run(services: VaultServices): Promise<number | null>
}

/** Jobs that run one after another. */
interface Queue {
  jobs: readonly Job[]
  running: Promise<void> | null
}

/** Runs the jobs of one vault when they are due. */
export class Scheduler {
  readonly #services: VaultServices
  readonly #wake: (at: number) => void
  readonly #queues: readonly Queue[]
  readonly #due = new Map<Job, number>()
  readonly #failures = new Map<Job, number>()

  /**
   * @param queues The jobs of a queue wait for each other, and not for those of other queues: a server that does not
   *   answer holds up only the jobs that need it.
   * @param wake Schedules the next {@link run} at this time, in milliseconds since the Unix epoch, replacing any earlier
   *   one.
   */
  constructor(services: VaultServices, queues: readonly (readonly Job[])[], wake: (at: number) => void) {
    this.#services = services
    this.#wake = wake
    this.#queues = queues.map((jobs) => ({ jobs, running: null }))
    for (const job of queues.flat()) this.#due.set(job, 0)
  }

  /** Makes jobs due sooner after a write. Cheap: it is called after every request. @param calls What was written by. */
  notifyWrite(now: number, calls: readonly Call[] = []): void {
    let sooner = false
    for (const [job, due] of this.#due) {
      // A job that fails keeps its pauses, which writes do not shorten; a call that triggers it does.
      const isTriggered = job.triggeredBy !== undefined && calls.some(job.triggeredBy)
      const waitMs = isTriggered ? 0 : this.#failures.has(job) ? null : job.afterWriteMs
      if (waitMs === null || due <= now + waitMs) continue
      this.#due.set(job, now + waitMs)
      sooner = true
    }
    if (sooner) this.#wakeNext()
  }

  /** Makes a job due at once, even while it waits for a retry. */
  runNow(name: string): void {
    for (const job of this.#due.keys()) if (job.name === name) this.#due.set(job, 0)
    this.#wakeNext()
  }

  /**
   * Runs the jobs that are due and not running. It never throws.
   *
   * @returns When these jobs, and those that were running, are done.
   */
  async run(now: number): Promise<void> {
    for (const queue of this.#queues) this.#start(queue, now)
    this.#wakeNext()
    await Promise.all(this.#queues.map(({ running }) => running))
  }

  #start(queue: Queue, now: number): void {
    if (queue.running !== null || this.#nextOf(queue) > now) return
    queue.running = this.#runDue(queue.jobs, now).finally(() => {
      queue.running = null
      this.#wakeNext()
    })
  }

  #nextOf({ jobs }: Queue): number {
    return Math.min(...jobs.map((job) => this.#due.get(job)!))
  }

  async #runDue(jobs: readonly Job[], now: number): Promise<void> {
    for (const job of jobs) {
      if (this.#due.get(job)! > now) continue
      // A write from here on makes it due again.
      this.#due.set(job, Number.POSITIVE_INFINITY)
      const again = await this.#attempt(job)
      this.#due.set(job, Math.min(again, this.#due.get(job)!))
    }
  }

  /** @returns When the job is due again. */
  async #attempt(job: Job): Promise<number> {
    try {
      const again = await job.run(this.#services)
      this.#failures.delete(job)
      return again ?? Number.POSITIVE_INFINITY
    } catch (error) {
      const failures = (this.#failures.get(job) ?? 0) + 1
      this.#failures.set(job, failures)
      const { vault } = this.#services
      logLine('warn', 'duty_failed', { vault, duty: job.name, failures, ...whereabouts(error) })
      // Full jitter, but never at once: many vaults must not come back to a server together.
      const longestMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
      return Date.now() + FIRST_RETRY_MS + Math.random() * longestMs
    }
  }

  #wakeNext(): void {
    const times = this.#queues.map((queue) => (queue.running === null ? this.#nextOf(queue) : Date.now() + GUARD_MS))
    const next = Math.min(...times)
    if (Number.isFinite(next)) this.#wake(next)
  }
}
