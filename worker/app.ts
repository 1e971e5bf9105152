/**
 * The HTTP API as one function from Request to Response, the same on every runtime.
 *
 * @module
 */
import { type Context, Hono, type Next } from 'hono'
import { cors } from 'hono/cors'
import { sourceOf } from '../core/addresses.ts'
import { nonceAt } from '../core/authentication/dpop.ts'
import { PosternError, refusal } from '../core/errors.ts'
import { parseVaultId } from '../core/names.ts'
import { Throttle } from '../core/rate_limit.ts'
import { isBootstrap } from '../core/vault/rpc.ts'
import { approvalOf } from './http/approval_header.ts'
import { type Arrival, identify } from './http/authenticate.ts'
import { harden, METHODS, methodNotAllowed, unambiguous } from './http/harden.ts'
import { observe } from './http/observe.ts'
import { problem } from './http/problem.ts'
import { accessRoutes } from './routes/access.ts'
import { approvalRoutes } from './routes/approvals.ts'
import { auditRoutes } from './routes/audit.ts'
import { chainRoutes } from './routes/chains.ts'
import { docsRoutes, type PublicFiles } from './routes/docs.ts'
import { gaugeRoutes, healthRoutes } from './routes/health.ts'
import { hydrateRoutes } from './routes/hydrate.ts'
import { policyRoutes } from './routes/policy.ts'
import { rotationRoutes } from './routes/rotations.ts'
import { secretRoutes } from './routes/secrets.ts'
import { sessionRoutes } from './routes/sessions.ts'
import type { Env, Parts } from './services.ts'
import { logLine } from './telemetry/log.ts'
import type { ProcessFacts } from './telemetry/request_metrics.ts'
import { timed } from './telemetry/request_timing.ts'

/** How many requests that lack only a nonce an address may make, for each refusal that it may. */
const NONCE_REQUESTS = 10
/** For pages of the origins that are allowed: no cookies, and the headers that a client sends and reads. */
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
    'Approval-Reason',
  ],
  exposeHeaders: [
    ...['DPoP-Nonce', 'Request-Id', 'Audit-Index', 'Retry-After', 'RateLimit', 'RateLimit-Policy'],
    ...['ETag', 'Age', 'Cache-Status', 'Server-Timing', 'Link', 'WWW-Authenticate'],
  ],
  maxAge: 600,
}

/** What an app is told by the runtime that it is in. */
export interface Runtime {
  /** The published documents, where they are with the server. */
  publicFile?: PublicFiles
  /** The process, for its metrics; not on Workers. */
  processFacts?: ProcessFacts
}

/**
 * Builds the app. `fetch(request, connection)` answers; it never throws.
 *
 * @param runtime What only the runtime knows.
 */
export function createApp(parts: Parts, runtime: Runtime = {}): Hono<Env> {
  const app = new Hono<Env>()
  const observer = observe(parts)
  if (observer !== null) app.use('*', observer)
  const { requestTimeoutMs, debug } = parts.settings

  app.use('*', async (c, next) => {
    // `c.var` makes an object of all variables each time: not on the way of every request.
    const requestId = crypto.randomUUID()
    c.set('requestId', requestId)
    await withDeadline(next(), requestTimeoutMs, () => c.set('late', true)).catch((error) => {
      c.res = problem(error, requestId)
    })
    harden(c.res).headers.set('Request-Id', requestId)
    await renewNonce(c, parts)
    // No path: it holds the name of a secret.
    if (debug) logLine('info', 'request', { requestId, method: c.req.method, status: c.res.status })
  })
  const { allowedOrigins } = parts.settings.security
  if (allowedOrigins.length > 0) app.use('/v1/*', cors({ ...CORS, origin: [...allowedOrigins] }))
  app.use('*', unambiguous)
  app.use('/v1/vaults/:vault/*', entrance(parts))

  app.route('/', healthRoutes(parts, runtime))
  app.route('/', docsRoutes(runtime.publicFile ?? (async () => null)))
  const groups = [
    secretRoutes(parts),
    hydrateRoutes(parts),
    sessionRoutes(parts),
    accessRoutes(parts),
    approvalRoutes(parts),
    rotationRoutes(parts),
    policyRoutes(parts),
    auditRoutes(parts),
    chainRoutes(parts),
    gaugeRoutes(),
  ]
  for (const routes of groups) app.route('/v1/vaults/:vault', routes)

  app.onError((error, c) => problem(error, c.var.requestId))
  app.notFound((c) => {
    const allowed = METHODS.filter((method) => handles(app, method, c.req.path))
    if (allowed.length > 0) return methodNotAllowed(c.var.requestId, allowed)
    return problem(new PosternError('not_found', 'No such route'), c.var.requestId)
  })
  return app
}

