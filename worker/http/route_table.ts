/**
 * All routes, by the id of their operation, with the parameters that their queries may have. {@link serve} registers a
 * route from these tables, and `openapi/` describes its requests and answers: a route that lacks either does not compile.
 *
 * @module
 */
import type { Hono } from 'hono'
import { matchedRoutes } from 'hono/route'
import type * as z from 'zod/mini'
import * as wire from '../../core/wire/index.ts'
import { query } from './request.ts'
import type { Env, RequestContext } from './request_context.ts'

/** The path that a vault's routes begin with. */
export const VAULT_BASE = '/v1/vaults/{vault}'

/** Routes of a vault. `{name}` and `{tile}` may contain slashes. */
const OF_VAULT = {
  listSecrets: 'GET /secrets',
  readSecret: 'GET /secrets/{name}',
  putSecret: 'PUT /secrets/{name}',
  deleteSecret: 'DELETE /secrets/{name}',
  restoreSecret: 'POST /restore/{name}',
  destroySecret: 'POST /destroy/{name}',
  listVersions: 'GET /versions/{name}',
  hydrate: 'POST /hydrate',
  openSession: 'POST /sessions',
  renewSession: 'POST /sessions/current',
  whoami: 'GET /sessions/current',
  endOwnSession: 'DELETE /sessions/current',
  listSessions: 'GET /sessions',
  endSessions: 'DELETE /sessions',
  endSession: 'DELETE /sessions/{accessor}',
  enrolTotp: 'POST /totp',
  confirmTotp: 'POST /totp/confirm',
  listPrincipals: 'GET /principals',
  putPrincipal: 'PUT /principals/{id}',
  listTokens: 'GET /tokens',
  createToken: 'POST /tokens',
  revokeToken: 'DELETE /tokens/{accessor}',
  listRules: 'GET /rules',
  putRule: 'PUT /rules/{id}',
  deleteRule: 'DELETE /rules/{id}',
  explainRules: 'POST /rules/explain',
  listIssuers: 'GET /issuers',
  putIssuer: 'PUT /issuers/{id}',
  deleteIssuer: 'DELETE /issuers/{id}',
  listLocks: 'GET /locks',
  clearLock: 'DELETE /locks/{id}',
  resetFactors: 'DELETE /factors/{id}',
  listApprovals: 'GET /approvals',
  showApproval: 'GET /approvals/{id}',
  decideApproval: 'POST /approvals/{id}',
  withdrawApproval: 'DELETE /approvals/{id}',
  listBrokenGlass: 'GET /break-glass',
  breakGlass: 'POST /break-glass',
  reviewGlass: 'POST /break-glass/{id}',
  endGlass: 'DELETE /break-glass/{id}',
  listRotations: 'GET /rotations',
  showRotation: 'GET /rotations/{name}',
  putRotation: 'PUT /rotations/{name}',
  deleteRotation: 'DELETE /rotations/{name}',
  rotate: 'POST /rotations/{name}',
  rollback: 'POST /rollback/{name}',
  showGauges: 'GET /metrics',
  showPolicy: 'GET /policy',
  putPolicy: 'PUT /policy',
  listHooks: 'GET /hooks',
  putHook: 'PUT /hooks/{id}',
  deleteHook: 'DELETE /hooks/{id}',
  listTerms: 'GET /keys',
  rekey: 'POST /keys',
  listEntries: 'GET /audit/entries',
  listOwnEntries: 'GET /audit/mine',
  exportEntries: 'GET /audit/export',
  showLog: 'GET /audit/status',
  holdLog: 'PUT /audit/hold',
  showLogKeys: 'GET /audit/key',
  rekeyLog: 'POST /audit/key',
  showCheckpoint: 'GET /audit/checkpoint',
  proveInclusion: 'GET /audit/inclusion/{index}',
  proveEntry: 'GET /audit/proof/{index}',
  proveConsistency: 'GET /audit/consistency',
  readTile: 'GET /audit/tile/{tile}',
  listChains: 'GET /chains',
  putChain: 'PUT /chains/{id}',
  deleteChain: 'DELETE /chains/{id}',
  listChainNames: 'GET /chains/{id}/names',
  listProviders: 'GET /providers',
} as const

