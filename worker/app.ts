/**
 * The HTTP API as one function from Request to Response, the same on every runtime.
 *
 * @module
 */
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { nonceAt } from '../core/authentication/dpop.ts'
import { PosternError } from '../core/errors.ts'
import { withDeadline } from './http/deadline.ts'
import { enterVault } from './http/enter_vault.ts'
import { harden, METHODS, methodNotAllowed, unambiguous, withHead } from './http/harden.ts'
import { observeRequests } from './http/observe.ts'
import { pathOf } from './http/path.ts'
import { problem } from './http/problem.ts'
import type { Env, RequestContext } from './http/request_context.ts'
import { accessRoutes } from './routes/access.ts'
import { approvalRoutes } from './routes/approvals.ts'
import { auditRoutes } from './routes/audit.ts'
import { chainRoutes } from './routes/chains.ts'
import { docsRoutes, type PublicFiles } from './routes/docs.ts'
import { healthRoutes, vaultMetricsRoutes } from './routes/health.ts'
import { hydrateRoutes } from './routes/hydrate.ts'
import { policyRoutes } from './routes/policy.ts'
import { rotationRoutes } from './routes/rotations.ts'
import { secretRoutes } from './routes/secrets.ts'
import { sessionRoutes } from './routes/sessions.ts'
import type { Services } from './services.ts'
import { logLine } from './telemetry/log.ts'
import type { ProcessFacts } from './telemetry/request_metrics.ts'

/** For pages of the allowed origins: no cookies, and the headers that a client sends and reads. */
const CORS = {
  allowMethods: METHODS,
  allowHeaders: [
    'Authorization',
    'Content-Type',
    'DPoP',
    'Postern-Seal-To',
    'If-Match',
    'If-None-Match',
    'Idempotency-Key',
    'Approval',
    'Cache-Control',
    'Pragma',
    'Approval-Reason',
  ],
  exposeHeaders: [
    ...['DPoP-Nonce', 'Request-Id', 'Audit-Index', 'Retry-After', 'RateLimit', 'RateLimit-Policy'],
    ...['ETag', 'Age', 'Cache-Status', 'Server-Timing', 'Link', 'WWW-Authenticate'],
  ],
  maxAge: 600,
}

/** What only the runtime can give to an app. */
export interface Runtime {
  /** Reads the published documents, when they are deployed with the server. */
  publicFile?: PublicFiles
  /** Facts of the process, for its metrics. Workers have none. */
  processFacts?: ProcessFacts
}

/**
 * Builds the app. Its `fetch(request, connection)` answers every request, and never throws.
 */
export function createApp(services: Services, runtime: Runtime = {}): Hono<Env> {
  // Routed by the path as it was sent: decoded first, two spellings of a path could reach one route.
  const app = new Hono<Env>({ getPath: pathOf })
  const observer = observeRequests(services)
  if (observer !== null) app.use('*', observer)
  const { requestTimeoutMs, debug } = services.settings

  app.use('*', async (c, next) => {
    // Not by `c.var`, which builds an object of all variables each time.
    const requestId = crypto.randomUUID()
    c.set('requestId', requestId)
    await withDeadline(next(), requestTimeoutMs, () => c.set('late', true)).catch((error) => {
      c.res = problem(error, requestId)
    })
    harden(c.res).headers.set('Request-Id', requestId)
    await renewNonce(c, services)
    // Without the path, which holds the name of a secret.
    if (debug) logLine('info', 'request', { requestId, method: c.req.method, status: c.res.status })
  })
  const { allowedOrigins } = services.settings.security
  if (allowedOrigins.length > 0) app.use('/v1/*', cors({ ...CORS, origin: [...allowedOrigins] }))
  app.use('*', unambiguous)
  app.use('/v1/vaults/:vault/*', enterVault(services))

  app.route('/', healthRoutes(services, runtime))
  app.route('/', docsRoutes(runtime.publicFile ?? (async () => null)))
  const groups = [
    secretRoutes(services),
    hydrateRoutes(services),
    sessionRoutes(services),
    accessRoutes(services),
    approvalRoutes(services),
    rotationRoutes(services),
    policyRoutes(services),
    auditRoutes(services),
    chainRoutes(services),
    vaultMetricsRoutes(),
  ]
  for (const routes of groups) app.route('/v1/vaults/:vault', routes)

  app.onError((error, c) => problem(error, c.var.requestId))
  app.notFound((c) => {
    const allowed = METHODS.filter((method) => handles(app, method, c.req.path))
    if (allowed.length > 0) return methodNotAllowed(c.var.requestId, withHead(allowed, c.req.path))
    return problem(new PosternError('not_found', 'No such route'), c.var.requestId)
  })
  return app
}

/** Sends the next nonce to a client that sends proofs, with every answer (RFC 9449 section 8.2). */
async function renewNonce(c: RequestContext, { keyring }: Services): Promise<void> {
  if (c.req.header('DPoP') === undefined || c.var.vault === undefined) return
  c.res.headers.set('DPoP-Nonce', nonceAt(await keyring.macKey(c.var.vault, 'nonce'), Date.now()))
}

/** Whether a route, not only a middleware, answers a method at a path. */
function handles(app: Hono<Env>, method: string, path: string): boolean {
  return app.router.match(method, path)[0].some(([[, route]]) => route.method === method)
}
