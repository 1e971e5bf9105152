/**
 * What a route reads of its request: the query, the headers, and the key that the answer is sealed to.
 *
 * @module
 */
import type { Context } from 'hono'
import type * as z from 'zod/mini'
import { parseRecipient, type Recipient } from '../../core/crypto/seal_to.ts'
import { badRequest } from '../../core/errors.ts'
import { parseName } from '../../core/names.ts'
import { check } from '../../core/wire/index.ts'
import type { Env } from '../services.ts'

/**
 * Checks the query of a request: no unknown key, none twice.
 *
 * @throws {PosternError} `bad_request`
 */
export function query<T extends z.ZodMiniType>(c: Context<Env>, schema: T): z.output<T> {
  const { url } = c.req
  const params = url.includes('?') ? [...new URL(url).searchParams] : []
  if (new Set(params.map(([key]) => key)).size < params.length) throw badRequest('query', 'Query has a key twice')
  return check(schema, Object.fromEntries(params), 'query')
}

/** Checks those headers of a request that a schema names. */
export function headers<T extends z.ZodMiniObject>(c: Context<Env>, schema: T): z.output<T> {
  const given = Object.keys(schema.shape).flatMap((name) => {
    const value = c.req.header(name)
    return value === undefined ? [] : [[name, value]]
  })
  return check(schema, Object.fromEntries(given), 'headers')
}

/**
 * Reads to whom an answer with values is to be sealed, if to anybody. To be called before the vault is
 * asked: what cannot be sealed must not be released.
 *
 * @throws {PosternError} `bad_request`
 */
export async function recipientOf(c: Context<Env>): Promise<Recipient | null> {
  const header = c.req.header('Postern-Seal-To')
  const seal = c.get('seal')
  if (header === undefined) {
    if (seal) throw badRequest('Postern-Seal-To', 'Must be there: the proof names it')
    return null
  }
  const recipient = await parseRecipient(header)
  // With a proof, the key has to be in it: a proxy in between could put its own in place otherwise.
  if (seal !== undefined && seal !== recipient.thumbprint)
    throw badRequest('Postern-Seal-To', 'Must be the key that the proof names')
  return recipient
}

/** The name of a secret in the path of a request. */
export function nameOf(c: Context<Env>): string {
  return parseName(c.req.param('name'))
}
