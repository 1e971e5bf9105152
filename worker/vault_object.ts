/**
 * One vault as a Durable Object, with the storage port over it.
 *
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import { Keyring } from '../core/crypto/keyring.ts'
import { PosternError } from '../core/errors.ts'
import { parseSettings, type Settings } from '../core/settings/settings.ts'
import type { Anchor } from '../core/tlog/anchor.ts'
import { isMigrated } from '../core/vault/migrate.ts'
import { type Answer, type Call, isBootstrap } from '../core/vault/rpc.ts'
import type { Sql, SqlValue } from '../core/vault/sql.ts'
import { httpAnchors, registryOf } from './compose.ts'
import { logLine } from './telemetry/log.ts'
import { groupCommit } from './vault_host/group_commit.ts'
import { answersWithoutVault, type Execute } from './vault_host/host.ts'
import { type OpenVault, openVault } from './vault_host/open_vault.ts'

/** How long an alarm waits for the jobs that it starts. */
const ALARM_MS = 2000

interface OpenedObject extends OpenVault {
  execute: Execute
}

/**
 * One vault as a Durable Object. Concurrent calls share one transaction, and their writes are durable before an answer
 * leaves (the output gate).
 *
 * The jobs of the edge run here too, by the alarm. The vault itself has no keys.
 */
export class VaultObject extends DurableObject {
  readonly #storage: Sql
  readonly #settings: Settings
  #opening: Promise<OpenedObject> | null = null
  /** The time of the alarm that this object set last, in milliseconds since the Unix epoch. */
  #alarmAt = Number.POSITIVE_INFINITY

  constructor(context: DurableObjectState, env: Cloudflare.Env) {
    super(context, env)
    this.#storage = openStorage(context.storage)
    this.#settings = settingsOf(env)
    if (isMigrated(this.#storage)) void context.blockConcurrencyWhile(async () => void (await this.#open()))
  }

  /** Answers calls. Refusals are values, since an error would lose its code over RPC. */
  async execute(calls: Call[]): Promise<Answer[]> {
    // Strangers may name any vault: nothing is written for one that was never created.
    const opening = this.#opening ?? (calls.some(({ caller }) => isBootstrap(caller.credential)) ? this.#open() : null)
    if (opening === null) return answersWithoutVault(calls)
    return (await opening).execute(calls)
  }

  /** Runs the jobs that are due. Another alarm cannot ring before this one ends, so it does not wait for long jobs. */
  override async alarm(): Promise<void> {
    this.#alarmAt = Number.POSITIVE_INFINITY
    const opened = await this.#opening
    if (opened !== null) await Promise.race([opened.scheduler.run(Date.now()), scheduler.wait(ALARM_MS)])
  }

  /** Opens the vault. After a failure, the next call tries again. */
  #open(): Promise<OpenedObject> {
    const opening = this.#openWithKeys()
    this.#opening = opening
    opening.catch((error) => {
      this.#opening = null
      const message = error instanceof PosternError ? error.message : 'Vault cannot be opened'
      logLine('error', 'vault_unavailable', { vault: this.ctx.id.name ?? null, message })
    })
    return opening
  }

  async #openWithKeys(): Promise<OpenedObject> {
    const { rootKey } = this.#settings
    if (rootKey === undefined) throw new PosternError('bad_request', 'POSTERN_ROOT_KEY: Must be set')
    const anchors = [...httpAnchors({ settings: this.#settings }), ...bucketAnchors(this.env)]
    const registry = registryOf({ settings: this.#settings }, null)
    const keyring = await Keyring.open(rootKey, this.#settings)
    const options = { settings: this.#settings, keyring, anchors, registry }
    const opened = await openVault(this.#storage, this.ctx.id.name, options, (_, at) => this.#wake(at))
    const { vault, scheduler } = opened
    const execute = groupCommit(
      vault,
      (calls) => scheduler.notifyWrite(Date.now(), calls),
      (work) => void setTimeout(work),
    )
    return { ...opened, execute }
  }

  /** Sets the only alarm, for the first job that is due. */
  #wake(at: number): void {
    if (at === this.#alarmAt) return
    this.#alarmAt = at
    void this.ctx.storage.setAlarm(at)
  }
}

/** Reads the settings, which are those of the Worker in front. */
function settingsOf(env: object): Settings {
  const given = Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return parseSettings({ environment: Object.fromEntries(given) }, { hasFiles: false })
}

/** The anchor in an R2 bucket bound as `ANCHOR`: it keeps the newest checkpoint of each vault. */
function bucketAnchors(env: object): Anchor[] {
  const { ANCHOR: bucket } = env as { ANCHOR?: R2Bucket }
  if (bucket === undefined) return []
  const keyOf = (vault: string) => `${vault}.checkpoint`
  return [
    {
      target: 'anchor:bucket',
      read: async (vault) => (await (await bucket.get(keyOf(vault)))?.text()) ?? null,
      write: async (vault, note) => void (await bucket.put(keyOf(vault), note)),
    },
  ]
}

/** Opens the storage port over a Durable Object. */
export function openStorage(storage: DurableObjectStorage): Sql {
  return {
    all<Row>(query: string, ...params: SqlValue[]): Row[] {
      return storage.sql
        .exec(query, ...params)
        .toArray()
        .map(bytesOf) as Row[]
    },
    atomic: (fn) => storage.transactionSync(fn),
    // The platform owns the journal: its point-in-time recovery keeps 30 days.
    scrub: () => {},
  }
}

/** Converts the blobs that the storage returns as `ArrayBuffer`. */
function bytesOf(row: Record<string, SqlStorageValue>): Record<string, SqlValue> {
  for (const [column, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) Reflect.set(row, column, new Uint8Array(value))
  }
  return row as Record<string, SqlValue>
}
