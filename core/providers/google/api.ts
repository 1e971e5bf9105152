/**
 * Calls of Google Secret Manager (REST, version 1), with an access token.
 *
 * @module
 */
import * as z from 'zod/mini'
import { utf8 } from '../../bytes.ts'
import { badRequest } from '../../errors.ts'
import type { Received } from '../../http/send.ts'
import { type FailureKind, ProviderFailure } from '../provider.ts'
import { ask, malformed, type ProviderOptions, parseBaseUrl, readAnswer, retryAfterMs } from '../request.ts'
import { type GoogleCredentials, googleToken } from './credentials.ts'

/** A project, and the credentials for it. */
export interface GoogleAccess {
  /** The id or the number of the project. */
  project: string
  /** The location of regional secrets, such as `europe-west3`. Global secrets by default. */
  location?: string | undefined
  credentials: GoogleCredentials
  /** Replaces `https://secretmanager.googleapis.com`, or the endpoint of the location. */
  endpoint?: string | undefined
}

/** A request to the service. */
export interface GoogleRequest {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** The path below the project, such as `/secrets/NAME`. Its segments are checked already. */
  path: string
  query?: Record<string, string>
  body?: object
  signal: AbortSignal
}

/** Calls the service. */
export type GoogleCall = ReturnType<typeof googleCaller>

/** `google.rpc.Code`, as JSON writes it in `status`. */
const KINDS: Record<string, FailureKind> = {
  NOT_FOUND: 'not_found',
  PERMISSION_DENIED: 'denied',
  UNAUTHENTICATED: 'credentials',
  INVALID_ARGUMENT: 'invalid',
  OUT_OF_RANGE: 'invalid',
  ALREADY_EXISTS: 'conflict',
  ABORTED: 'conflict',
  RESOURCE_EXHAUSTED: 'throttled',
  DEADLINE_EXCEEDED: 'timeout',
  CANCELLED: 'unavailable',
  INTERNAL: 'unavailable',
  UNAVAILABLE: 'unavailable',
  UNKNOWN: 'unavailable',
}

const Problem = z.object({
  error: z.object({
    status: z.optional(z.string()),
    message: z.optional(z.string()),
    details: z.optional(z.array(z.object({ reason: z.optional(z.string()) }))),
  }),
})

/**
 * Creates the function that calls the service.
 *
 * @throws {PosternError} `bad_request` for a configuration that cannot work.
 */
export function googleCaller(config: GoogleAccess, options: ProviderOptions) {
  const { project, location } = config
  checkProject(project)
  if (location !== undefined) checkLocation(location)
  const host = location === undefined ? 'secretmanager.googleapis.com' : `secretmanager.${location}.rep.googleapis.com`
  const endpoint = parseBaseUrl(config.endpoint ?? `https://${host}`, 'endpoint', options)
  const parent = `/v1/projects/${project}${location === undefined ? '' : `/locations/${location}`}`
  const credentials = googleToken(config.credentials, options)
  const now = options.now ?? Date.now

  return async <T extends z.ZodMiniType>(request: GoogleRequest, schema: T): Promise<z.output<T>> => {
    const query = request.query === undefined ? '' : `?${new URLSearchParams(request.query)}`
    const url = `${endpoint}${parent}${request.path}${query}`
    const received = await credentials.use(request.signal, async (token) => {
      const body = request.body === undefined ? null : utf8(JSON.stringify(request.body))
      const headers = { authorization: `Bearer ${token.reveal()}`, ...(body && { 'content-type': 'application/json' }) }
      const init = { method: request.method ?? 'GET', headers, body, signal: request.signal }
      const answer = await ask(url, init, options)
      if (answer.status !== 200) throw googleFailure(answer, now())
      return answer
    })
    const answer = readAnswer(received.body, schema)
    if (answer === null) throw malformed(received)
    return answer
  }
}

/** Reads a refusal of the service. A refusal without a status is from a server in front of it. */
function googleFailure({ status, headers, body }: Received, now: number): ProviderFailure {
  const { status: word = '', message = '', details = [] } = readAnswer(body, Problem)?.error ?? {}
  const code = details.find(({ reason }) => reason !== undefined)?.reason ?? word
  return new ProviderFailure(kindOf(word, message, status), { code, retryAfterMs: retryAfterMs(headers, now) })
}

function kindOf(word: string, message: string, status: number): FailureKind {
  if (status === 429) return 'throttled'
  if (word === 'FAILED_PRECONDITION') return preconditionKind(message)
  const known = KINDS[word]
  if (known !== undefined) return known
  return word !== '' && status >= 400 && status < 500 ? 'invalid' : 'unavailable'
}

/** Only the message tells the state of a version, or that an etag is stale. */
function preconditionKind(message: string): FailureKind {
  if (/\bDISABLED\b/.test(message)) return 'disabled'
  if (/\bDESTROYED\b/.test(message)) return 'deleted'
  return /\betag\b/i.test(message) ? 'conflict' : 'invalid'
}

/** @throws {PosternError} `bad_request` unless a text is the id or the number of a project. */
export function checkProject(project: string): void {
  if (!/^(?:[a-z0-9.-]{1,128}:)?[a-z0-9-]{1,63}$/.test(project))
    throw badRequest('project', 'Project must be the id or the number of a project')
}

/** @throws {PosternError} `bad_request` unless a text may be a location. */
export function checkLocation(location: string): void {
  if (!/^[a-z0-9-]{1,63}$/.test(location))
    throw badRequest('location', 'Location must be one of Google Cloud, such as europe-west3')
}
