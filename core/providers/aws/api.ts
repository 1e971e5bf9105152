/**
 * Calls of AWS Secrets Manager: JSON 1.1 over POST, signed, with a corrected clock.
 *
 * @module
 */
import type * as z from 'zod/mini'
import { type Bytes, utf8 } from '../../bytes.ts'
import { badRequest } from '../../errors.ts'
import { ask, malformed, type ProviderOptions, parseBaseUrl, readAnswer } from '../request.ts'
import { type AwsCredentialsConfig, awsCredentials } from './credentials.ts'
import { awsFailure, isClockFailure } from './failures.ts'
import { awsDomain, checkRegion } from './regions.ts'
import { type AwsKeys, sign } from './sigv4.ts'

const SERVICE = 'secretsmanager'
// A hundred descriptions of 2 KiB, or twenty values with every character escaped.
const MAX_ANSWER_BYTES = 8 * 1024 * 1024
// A smaller difference of clocks does not invalidate a signature.
const MIN_SKEW_MS = 60_000

/** The address of a region, and the credentials for it. */
export interface AwsAccess {
  region: string
  credentials: AwsCredentialsConfig
  /** Replaces the endpoint of the region: a VPC endpoint, FIPS, or an emulator. */
  endpoint?: string
}

/** Calls an operation of the service. */
export type AwsCall = ReturnType<typeof awsCaller>

/**
 * Creates the function that calls an operation of the service.
 *
 * @throws {PosternError} `bad_request` for a configuration that cannot work.
 */
export function awsCaller(config: AwsAccess, options: ProviderOptions) {
  const { region } = config
  checkRegion(region)
  const endpoint = parseBaseUrl(config.endpoint ?? `https://${SERVICE}.${awsDomain(region)}`, 'endpoint', options)
  const { host, pathname } = new URL(endpoint)
  if (pathname !== '/') throw badRequest('endpoint', 'Endpoint must have no path')
  const credentials = awsCredentials(config.credentials, region, options)
  const now = options.now ?? Date.now
  let skewMs = 0

  async function sendSigned(operation: string, body: Bytes, keys: AwsKeys, signal: AbortSignal) {
    const headers: [string, string][] = [
      ['content-type', 'application/x-amz-json-1.1'],
      ['x-amz-target', `${SERVICE}.${operation}`],
    ]
    const request = { method: 'POST', path: '/', query: '', headers: [['host', host] as const, ...headers], body }
    const signed = sign(request, keys, { region, service: SERVICE, now: now() + skewMs })
    const init = { method: 'POST', headers: [...headers, ...signed], body, signal }
    return ask(`${endpoint}/`, init, { ...options, maxBytes: options.maxBytes ?? MAX_ANSWER_BYTES })
  }

  /** Signs again with the time of the server if it refused ours. A refused request changed nothing. */
  async function attempt(operation: string, body: Bytes, keys: AwsKeys, signal: AbortSignal) {
    const received = await sendSigned(operation, body, keys, signal)
    if (received.status === 200) return received
    const failure = awsFailure(received, now())
    const skew = Date.parse(received.headers.get('Date') ?? '') - now()
    if (!isClockFailure(failure) || !(Math.abs(skew - skewMs) > MIN_SKEW_MS)) throw failure
    skewMs = skew
    const again = await sendSigned(operation, body, keys, signal)
    if (again.status === 200) return again
    throw awsFailure(again, now())
  }

  return async <T extends z.ZodMiniType>(
    operation: string,
    input: object,
    schema: T,
    { signal }: { signal: AbortSignal },
  ) => {
    const body = utf8(JSON.stringify(input))
    const received = await credentials.use(signal, (keys) => attempt(operation, body, keys, signal))
    const answer = readAnswer(received.body, schema)
    if (answer === null) throw malformed(received)
    return answer
  }
}