/** Finds out who asks which vault. */
function entrance(parts: Parts) {
  const gate = floodGate(parts)
  const nonceGate = floodGate(parts, NONCE_REQUESTS)
  return async (c: Context<Env>, next: Next) => {
    const vault = parseVaultId(c.req.param('vault'))
    const requestId = c.get('requestId')
    c.set('vault', vault)
    try {
      const about = { connection: c.env, requestId, takes: takenAt(c, vault) }
      const identified = timed(c.var.observation, 'identify', () => identify(parts, c.req.raw, vault, about))
      const { caller, seal } = await identified
      c.set('caller', { ...caller, ...approvalOf(c) })
      c.set('seal', seal)
    } catch (error) {
      if (error instanceof PosternError && error.code === 'unauthenticated') {
        // Clients have no nonce on their first request, so this is no guess. Its signature costs work all the same.
        const lacksNonce = error.detail.reason === 'use_dpop_nonce'
        const count = lacksNonce ? nonceGate : gate
        count(c)
      }
      throw error
    }
    const { credential } = c.get('caller')
    if (credential === null) gate(c)
    const handle = await parts.host.vault(vault, isBootstrap(credential))
    const observation = c.get('observation')
    c.set('handle', observation ? handle.around((work) => observation.time('vault', work)) : handle)
    return next()
  }
}

/** What a route takes in place of a token. */
function takenAt({ req }: Context<Env>, vault: string): Arrival['takes'] {
  if (req.method !== 'POST') return null
  if (req.path === `/v1/vaults/${vault}/sessions`) return 'sign-in'
  return req.path === `/v1/vaults/${vault}/tokens` ? 'ticket' : null
}

/**
 * Counts requests without a token of ours, by address, and refuses them when there are too many. Whoever
 * has a token is not concerned, however many strangers share its address.
 *
 * @param factor How many times `refusalRate` is admitted.
 */
function floodGate({ settings }: Parts, factor = 1): (c: Context<Env>) => void {
  const throttle = new Throttle()
  const limits = settings.security.refusalRate.map(({ requests, periodMs }) => {
    return { requests: requests * factor, periodMs }
  })
  return (c) => {
    const key = sourceOf(c.env.address)
    const admission = throttle.admit(
      limits.map((limit) => ({ name: 'refusals', key, limit })),
      Date.now(),
    )
    if (admission === null || admission.allowed) return
    throw refusal('throttled', { retryAfterSeconds: Math.ceil(admission.retryAfterMs / 1000) })
  }
}

/** Hands the next nonce to whoever sends proofs, with whatever the answer is (RFC 9449 section 8.2). */
async function renewNonce(c: Context<Env>, { keyring }: Parts): Promise<void> {
  if (c.req.header('DPoP') === undefined || c.var.vault === undefined) return
  c.res.headers.set('DPoP-Nonce', nonceAt(await keyring.macKey(c.var.vault, 'nonce'), Date.now()))
}

/** Whether a route, not only a middleware, answers a method at a path. */
function handles(app: Hono<Env>, method: string, path: string): boolean {
  return app.router.match(method, path)[0].some(([[, route]]) => route.method === method)
}

/**
 * Gives up waiting. What was begun is not given up with it: it may have been recorded, or be about to be, and what a provider was sent
 * must still get its entry. A repeat with the same idempotency key does it once.
 */
async function withDeadline(work: Promise<void>, timeoutMs: number, onLate: () => void): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    onLate()
    reject(refusal('late', { retryAfterSeconds: 1 }))
  }, timeoutMs)
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
