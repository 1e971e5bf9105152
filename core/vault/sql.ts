/**
 * The storage port.
 *
 * @module
 */
/** A SQLite value. A blob is a `Uint8Array` on every runtime. */
export type SqlValue = null | number | string | Uint8Array

/**
 * The storage port: synchronous SQLite.
 *
 * Implemented over Durable Object storage (`worker/vault_object.ts`) and over `node:sqlite`
 * (`worker/local/sqlite.ts`, which serves Bun, Deno, Node and the tests). Integers stay below 2^53:
 * a Durable Object returns larger ones imprecisely.
 */
export interface Sql {
  /** Runs one statement and returns its rows. At most 100 parameters: the Durable Object limit. */
  all<Row>(query: string, ...params: SqlValue[]): Row[]

  /**
   * Runs `fn` in one transaction, durable when this returns (or, on Durable Objects, before
   * anything leaves the object). A throw rolls every write back. `fn` must not be async, and
   * transactions do not nest.
   */
  atomic<T>(fn: () => T): T

  /** Erases what a journal of the store still holds of rows that were erased, as far as it can. */
  scrub(): void
}
