import { DurableObject } from 'cloudflare:workers'
import type { Sql, SqlValue } from '../core/sql.ts'
import { type Answer, type Call, Vault } from '../core/vault.ts'

/**
 * One vault as a Durable Object. Its calls run one at a time, and what they write is on disk before
 * an answer leaves (the output gate).
 */
export class VaultObject extends DurableObject {
  readonly #vault: Vault

  constructor(context: DurableObjectState, env: Cloudflare.Env) {
    super(context, env)
    this.#vault = new Vault(openStorage(context.storage), Date.now())
  }

  /** Answers calls in one transaction. Refusals are values: an error would lose its code on the way. */
  execute(calls: Call[]): Answer[] {
    return this.#vault.execute(calls, Date.now())
  }
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
  }
}

/** The storage returns blobs as `ArrayBuffer`. */
function bytesOf(row: Record<string, SqlStorageValue>): Record<string, SqlValue> {
  for (const [column, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) Reflect.set(row, column, new Uint8Array(value))
  }
  return row as Record<string, SqlValue>
}
