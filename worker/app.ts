/**
 * The HTTP API as one function from Request to Response, the same on every runtime.
 *
 * @module
 */
import { Hono } from 'hono'
import { badRequest, PosternError } from '../core/errors.ts'
import { parseVaultId } from '../core/secrets/name.ts'
import { identify } from './auth.ts'
import type { Env, Parts } from './context.ts'
import { logLine } from './oplog.ts'
import { problem, problemResponse } from './problem.ts'
import { accessRoutes } from './routes/access.ts'
import { auditRoutes } from './routes/audit.ts'
import { healthRoutes } from './routes/health.ts'
import { hydrateRoutes } from './routes/hydrate.ts'
import { secretRoutes } from './routes/secrets.ts'

const METHODS = ['GET', 'PUT', 'POST', 'DELETE']

/** On every answer, whatever it is: nothing here is for a cache, a frame or another origin. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  Vary: 'Authorization, Origin, DPoP',
  'X-Content-Type-Options': 'nosniff',
} as const

/** Builds the app. `fetch(request, connection)` answers; it never throws. */
export function createApp(parts: Parts): Hono<Env> {
  const app = new Hono<Env>()
  const { requestTimeoutMs, debug } = parts.settings

  app.use('*', async (c, next) => {
    c.set('requestId', crypto.randomUUID())
    await withDeadline(next(), requestTimeoutMs).catch((error) => {
      c.res = problem(error, c.var.requestId)
    })
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value)
    c.res.headers.set('Request-Id', c.var.requestId)
    // No path: it holds the name of a secret.
    if (debug) logLine('info', 'request', { requestId: c.var.requestId, method: c.req.method, status: c.res.status })
  })

  app.use('*', async (c, next) => {
    // Hono would answer HEAD by GET: a read, its audit entry, and the length of a secret.
    if (!METHODS.includes(c.req.method)) return methodNotAllowed(c.var.requestId, METHODS)
    // Nothing in our paths needs an escape, so one is an attempt to be read in two ways.
    if (/[%\\]/.test(new URL(c.req.url).pathname)) throw badRequest('path', 'Path must have no percent-encoding')
    return next()
  })

  app.use('/v1/vaults/:vault/*', async (c, next) => {
    const vault = parseVaultId(c.req.param('vault'))
    const { requestId } = c.var
    const about = { bootstrapTokens: parts.bootstrapTokens, connection: c.env, requestId }
    const caller = await identify(c.req.raw, vault, parts.keyring, about)
    c.set('vault', vault)
    c.set('caller', caller)
    c.set('handle', parts.host.vault(vault, caller.bootstrap === true))
    return next()
  })

  app.route('/', healthRoutes(parts))
  for (const routes of [secretRoutes(parts), hydrateRoutes(parts), accessRoutes(parts), auditRoutes()]) {
    app.route('/v1/vaults/:vault', routes)
  }

  app.onError((error, c) => problem(error, c.var.requestId))
  app.notFound((c) => {
    const allowed = METHODS.filter((method) => handles(app, method, c.req.path))
    if (allowed.length > 0) return methodNotAllowed(c.var.requestId, allowed)
    return problem(new PosternError('not_found', 'No such route'), c.var.requestId)
  })
  return app
}

function methodNotAllowed(requestId: string, allowed: readonly string[]): Response {
  const error = { code: 'bad_request', message: `Method must be one of ${allowed.join(', ')}`, detail: {} } as const
  const response = problemResponse(405, error, requestId)
  response.headers.set('Allow', allowed.join(', '))
  return response
}

/** Whether a route, not only a middleware, answers a method at a path. */
function handles(app: Hono<Env>, method: string, path: string): boolean {
  return app.router.match(method, path)[0].some(([[, route]]) => route.method === method)
}

/** Gives up waiting. What was begun may still be done and recorded: the answer says try again. */
async function withDeadline(work: Promise<void>, timeoutMs: number): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new PosternError('unavailable', 'Request took too long', { retryAfterSeconds: 1 }))
  }, timeoutMs)
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
