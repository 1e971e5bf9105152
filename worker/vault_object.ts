import { DurableObject } from 'cloudflare:workers'
import { securityPolicy } from '../core/access/security_policy.ts'
import type { Answer, Call } from '../core/call.ts'
import { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { isMigrated } from '../core/schema.ts'
import { parseSettings, type Settings } from '../core/settings.ts'
import type { Sql, SqlValue } from '../core/sql.ts'
import { Vault } from '../core/vault.ts'
import { dutiesOf } from './duties.ts'
import { logLine } from './oplog.ts'
import { whereabouts } from './problem.ts'
import { performer, Upkeep } from './upkeep.ts'

/**
 * One vault as a Durable Object. Its calls run one at a time, and what they write is on disk before
 * an answer leaves (the output gate).
 */
export class VaultObject extends DurableObject {
  readonly #storage: Sql
  readonly #settings: Settings
  #vault: Vault | null = null
  #upkeep: Promise<Upkeep> | null = null
  /** When the alarm is set to ring, as far as this object set it. */
  #alarmAt = Number.POSITIVE_INFINITY

  constructor(context: DurableObjectState, env: Cloudflare.Env) {
    super(context, env)
    this.#storage = openStorage(context.storage)
    this.#settings = settingsOf(env)
    if (isMigrated(this.#storage)) this.#open()
  }

  /** Answers calls in one transaction. Refusals are values: an error would lose its code on the way. */
  execute(calls: Call[]): Answer[] {
    // Nothing is written for a vault that nobody made: strangers may name any.
    const vault = this.#vault ?? (calls.some(({ caller }) => caller.bootstrap) ? this.#open() : null)
    if (vault === null) return calls.map(() => ({ ok: false, index: null, quota: null, reason: 'unauthenticated' }))
    const answers = vault.execute(calls, Date.now())
    this.ctx.waitUntil(this.#stir())
    return answers
  }

  /** The vault's upkeep is due. */
  override async alarm(): Promise<void> {
    this.#alarmAt = Number.POSITIVE_INFINITY
    if (this.#vault !== null) await (await this.#keepUp(this.#vault)).run(Date.now())
  }

  async #stir(): Promise<void> {
    if (this.#vault === null) return
    const upkeep = await this.#keepUp(this.#vault)
    upkeep.stir(Date.now())
  }

  /** The edge's work on a vault is done here, by its alarm; the vault itself still has no keys. */
  #keepUp(vault: Vault): Promise<Upkeep> {
    this.#upkeep ??= this.#startUpkeep(vault)
    return this.#upkeep
  }

  async #startUpkeep(vault: Vault): Promise<Upkeep> {
    const { rootKey } = this.#settings
    if (rootKey === undefined) throw new PosternError('bad_request', 'POSTERN_ROOT_KEY: Must be set')
    const perform = performer((...asked) => vault.perform(...asked))
    const desk = {
      vault: vault.called(this.ctx.id.name),
      settings: this.#settings,
      keyring: await Keyring.open(rootKey),
      perform,
    }
    // Everything is due at a start.
    this.#wake(Date.now())
    return new Upkeep(desk, dutiesOf(), (at) => this.#wake(at))
  }

  /** There is one alarm: it rings for whatever is due first. */
  #wake(at: number): void {
    if (at >= this.#alarmAt) return
    this.#alarmAt = at
    void this.ctx.storage.setAlarm(at)
  }

  #open(): Vault {
    this.#vault = new Vault(this.#storage, securityPolicy(this.#settings.security), Date.now(), (error) => {
      logLine('error', 'vault_failed', whereabouts(error))
    })
    return this.#vault
  }
}

/** The object has the same settings as the Worker in front of it. */
function settingsOf(env: object): Settings {
  const given = Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return parseSettings({ environment: Object.fromEntries(given) })
}

/** The storage port over a Durable Object. */
export function openStorage(storage: DurableObjectStorage): Sql {
  return {
    all<Row>(query: string, ...params: SqlValue[]): Row[] {
      return storage.sql
        .exec(query, ...params)
        .toArray()
        .map(bytesOf) as Row[]
    },
    atomic: (fn) => storage.transactionSync(fn),
    // Its journal is not ours to cut: point-in-time recovery keeps 30 days.
    scrub: () => {},
  }
}

/** The storage returns blobs as `ArrayBuffer`. */
function bytesOf(row: Record<string, SqlStorageValue>): Record<string, SqlValue> {
  for (const [column, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) Reflect.set(row, column, new Uint8Array(value))
  }
  return row as Record<string, SqlValue>
}
