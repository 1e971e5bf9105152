/**
 * Checking what came in.
 *
 * @module
 */
import type * as z from 'zod/mini'
import en from 'zod/v4/locales/en.js'
import { badRequest } from '../errors.ts'

/** The messages of rules that have none of their own. */
const WORDS = { error: en().localeError }

/**
 * Checks a request's body against its shape.
 *
 * @param root Named when the whole is wrong: `body`, `query` or `headers`.
 * @throws {PosternError} `bad_request` naming the first wrong field and the rule it breaks. Never the
 *   value, nor an unknown field's name: a value may have slipped into that place.
 */
export function check<T extends z.ZodMiniType>(schema: T, input: unknown, root = 'body'): z.output<T> {
  const result = schema.safeParse(input, WORDS)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path ?? []
  // Below tags and claims the names are the client's own.
  const own = path.findIndex((name) => name === 'tags' || name === 'claims')
  const names = (own < 0 ? path : path.slice(0, own + 1)).filter(
    (name) => typeof name === 'number' || /^[A-Za-z-]{1,32}$/.test(String(name)),
  )
  const message = issue?.code === 'unrecognized_keys' ? 'Unknown field' : (issue?.message ?? 'Invalid')
  throw badRequest(names.join('.') || root, message)
}
