import { DurableObject } from 'cloudflare:workers'
import { type SecurityPolicy, securityPolicy } from '../core/access/security_policy.ts'
import { parseSettings } from '../core/settings.ts'
import type { Sql, SqlValue } from '../core/sql.ts'
import { type Answer, type Call, Vault } from '../core/vault.ts'
import { logLine } from './oplog.ts'
import { whereabouts } from './problem.ts'

/**
 * One vault as a Durable Object. Its calls run one at a time, and what they write is on disk before
 * an answer leaves (the output gate).
 */
export class VaultObject extends DurableObject {
  readonly #vault: Vault

  constructor(context: DurableObjectState, env: Cloudflare.Env) {
    super(context, env)
    this.#vault = new Vault(openStorage(context.storage), policyOf(env), Date.now(), (error) => {
      logLine('error', 'vault_failed', whereabouts(error))
    })
  }

  /** Answers calls in one transaction. Refusals are values: an error would lose its code on the way. */
  execute(calls: Call[]): Answer[] {
    return this.#vault.execute(calls, Date.now())
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
