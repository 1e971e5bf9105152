/**
 * The requests and answers of every route. Only the generator of the OpenAPI document and the checks of answers load
 * this module. A server does not.
 *
 * @module
 */
import type { RouteId } from '../http/route_table.ts'
import { access } from './access.ts'
import { approvals } from './approvals.ts'
import { audit } from './audit.ts'
import { chains } from './chains.ts'
import type { Described, Group } from './described.ts'
import { policy } from './policy.ts'
import { rotations } from './rotations.ts'
import { secrets } from './secrets.ts'
import { server } from './server.ts'
import { sessions } from './sessions.ts'

/** The groups of routes, in the order of the document. */
export const GROUPS: readonly Group[] = [secrets, sessions, access, approvals, rotations, policy, audit, chains, server]

/** The description of each route. A route without one does not compile. */
export const CONTRACT: Readonly<Record<RouteId, Described>> = {
  ...secrets.routes,
  ...sessions.routes,
  ...access.routes,
  ...approvals.routes,
  ...rotations.routes,
  ...policy.routes,
  ...audit.routes,
  ...chains.routes,
  ...server.routes,
}
