/**
 * Reads a request: its query, its headers, the name in its path, and the key that the answer is sealed to.
 *
 * @module
 */
import type * as z from 'zod/mini'
import { parseRecipient, type Recipient } from '../../core/crypto/seal_to.ts'
import { badRequest, PosternError } from '../../core/errors.ts'
import { check, unknown } from '../../core/wire/index.ts'
import { nameIn } from './path.ts'
import type { RequestContext } from './request_context.ts'

/**
 * Parses the query of a request. Unknown and repeated parameters are refused: a filter that is ignored would answer with
 * more than was asked for.
 *
 * @param shape The parameters of the route; `null` for a route without parameters.
 * @throws {PosternError} `bad_request`
 */
export function query(c: RequestContext, shape: z.ZodMiniObject | null): Readonly<Record<string, unknown>> {
  const { url } = c.req
  const given = url.includes('?') ? [...new URL(url).searchParams] : []
  const known = shape === null ? [] : Object.keys(shape.shape)
  const seen = new Set<string>()
  for (const [name] of given) {
    if (!known.includes(name)) throw badRequest('query', unknownParameter(name, known))
    if (seen.has(name)) throw badRequest('query', `Parameter ${name} must be given once`)
    seen.add(name)
  }
  return shape === null ? {} : check(shape, Object.fromEntries(given), 'query')
}

function unknownParameter(name: string, known: readonly string[]): string {
  const rest = known.length === 0 ? 'This route has no parameters' : `Known parameters: ${known.join(', ')}`
  return `${unknown('parameter', name)}. ${rest}`
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
 * Refuses a precondition that is false for every version: `If-Match` compares weak entity tags with none (RFC 9110 section
 * 13.1.1), as a proxy makes them that compresses answers.
 *
 * @throws {PosternError} `conflict` for 412
 */
export function refuseWeakTag(c: RequestContext): void {
  if (c.req.header('If-Match')?.trimStart().startsWith('W/') !== true) return
  const message = 'A weak entity tag never matches If-Match. Send the version in quotes, without W/'
  throw new PosternError('conflict', message, { reason: 'version_mismatch', field: 'If-Match', precondition: true })
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
 * Parses the name of a secret in the path. It is decoded once.
 *
 * @throws {PosternError} `bad_request`
 */
export function nameOf(c: RequestContext): string {
  return nameIn(c.req.path)
}
