/**
 * What is done for a vault without anybody asking: duties of the edge, which has the keys and the network,
 * around tasks of the vault, which has the rows.
 *
 * A duty tells when it is due again; nothing of that is stored. After a start every duty is due, so each has to
 * find from the vault what is left to do, and to do it again without harm.
 *
 * @module
 */

import type { Keyring } from '../../core/crypto/keyring.ts'
import type { Reason } from '../../core/errors.ts'
import type { Upstreams } from '../../core/provider_registry/registry.ts'
import type { Settings } from '../../core/settings/settings.ts'
import type { Anchor } from '../../core/tlog/anchor.ts'
import { type Answer, type Call, unwrap } from '../../core/vault/rpc.ts'
import type { TaskInput, TaskName, TaskOutput } from '../../core/vault/task_table.ts'
import { logLine } from '../telemetry/log.ts'
import { whereabouts } from '../telemetry/whereabouts.ts'
import type { Archive } from './backup_store.ts'

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 5 * 60_000
/** How long after it began to be busy it is woken again: an object may end in the middle, and with it whoever would wake it. */
const GUARD_MS = 60_000

/** What a duty works with. */
export interface Desk {
  /** The vault's id. */
  vault: string
  settings: Settings
  keyring: Keyring
  /** Where the newest checkpoint is kept beside the store. */
  anchors: readonly Anchor[]
  /** Stops serving the vault: its log is not what it should be. */
  quarantine(reason: Reason): void
  upstreams: Upstreams
  /** Where backups of the store go; `undefined` when nowhere. */
  archive?: Archive
  /** Tells the other duties that something was written. */
  stir(): void
  /**
   * Has the vault do a task.
   *
   * @throws {PosternError} the vault's refusal.
   */
  perform<K extends TaskName>(task: K, input: TaskInput<K>): Promise<TaskOutput<K>>
}

/** One thing that has to be done for a vault now and then. */
export interface Duty {
  name: string
  /** How soon it is due after something was written, in milliseconds; `null` when a write is nothing to it. */
  afterWriteMs: number | null
  /** What makes it due at once when it was asked of the vault. */
  wokenBy?: (call: Call) => boolean
  /**
   * Does what is to be done now. A throw is logged, and tried again later.
   *
   * @returns When it is due again, in milliseconds since the Unix epoch; `null` after the next write only.
   */
  run(desk: Desk): Promise<number | null>
}

/** Makes a desk's `perform` of the vault's own. */
export function performer(
  perform: (task: TaskName, input: never, now: number) => Answer | Promise<Answer>,
): Desk['perform'] {
  return async (task, input) => unwrap((await perform(task, input as never, Date.now())) as Answer<never>).value
}

/** Duties that are done one after another. */
interface Lane {
  duties: readonly Duty[]
  running: Promise<void> | null
}

/** Does the duties of one vault when they are due. */
export class Upkeep {
  readonly #desk: Desk
  readonly #wake: (at: number) => void
  readonly #lanes: readonly Lane[]
  readonly #due = new Map<Duty, number>()
  readonly #failures = new Map<Duty, number>()

  /**
   * @param lanes Duties that wait for each other; those of another lane do not. Whoever is asked over the network may not
   *   answer for long, and what has nothing to do with it must go on meanwhile.
   * @param wake Has {@link run} called at a time, in milliseconds since the Unix epoch; the last word counts.
   */
  constructor(desk: Desk, lanes: readonly (readonly Duty[])[], wake: (at: number) => void) {
    this.#desk = desk
    this.#wake = wake
    this.#lanes = lanes.map((duties) => ({ duties, running: null }))
    for (const duty of lanes.flat()) this.#due.set(duty, 0)
  }

  /** Tells that something was written, and by which calls. Cheap: it is called after every request. */
  stir(now: number, calls: readonly Call[] = []): void {
    let sooner = false
    for (const [duty, due] of this.#due) {
      // What fails has its own pauses, and writes do not shorten them; what somebody asks for does.
      const woken = duty.wokenBy !== undefined && calls.some(duty.wokenBy)
      const waitMs = woken ? 0 : this.#failures.has(duty) ? null : duty.afterWriteMs
      if (waitMs === null || due <= now + waitMs) continue
      this.#due.set(duty, now + waitMs)
      sooner = true
    }
    if (sooner) this.#wakeNext()
  }

  /** Makes a duty due at once, whatever became of it before. */
  summon(name: string): void {
    for (const duty of this.#due.keys()) if (duty.name === name) this.#due.set(duty, 0)
    this.#wakeNext()
  }

  /**
   * Does what is due, but for what is being done already. It never throws.
   *
   * @returns When all of that is done, and what was going on before.
   */
  async run(now: number): Promise<void> {
    for (const lane of this.#lanes) this.#start(lane, now)
    this.#wakeNext()
    await Promise.all(this.#lanes.map(({ running }) => running))
  }

  #start(lane: Lane, now: number): void {
    if (lane.running !== null || this.#nextOf(lane) > now) return
    lane.running = this.#runDue(lane.duties, now).finally(() => {
      lane.running = null
      this.#wakeNext()
    })
  }

  #nextOf({ duties }: Lane): number {
    return Math.min(...duties.map((duty) => this.#due.get(duty)!))
  }

  async #runDue(duties: readonly Duty[], now: number): Promise<void> {
    for (const duty of duties) {
      if (this.#due.get(duty)! > now) continue
      // What is written from here on counts as new.
      this.#due.set(duty, Number.POSITIVE_INFINITY)
      const again = await this.#attempt(duty)
      this.#due.set(duty, Math.min(again, this.#due.get(duty)!))
    }
  }

  async #attempt(duty: Duty): Promise<number> {
    try {
      const again = await duty.run(this.#desk)
      this.#failures.delete(duty)
      return again ?? Number.POSITIVE_INFINITY
    } catch (error) {
      const failures = (this.#failures.get(duty) ?? 0) + 1
      this.#failures.set(duty, failures)
      logLine('warn', 'duty_failed', { vault: this.#desk.vault, duty: duty.name, failures, ...whereabouts(error) })
      // Full jitter, but never at once: many vaults must not come back to a server together.
      const most = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
      return Date.now() + FIRST_RETRY_MS + Math.random() * most
    }
  }

  #wakeNext(): void {
    const times = this.#lanes.map((lane) => (lane.running === null ? this.#nextOf(lane) : Date.now() + GUARD_MS))
    const next = Math.min(...times)
    if (Number.isFinite(next)) this.#wake(next)
  }
}
