/**
 * Checks input against a shape.
 *
 * @module
 */
import type * as z from 'zod/mini'
import en from 'zod/v4/locales/en.js'
import { badRequest } from '../errors.ts'

/** Default messages for rules without their own. */
const WORDS = { error: en().localeError }

/**
 * Checks a part of a request against its shape.
 *
 * @param root The name to report when the whole part is wrong: `body`, `query` or `headers`.
 * @throws {PosternError} `bad_request`, naming the first wrong field and the rule it breaks. It names
 *   neither the value nor an unknown field, since a secret may have slipped into that place.
 */
export function check<T extends z.ZodMiniType>(schema: T, input: unknown, root = 'body'): z.output<T> {
  const result = schema.safeParse(input, WORDS)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path ?? []
  // The client chooses the names below tags and claims.
  const own = path.findIndex((name) => name === 'tags' || name === 'claims')
  const names = (own < 0 ? path : path.slice(0, own + 1)).filter(
    (name) => typeof name === 'number' || /^[A-Za-z-]{1,32}$/.test(String(name)),
  )
  const message = issue?.code === 'unrecognized_keys' ? 'Unknown field' : (issue?.message ?? 'Invalid')
  throw badRequest(names.join('.') || root, message)
}
