/**
 * The description of a route for the OpenAPI document.
 *
 * @module
 */
import type { $ZodObject, $ZodType } from 'zod/v4/core'
import type { RouteId } from '../http/route_table.ts'

/** An answer in a media type other than JSON, or JSON without a shape. */
export interface Raw {
  type: string
  description: string
  example?: string
}

/** A header that only some answers have. */
export type AnswerHeader = 'ETag' | 'Cache-Status' | 'Age' | 'Link'

/** Failures of some routes, in addition to those of every route of a vault. */
export type Also = 'not_found' | 'conflict' | 'precondition'

/** The description of a route. `route_table.ts` has its method, its path and its query. */
export interface Described {
  summary: string
  description?: string
  /** Request headers that only some routes take. */
  headers?: $ZodObject
  body?: { shape: $ZodType | readonly $ZodType[]; optional?: true; example?: object }
  answer: $ZodType | readonly Raw[]
  /** An example of an answer. */
  example?: object
  status?: 200 | 201
  answerHeaders?: readonly AnswerHeader[]
  also?: readonly Also[]
  /** Set if the answer holds values, and is sealed for a client that sends a key. */
  sealable?: true
  /** Set if a rule can demand approvals for the route. */
  approvable?: true
  /** Set if the route opens a session, and so needs no token. */
  signIn?: true
}

/** A group of routes, in the order of the document. */
export interface Group {
  name: string
  description: string
  routes: Partial<Record<RouteId, Described>>
}

/** Creates a group. The compiler keeps its route ids, and so reports a route that is missing from all groups. */
export function group<const T extends Partial<Record<RouteId, Described>>>(
  name: string,
  description: string,
  routes: T,
): Group & { routes: T } {
  return { name, description, routes }
}
