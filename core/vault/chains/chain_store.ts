/**
 * The rows of chains.
 *
 * @module
 */
import { bySpecificity, covers } from '../../patterns.ts'
import { type Chain, type VersionedChain, WITHOUT_ROTATION } from '../../providers/chain.ts'
import type { Sql } from '../sql.ts'

/** The rows of chains. */
export class ChainStore {
  readonly #sql: Sql
  // Chains in the order of their precedence. A cache is safe: no other code writes these rows.
  #chains: readonly VersionedChain[] | null = null
  #fallback: VersionedChain | null = null
  #withoutRotation = WITHOUT_ROTATION

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Drops the rows kept in memory. Call it when a transaction was rolled back. */
  forget(): void {
    this.#chains = null
  }

  /** Sets the chain of names that no other covers: the operator's. */
  fallBackTo(chain: VersionedChain | null): void {
    this.#fallback = chain
  }

  /** Adds the providers of this server whose stores do not rotate a secret themselves. */
  exceptFromRotation(providers: readonly string[]): void {
    this.#withoutRotation = new Set([...WITHOUT_ROTATION, ...providers])
  }

  /** Whether a provider makes the next value of a secret itself on request, as far as this server knows it. */
  rotatesItself(provider: string): boolean {
    return !this.#withoutRotation.has(provider)
  }

  /** The chain of a name, the most specific if several cover it; `null` for what the sealed store keeps. */
  covering(name: string): VersionedChain | null {
    return this.list().find(({ resource }) => covers(resource, name)) ?? this.#fallback
  }

  /** The vault's own chains, the most specific first. */
  list(): readonly VersionedChain[] {
    this.#chains ??= this.#sql
      .all<{ body: string; version: number; updatedAt: number; updatedBy: string }>(
        'SELECT body, version, updated_at AS updatedAt, updated_by AS updatedBy FROM chain ORDER BY id',
      )
      .map(({ body, ...rest }): VersionedChain => ({ ...JSON.parse(body), ...rest }))
      .sort((a, b) => bySpecificity(a.resource, b.resource))
    return this.#chains
  }

  /** The operator's chain too. */
  all(): readonly VersionedChain[] {
    return this.#fallback === null ? this.list() : [...this.list(), this.#fallback]
  }

  find(id: string): VersionedChain | null {
    return this.all().find((chain) => chain.id === id) ?? null
  }

  put(chain: Chain & { revision: string }, version: number, now: number, by: string): void {
    this.#sql.all(
      'INSERT OR REPLACE INTO chain VALUES (?, ?, ?, ?, ?)',
      ...[chain.id, version, JSON.stringify(chain), now, by],
    )
    this.forget()
  }

  delete(id: string): void {
    this.#sql.all('DELETE FROM chain WHERE id = ?', id)
    this.forget()
  }
}
