/**
 * A vault whose schema is not the one that Postern made: what the operator is told, and how exactly that is accepted.
 *
 * @module
 */

import type { Settings } from '../../core/settings/settings.ts'
import { vaultIdOf } from '../../core/vault/migrate.ts'
import { type Difference, describeDifference, digestOf } from '../../core/vault/schema_check.ts'
import type { Sql } from '../../core/vault/sql.ts'

/** How many differences are named. A word covers all of them. */
const MAX_NAMED = 20

/** A schema with differences, for the operational log and for the log of the vault. */
export interface ChangedSchema {
  /** The first differences, in words. */
  differences: string[]
  /** How many there are in all. */
  count: number
  /** What POSTERN_AUDIT__ACCEPT_SCHEMA has to have for exactly these. */
  acceptSchema: string
}

/** Describes differences, and says how to accept them. */
export function changedSchema(vault: string, differences: readonly Difference[]): ChangedSchema {
  const named = differences.slice(0, MAX_NAMED).map(describeDifference)
  return { differences: named, count: differences.length, acceptSchema: `${vault}/${digestOf(differences)}` }
}

/** The digests that the operator accepts for a vault. */
export function acceptedSchemas({ audit }: Pick<Settings, 'audit'>, vault: string): string[] {
  return audit.acceptSchema.flatMap((word) => (word.startsWith(`${vault}/`) ? [word.slice(vault.length + 1)] : []))
}

/** The id of the vault in a store whose schema was not compared yet; empty when it cannot be told. */
export function claimedVaultId(sql: Sql, given?: string): string {
  if (given !== undefined) return given
  try {
    return vaultIdOf(sql, undefined)
  } catch {
    return ''
  }
}
