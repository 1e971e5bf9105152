import { DurableObject } from 'cloudflare:workers'
import { type SecurityPolicy, securityPolicy } from '../core/access/security_policy.ts'
import type { Answer, Call } from '../core/call.ts'
import { isMigrated } from '../core/schema.ts'
import { parseSettings } from '../core/settings.ts'
import type { Sql, SqlValue } from '../core/sql.ts'
import { Vault } from '../core/vault.ts'
import { logLine } from './oplog.ts'
import { whereabouts } from './problem.ts'

/**
 * One vault as a Durable Object. Its calls run one at a time, and what they write is on disk before
 * an answer leaves (the output gate).
 */
export class VaultObject extends DurableObject {
  readonly #storage: Sql
  readonly #policy: SecurityPolicy
  #vault: Vault | null = null

  constructor(context: DurableObjectState, env: Cloudflare.Env) {
    super(context, env)
    this.#storage = openStorage(context.storage)
    this.#policy = policyOf(env)
    if (isMigrated(this.#storage)) this.#open()
  }

  /** Answers calls in one transaction. Refusals are values: an error would lose its code on the way. */
  execute(calls: Call[]): Answer[] {
    // Nothing is written for a vault that nobody made: strangers may name any.
    const vault = this.#vault ?? (calls.some(({ caller }) => caller.bootstrap) ? this.#open() : null)
    if (vault === null) return calls.map(() => ({ ok: false, index: null, quota: null, reason: 'unauthenticated' }))
    return vault.execute(calls, Date.now())
  }

  #open(): Vault {
    this.#vault = new Vault(this.#storage, this.#policy, Date.now(), (error) => {
      logLine('error', 'vault_failed', whereabouts(error))
    })
    return this.#vault
  }
}

/** The object has the same settings as the Worker in front of it. */
function policyOf(env: object): SecurityPolicy {
  const given = Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return securityPolicy(parseSettings({ environment: Object.fromEntries(given) }).security)
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
