import type { Context } from 'hono'
import type * as z from 'zod'
import type { DekCache } from '../core/crypto/envelope.ts'
import type { Keyring } from '../core/crypto/keyring.ts'
import { badRequest } from '../core/errors.ts'
import type { Redacted } from '../core/redacted.ts'
import type { Settings } from '../core/settings.ts'
import type { Caller } from '../core/vault.ts'
import { check } from '../core/wire.ts'
import type { Connection } from './auth.ts'
import type { Host, VaultHandle } from './host.ts'

/** What the app is made of. */
export interface Parts {
  settings: Settings
  keyring: Keyring
  host: Host
  bootstrapTokens: readonly Redacted<string>[]
  deks: DekCache
}

/** What Hono carries with each request. */
export interface Env {
  Bindings: Connection
  Variables: {
    requestId: string
    /** Below `/v1/vaults/{vault}/`: the vault's id, its handle, and who asks. */
    vault: string
    handle: VaultHandle
    caller: Caller
  }
}

/**
 * Checks the query of a request: no unknown key, none twice.
 *
 * @throws {PosternError} `bad_request`
 */
export function query<T extends z.ZodType>(c: Context<Env>, schema: T): z.output<T> {
  const params = [...new URL(c.req.url).searchParams]
  if (new Set(params.map(([key]) => key)).size < params.length) throw badRequest('query', 'Query has a key twice')
  return check(schema, Object.fromEntries(params))
}

/** Checks those headers of a request that a schema names. */
export function headers<T extends z.ZodObject>(c: Context<Env>, schema: T): z.output<T> {
  const names = Object.keys(schema.shape)
  return check(
    schema,
    Object.fromEntries(
      names.flatMap((name) => {
        const value = c.req.header(name)
        return value === undefined ? [] : [[name, value]]
      }),
    ),
  )
}

/** Writes a time for the wire. */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}

/** `{ [key]: time }`, or nothing when there is none. */
export function when<K extends string>(key: K, ms: number | null): Partial<Record<K, string>> {
  return ms === null ? {} : ({ [key]: iso(ms) } as Record<K, string>)
}

/** Answers with JSON and the index of the audit entry that records it. */
export function answer(c: Context<Env>, index: number | null, body: object, status: 200 | 201 = 200): Response {
  if (index !== null) c.header('Audit-Index', String(index))
  return c.json(body, status)
}
