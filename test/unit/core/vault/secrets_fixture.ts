/**
 * A vault with one secret, and inputs that several tests of secrets take.
 *
 * @module
 */
import { openVault, writeOf } from '../../../support/core.ts'

export const listAll = { prefix: '', after: '', deleted: false, limit: 100 }

export const versionsOf = (name: string) => ({ name, below: Number.MAX_SAFE_INTEGER, limit: 100 })

/** A vault with one secret, `prod/db`, of three versions. */
export function withSecret() {
  const bench = openVault()
  const [first, second, third] = [writeOf('prod/db'), writeOf('prod/db'), writeOf('prod/db')]
  for (const input of [first, second, third]) bench.granted('admin', 'secret.write', input)
  return { ...bench, bench, first, second, third }
}
