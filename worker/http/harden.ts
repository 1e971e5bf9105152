/**
 * Rejects ambiguous requests, and sets the security headers of every answer.
 *
 * @module
 */
import type { Next } from 'hono'
import { badRequest } from '../../core/errors.ts'
import { checkPath } from './path.ts'
import { problemResponse } from './problem.ts'
import type { RequestContext } from './request_context.ts'

/** The methods that routes use. */
export const METHODS = ['GET', 'PUT', 'POST', 'DELETE']
/** The paths that answer HEAD as well, for health checks and link checkers. No vault is behind them. */
const HEAD_PATHS = new Set(['/', '/healthz', '/readyz', '/docs'])
const MAX_URL_LENGTH = 4096

const POLICY = 'Content-Security-Policy'
/** Headers of every answer: no answer is for a cache, a frame or another origin. */
const HEADERS = Object.entries({
  'Cache-Control': 'no-store',
  [POLICY]: "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  Vary: 'Authorization, Origin, DPoP',
  'X-Content-Type-Options': 'nosniff',
})

/** Sets the security headers of an answer, and returns it. */
export function harden(response: Response): Response {
  const { headers } = response
  // The page of the documents has its own policy.
  const policy = headers.get(POLICY)
  for (const [name, value] of HEADERS) headers.set(name, value)
  if (policy !== null) headers.set(POLICY, policy)
  return response
}

/**
 * Rejects requests that two parsers could read differently, by their Host header or their path, and HEAD where a GET
 * would read a secret.
 *
 * @throws {PosternError} `bad_request`
 */
export async function unambiguous(c: RequestContext, next: Next): Promise<Response | undefined> {
  const { url, method, path } = c.req
  // Hono answers HEAD by GET: for a secret it would be a read, its audit entry, and the length of the value.
  const isTaken = METHODS.includes(method) || (method === 'HEAD' && HEAD_PATHS.has(path))
  if (!isTaken) return methodNotAllowed(c.var.requestId, METHODS)
  if (url.length > MAX_URL_LENGTH) throw badRequest('path', 'Path and query are too long')
  // A Host with a path or a query would route another path than the one that was sent.
  const parsed = URL.parse(url)
  if (parsed === null || !/^[A-Za-z0-9.:[\]_-]+$/.test(c.req.header('Host') ?? parsed.host)) {
    throw badRequest('Host', 'Host must be a name or an address, with or without a port')
  }
  checkPath(path, parsed.pathname)
  return next() as Promise<undefined>
}

/** The methods of a path, given those of its routes. */
export function withHead(methods: readonly string[], path: string): readonly string[] {
  return HEAD_PATHS.has(path) ? [...methods, 'HEAD'] : methods
}

/** Answers a method that the path does not support (RFC 9110 section 15.5.6). */
export function methodNotAllowed(requestId: string, allowed: readonly string[]): Response {
  const error = { code: 'bad_request', message: `Method must be one of ${allowed.join(', ')}`, detail: {} } as const
  const response = problemResponse(405, error, requestId)
  response.headers.set('Allow', allowed.join(', '))
  return response
}
