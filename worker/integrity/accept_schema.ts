/**
 * A vault whose schema differs from Postern's: what the operator is told, and how exactly these differences are accepted.
 *
 * @module
 */

import type { Settings } from '../../core/settings/settings.ts'
import { vaultIdOf } from '../../core/vault/migrate.ts'
import { type Difference, describeDifference, digestOf } from '../../core/vault/schema_check.ts'
import type { Sql } from '../../core/vault/sql.ts'

/** How many differences are named. The digest covers all of them. */
const MAX_NAMED = 20

/** How a vault's schema differs from Postern's, as written to the operator's log and to the vault's log. */
export interface ChangedSchema {
  /** The first differences, in words. */
  differences: string[]
  /** The number of all differences. */
  count: number
  /** The value of POSTERN_AUDIT__ACCEPT_SCHEMA that accepts exactly these. */
  acceptSchema: string
}

/** Describes differences, and how to accept them. */
export function changedSchema(vault: string, differences: readonly Difference[]): ChangedSchema {
  const named = differences.slice(0, MAX_NAMED).map(describeDifference)
  return { differences: named, count: differences.length, acceptSchema: `${vault}/${digestOf(differences)}` }
}

/** The digests that the operator accepts for a vault. */
export function acceptedSchemas({ audit }: Pick<Settings, 'audit'>, vault: string): string[] {
  return audit.acceptSchema.flatMap((word) => (word.startsWith(`${vault}/`) ? [word.slice(vault.length + 1)] : []))
}

/** The id of the vault in a store whose schema was not compared yet; empty when it cannot be read. */
export function claimedVaultId(sql: Sql, given?: string): string {
  if (given !== undefined) return given
  try {
    return vaultIdOf(sql, undefined)
  } catch {
    return ''
  }
}
