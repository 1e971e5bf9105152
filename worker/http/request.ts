/**
 * Reads a request: its query, its headers, the name in its path, and the key that the answer is sealed to.
 *
 * @module
 */
import type * as z from 'zod/mini'
import { parseRecipient, type Recipient } from '../../core/crypto/seal_to.ts'
import { badRequest } from '../../core/errors.ts'
import { parseName } from '../../core/names.ts'
import { check } from '../../core/wire/index.ts'
import type { RequestContext } from './request_context.ts'

/**
 * Parses the query of a request. Unknown and repeated keys are refused.
 *
 * @throws {PosternError} `bad_request`
 */
export function query<T extends z.ZodMiniType>(c: RequestContext, schema: T): z.output<T> {
  const { url } = c.req
  const params = url.includes('?') ? [...new URL(url).searchParams] : []
  if (new Set(params.map(([key]) => key)).size < params.length) throw badRequest('query', 'Query has a key twice')
  return check(schema, Object.fromEntries(params), 'query')
}

/**
 * Parses the headers that a schema names.
 *
 * @throws {PosternError} `bad_request`
 */
export function headers<T extends z.ZodMiniObject>(c: RequestContext, schema: T): z.output<T> {
  const given = Object.keys(schema.shape).flatMap((name) => {
    const value = c.req.header(name)
    return value === undefined ? [] : [[name, value]]
  })
  return check(schema, Object.fromEntries(given), 'headers')
}

/**
 * Parses the key that an answer with values must be sealed to. Call it before the vault: a value that cannot be sealed
 * must not be released.
 *
 * @returns `null` when the answer will not be sealed.
 * @throws {PosternError} `bad_request`
 */
export async function recipientOf(c: RequestContext): Promise<Recipient | null> {
  const header = c.req.header('Postern-Seal-To')
  const seal = c.get('seal')
  if (header === undefined) {
    if (seal) throw badRequest('Postern-Seal-To', 'Must be there: the proof names it')
    return null
  }
  const recipient = await parseRecipient(header)
  // A proof must name the key; otherwise a proxy could substitute its own.
  if (seal !== undefined && seal !== recipient.thumbprint)
    throw badRequest('Postern-Seal-To', 'Must be the key that the proof names')
  return recipient
}

/**
 * Parses the name of a secret in the path.
 *
 * @throws {PosternError} `bad_request`
 */
export function nameOf(c: RequestContext): string {
  return parseName(c.req.param('name'))
}
