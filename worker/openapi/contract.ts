/**
 * What every route takes and answers. Only what writes the document and what checks answers with it read this: it is
 * no part of a server.
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

/** The groups, in the order in which they are told. */
export const GROUPS: readonly Group[] = [secrets, sessions, access, approvals, rotations, policy, audit, chains, server]

/** By route. A route of the table that no group describes does not compile. */
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
