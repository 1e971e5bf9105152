/**
 * The stores that the environment names; see README.md here.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'

/** A variable of the live tests, or of the first of the other names that is set. */
export function variable(name: string, ...others: string[]): string | undefined {
  return [`POSTERN_LIVE_${name}`, ...others]
    .map((key) => process.env[key])
    .find((value) => value !== undefined && value !== '')
}

/** The value of a variable that others depend on. */
export function required(name: string): string {
  const value = variable(name)
  if (value === undefined) throw new Error(`POSTERN_LIVE_${name} must be set too`)
  return value
}

const caFile = variable('CA_FILE', 'POSTERN_LIVE_AZURE_CA_FILE')
if (caFile !== undefined) setDefaultCACertificates([...getCACertificates('default'), readFileSync(caFile, 'utf8')])
