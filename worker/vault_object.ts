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
import { answerOfNone, type Execute } from './vault_host/host.ts'
import { type OpenVault, openVault } from './vault_host/open_vault.ts'

/** How long an alarm waits for what it began. */
const ALARM_MS = 2000

interface OpenedObject extends OpenVault {
  execute: Execute
}

/**
 * One vault as a Durable Object. Calls that come together are answered in one transaction, and what they write is on
 * disk before an answer leaves (the output gate).
 *
 * The edge's work on a vault that nobody asks for is done here too, by the alarm. The vault itself has no keys.
 */
export class VaultObject extends DurableObject {
  readonly #storage: Sql
  readonly #settings: Settings
  #opening: Promise<OpenedObject> | null = null
  /** When the alarm is set to ring, as far as this object set it. */
  #alarmAt = Number.POSITIVE_INFINITY

  constructor(context: DurableObjectState, env: Cloudflare.Env) {
    super(context, env)
    this.#storage = openStorage(context.storage)
    this.#settings = settingsOf(env)
    if (isMigrated(this.#storage)) void context.blockConcurrencyWhile(async () => void (await this.#open()))
  }

  /** Answers calls. Refusals are values: an error would lose its code on the way. */
  async execute(calls: Call[]): Promise<Answer[]> {
    // Nothing is written for a vault that nobody made: strangers may name any.
    const opening = this.#opening ?? (calls.some(({ caller }) => isBootstrap(caller.credential)) ? this.#open() : null)
    if (opening === null) return answerOfNone(calls)
    return (await opening).execute(calls)
  }

  /** A job of the vault is due. No alarm rings while this one is answered, so what takes long is not waited for. */
  override async alarm(): Promise<void> {
    this.#alarmAt = Number.POSITIVE_INFINITY
    const opened = await this.#opening
    if (opened !== null) await Promise.race([opened.scheduler.run(Date.now()), scheduler.wait(ALARM_MS)])
  }

  /** One that fails is tried again with the next call. */
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
    const anchors = [...httpAnchors(this.#settings), ...bucketAnchors(this.env)]
    const registry = registryOf(this.#settings, null)
    const keyring = await Keyring.open(rootKey, this.#settings)
    const surroundings = { settings: this.#settings, keyring, anchors, registry }
    const opened = await openVault(this.#storage, this.ctx.id.name, surroundings, (_, at) => this.#wake(at))
    const { vault, scheduler } = opened
    const execute = groupCommit(
      vault,
      (calls) => scheduler.notifyWrite(Date.now(), calls),
      (work) => void setTimeout(work),
    )
    return { ...opened, execute }
  }

  /** There is one alarm: it rings for whatever is due first. */
  #wake(at: number): void {
    if (at === this.#alarmAt) return
    this.#alarmAt = at
    void this.ctx.storage.setAlarm(at)
  }
}

/** The object has the same settings as the Worker in front of it. */
function settingsOf(env: object): Settings {
  const given = Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return parseSettings({ environment: Object.fromEntries(given) })
}

/** An R2 bucket bound as `ANCHOR` keeps the newest checkpoint of each vault. */
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