/** Routes of the server, for every client. */
const OF_SERVER = {
  showStart: 'GET /',
  isAlive: 'GET /healthz',
  isReady: 'GET /readyz',
  showMetrics: 'GET /metrics',
  showContract: 'GET /openapi.json',
  showDocs: 'GET /docs',
  showDocsStyle: 'GET /docs/style.css',
} as const

/** The queries of the routes that have parameters. Every other route refuses any parameter. */
const QUERIES = {
  listSecrets: wire.ListQuery,
  readSecret: wire.ReadQuery,
  listVersions: wire.VersionsQuery,
  listSessions: wire.SessionsQuery,
  endSessions: wire.SessionsQuery,
  listRotations: wire.RotationsQuery,
  listEntries: wire.EntriesQuery,
  listOwnEntries: wire.MineQuery,
  exportEntries: wire.ExportQuery,
  showCheckpoint: wire.CheckpointQuery,
  proveInclusion: wire.InclusionQuery,
  proveConsistency: wire.ConsistencyQuery,
  listChainNames: wire.NamesQuery,
} as const satisfies Partial<Record<RouteId, z.ZodMiniObject>>

/** The query of a route, as its handler gets it. */
type QueryOf<K extends RouteId> = K extends keyof typeof QUERIES
  ? z.output<(typeof QUERIES)[K]>
  : Readonly<Record<string, never>>

/** The id of an operation. */
export type RouteId = keyof typeof OF_VAULT | keyof typeof OF_SERVER

/** A route: its method, and its full path as OpenAPI writes it. */
export interface Route {
  id: RouteId
  method: string
  path: string
}

/** All routes, in the order of the table. */
export const ROUTES: readonly Route[] = [...routesOf(OF_SERVER, ''), ...routesOf(OF_VAULT, VAULT_BASE)]

const BY_ID = new Map(ROUTES.map((route) => [route.id, route]))
const BY_PATTERN = new Map(ROUTES.map(({ id, method, path }) => [`${method} ${pattern(path)}`, id]))

/** The shape of a route's query; `null` for a route without parameters. */
export function queryOf(id: RouteId): z.ZodMiniObject | null {
  return (QUERIES as Partial<Record<RouteId, z.ZodMiniObject>>)[id] ?? null
}

/**
 * Registers the handler of an operation, which gets the parsed query. Groups of a vault's routes are mounted at
 * {@link VAULT_BASE}.
 */
export function serve<K extends RouteId>(
  group: Hono<Env>,
  id: K,
  handler: (c: RequestContext, query: QueryOf<K>) => Response | Promise<Response>,
): void {
  const { method, path } = BY_ID.get(id)!
  const shape = queryOf(id)
  const mounted = pattern(path.startsWith(VAULT_BASE) ? path.slice(VAULT_BASE.length) : path)
  group.on(method, mounted, (c) => handler(c, query(c, shape) as QueryOf<K>))
}

/** Writes a path of OpenAPI as a pattern of Hono. */
export function pattern(path: string): string {
  return path.replaceAll(/\{([a-z]+)\}/g, (_, name) =>
    name === 'name' || name === 'tile' ? `:${name}{.+}` : `:${name}`,
  )
}

/** The operation of a request; `null` when it matches none. Costs a walk over the matched routes: only timing uses it. */
export function routeOf(c: RequestContext): Route | null {
  // HEAD is answered by the route of GET.
  const method = c.req.method === 'HEAD' ? 'GET' : c.req.method
  // The first route of the method answers; middleware matches all methods.
  const path = matchedRoutes(c).find((route) => route.method === method)?.path
  const id = path === undefined ? undefined : BY_PATTERN.get(`${method} ${path}`)
  return id === undefined ? null : BY_ID.get(id)!
}

function routesOf(table: Partial<Record<RouteId, string>>, base: string): Route[] {
  return Object.entries(table).map(([id, route]) => {
    const [method = '', path = ''] = route.split(' ')
    return { id: id as RouteId, method, path: base + path }
  })
}
