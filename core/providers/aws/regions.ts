/**
 * The partitions of AWS, and the domain of the services in each.
 *
 * @module
 */
import { badRequest } from '../../errors.ts'

/** Partitions by the names of their regions. The first that matches counts. */
const PARTITIONS: readonly (readonly [region: RegExp, domain: string])[] = [
  [/^cn-[a-z]+-[0-9]{1,2}$/, 'amazonaws.com.cn'],
  [/^us-gov-[a-z]+-[0-9]{1,2}$/, 'amazonaws.com'],
  [/^us-iso-[a-z]+-[0-9]{1,2}$/, 'c2s.ic.gov'],
  [/^us-isob-[a-z]+-[0-9]{1,2}$/, 'sc2s.sgov.gov'],
  [/^eu-isoe-[a-z]+-[0-9]{1,2}$/, 'cloud.adc-e.uk'],
  [/^us-isof-[a-z]+-[0-9]{1,2}$/, 'csp.hci.ic.gov'],
  [/^eusc-[a-z]{2}-[a-z]+-[0-9]{1,2}$/, 'amazonaws.eu'],
  [/^[a-z]{2}-[a-z]+-[0-9]{1,2}$/, 'amazonaws.com'],
]

/**
 * The domain of the services of a region, such as `eu-central-1.amazonaws.com`.
 *
 * @throws {PosternError} `bad_request` for a region of no known partition: its endpoints must be configured.
 */
export function awsDomain(region: string): string {
  const domain = PARTITIONS.find(([form]) => form.test(region))?.[1]
  if (domain === undefined) {
    throw badRequest('region', 'Region must be one of AWS, such as eu-central-1. For another, set its endpoint too')
  }
  return `${region}.${domain}`
}

/**
 * Checks the name of a region, which is part of every signature.
 *
 * @throws {PosternError} `bad_request`
 */
export function checkRegion(region: string): void {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(region))
    throw badRequest('region', 'Region must be one of AWS, such as eu-central-1')
}
