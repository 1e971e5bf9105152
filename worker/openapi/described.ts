import type { $ZodObject, $ZodType } from 'zod/v4/core'
import type { RouteId } from '../http/route_table.ts'

/** An answer, or a form of one, that is not JSON of one of our shapes. */
export interface Raw {
  type: string
  description: string
  example?: string
}

/** A header that only some answers have; the others are on all. */
export type AnswerHeader = 'ETag' | 'Cache-Status' | 'Age' | 'Link'

/** What may go wrong beside what may go wrong with every request to a vault. */
export type Also = 'not_found' | 'conflict' | 'precondition'

/** What a client is told of a route. Where it is and by which method stands in `route_table.ts`. */
export interface Described {
  summary: string
  description?: string
  query?: $ZodObject
  /** Headers of the request that only some routes take. */
  headers?: $ZodObject
  body?: { shape: $ZodType | readonly $ZodType[]; optional?: true; example?: object }
  answer: $ZodType | readonly Raw[]
  /** An answer, made up. */
  example?: object
  status?: 200 | 201
  answerHeaders?: readonly AnswerHeader[]
  also?: readonly Also[]
  /** Set when the answer holds values, and is sealed for who sends a key. */
  sealable?: true
  /** Set when a rule can demand that others approve it. */
  approvable?: true
  /** Set when it makes a session: it may come without a token. */
  signIn?: true
}

/** The routes of one group, in the order in which they are told. */
export interface Group {
  name: string
  description: string
  routes: Partial<Record<RouteId, Described>>
}

/** Lets the compiler keep which routes a group has, so that one that is missing in all of them is seen. */
export function group<const T extends Partial<Record<RouteId, Described>>>(
  name: string,
  description: string,
  routes: T,
): Group & { routes: T } {
  return { name, description, routes }
}
