/**
 * The four kinds of requests of a client.
 *
 * @module
 */
import * as z from 'zod/mini'
import type { Ask, Query } from './transport.ts'

/** Requests by method. Each answer is checked against its shape. */
export function requests(ask: Ask) {
  return {
    get: <T extends z.ZodMiniType>(path: string, query: Query, answer: T) =>
      ask({ method: 'GET', path: path + search(query), answer }),
    put: <T extends z.ZodMiniType>(path: string, body: unknown, answer: T) =>
      ask({ method: 'PUT', path, body, answer }),
    post: <T extends z.ZodMiniType>(path: string, body: unknown, answer: T) =>
      ask({ method: 'POST', path, body, answer }),
    remove: async (path: string, headers: Record<string, string> = {}) =>
      void (await ask({ method: 'DELETE', path, headers, answer: z.unknown() })),
  }
}

/** The query string with its question mark, or an empty string. */
export function search(query: Query): string {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]))
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`
}
