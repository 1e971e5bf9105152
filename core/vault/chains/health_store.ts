/**
 * The rows of the health of providers.
 *
 * @module
 */
import type { HealthState } from '../../providers/health.ts'
import type { FailureKind } from '../../providers/provider.ts'
import type { Sql } from '../sql.ts'

/** How a provider was when it was last looked at. */
export interface HealthRow {
  provider: string
  state: HealthState
  failure: FailureKind | null
  /** Since when it is in this state. */
  since: number
  lookedAt: number
}

/** The rows of providers' health. */
export class HealthStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  list(): HealthRow[] {
    return this.#sql.all<HealthRow>(
      'SELECT provider, state, failure, since, looked_at AS lookedAt FROM provider_health ORDER BY provider',
    )
  }

  /** @returns The state before; `null` when it was never looked at. */
  put(
    { provider, state, failure }: Pick<HealthRow, 'provider' | 'state' | 'failure'>,
    now: number,
  ): HealthState | null {
    const before = this.list().find((row) => row.provider === provider) ?? null
    const since = before?.state === state ? before.since : now
    this.#sql.all('INSERT OR REPLACE INTO provider_health VALUES (?, ?, ?, ?, ?)', provider, state, failure, since, now)
    return before?.state ?? null
  }
}
