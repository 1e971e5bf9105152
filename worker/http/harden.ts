/**
 * Which requests are taken at all, and the headers of every answer.
 *
 * @module
 */
import type { Context, Next } from 'hono'
import { badRequest } from '../../core/errors.ts'
import type { Env } from '../services.ts'
import { problemResponse } from './problem.ts'

/** The methods that routes are made of. */
export const METHODS = ['GET', 'PUT', 'POST', 'DELETE']
const MAX_URL_LENGTH = 4096

const POLICY = 'Content-Security-Policy'
/** On every answer, whatever it is: nothing here is for a cache, a frame or another origin. */
const HEADERS = Object.entries({
  'Cache-Control': 'no-store',
  [POLICY]: "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  Vary: 'Authorization, Origin, DPoP',
  'X-Content-Type-Options': 'nosniff',
})

/** Puts the headers of every answer on one. */
export function harden(response: Response): Response {
  const { headers } = response
  // A page has a policy of its own.
  const policy = headers.get(POLICY)
  for (const [name, value] of HEADERS) headers.set(name, value)
  if (policy !== null) headers.set(POLICY, policy)
  return response
}

/** Rejects requests that two parsers could read differently: HEAD, odd Host headers, percent-encoded paths. */
export async function unambiguous(c: Context<Env>, next: Next): Promise<Response | undefined> {
  // Hono would answer HEAD by GET: a read, its audit entry, and the length of a secret.
  if (!METHODS.includes(c.req.method)) return methodNotAllowed(c.var.requestId, METHODS)
  const { url } = c.req
  if (url.length > MAX_URL_LENGTH) throw badRequest('path', 'Path and query are too long')
  // A host with a path or a query in it would move the path that is routed away from the one that was sent.
  const parsed = URL.parse(url)
  if (parsed === null || !/^[A-Za-z0-9.:[\]_-]+$/.test(c.req.header('Host') ?? parsed.host)) {
    throw badRequest('Host', 'Host must be a name or an address, with or without a port')
  }
  // Nothing in our paths needs an escape. What the runtime resolved before (`/./`, `/../`, and on Bun
  // `%2e` and backslashes) cannot be seen here any more; what is left is decided on as it is routed.
  const { pathname } = parsed
  if (/[%\\]/.test(pathname) || pathname !== c.req.path) throw badRequest('path', 'Path must have no percent-encoding')
  return next() as Promise<undefined>
}

/** The answer to a method that a path does not have (RFC 9110 section 15.5.6). */
export function methodNotAllowed(requestId: string, allowed: readonly string[]): Response {
  const error = { code: 'bad_request', message: `Method must be one of ${allowed.join(', ')}`, detail: {} } as const
  const response = problemResponse(405, error, requestId)
  response.headers.set('Allow', allowed.join(', '))
  return response
}
