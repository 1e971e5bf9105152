/**
 * The row of the policy for values.
 *
 * @module
 */
import { aboveFloor, type ComplexityFloor, concerns, type StrengthPolicy } from '../../values/strength.ts'
import type { Sql } from '../sql.ts'

/** The policy for all secrets of a vault. */
export interface VaultPolicy {
  /** The strength that values must have; `null`: any. */
  secretComplexity: StrengthPolicy | null
  /** How many versions of a secret are kept, the current and the previous one included; `null`: all. */
  keepVersions: number | null
  /** How many days a version is kept that is neither; `null`: for good. */
  keepVersionDays: number | null
  /** The webhook that receives requests for approval, broken glass, and rotations that need an operator. */
  notify: string | null
}

/** How many versions are kept, and how long. */
export type KeptVersions = Pick<VaultPolicy, 'keepVersions' | 'keepVersionDays'>

/** A policy with the count of its changes. */
export type VersionedPolicy = VaultPolicy & {
  version: number
  updatedAt: number | null
  updatedBy: string | null
  /**
   * The rule that applies until a stricter policy takes effect, and the time of that in milliseconds since the Unix
   * epoch; `null` once it has.
   */
  until: (KeptVersions & { at: number }) | null
}

/** The limits on kept versions: a stricter policy takes effect later than the rest of it. */
export function keptAt({ until, keepVersions, keepVersionDays }: VersionedPolicy, now: number): KeptVersions {
  return until !== null && now < until.at ? until : { keepVersions, keepVersionDays }
}

/** The default policy. */
const NONE: VersionedPolicy = {
  ...{ secretComplexity: null, keepVersions: null, keepVersionDays: null, notify: null },
  ...{ version: 0, updatedAt: null, updatedBy: null, until: null },
}

/** The one row of a vault's policy. */
export class ValuePolicyStore {
  readonly #sql: Sql
  readonly #floor: ComplexityFloor | null
  // Read at each write. A cache is safe: no other code writes these rows.
  #known: VersionedPolicy | null = null

  /** @param floor What the server demands of every value. */
  constructor(sql: Sql, floor: ComplexityFloor | null) {
    this.#sql = sql
    this.#floor = floor
  }

  /** Drops the rows kept in memory. Call it when a transaction was rolled back. */
  forget(): void {
    this.#known = null
  }

  get(): VersionedPolicy {
    this.#known ??= this.#read()
    return this.#known
  }

  put(policy: Omit<VersionedPolicy, 'updatedAt' | 'updatedBy'>, now: number, by: string): void {
    const { version, ...body } = policy
    this.#sql.all('INSERT OR REPLACE INTO policy VALUES (0, ?, ?, ?, ?)', version, JSON.stringify(body), now, by)
    this.forget()
  }

  /** The strength that a value of this name must have: that of the policy, and never below the floor of the server. */
  strengthFor(name: string): StrengthPolicy | null {
    const { secretComplexity } = this.get()
    const isConcerned = secretComplexity !== null && concerns(secretComplexity, name)
    return aboveFloor(isConcerned ? secretComplexity : null, this.#floor)
  }

  #read(): VersionedPolicy {
    const query = 'SELECT version, body, updated_at AS updatedAt, updated_by AS updatedBy FROM policy'
    const [row] = this.#sql.all<{ body: string; version: number; updatedAt: number; updatedBy: string }>(query)
    if (row === undefined) return NONE
    const { body, ...rest } = row
    // Before 0.2 every change took effect at once.
    return { until: null, ...JSON.parse(body), ...rest }
  }
}
