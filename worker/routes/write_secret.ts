/**
 * Writes a version of a secret: sealed for the vault's own store, or sent to the provider that keeps the name.
 *
 * @module
 */

import type * as z from 'zod/mini'
import { type Bytes, parseBase64, utf8 } from '../../core/bytes.ts'
import { DEFAULT_CONTENT_TYPE } from '../../core/encoding.ts'
import { badRequest, PosternError, refusal } from '../../core/errors.ts'
import { retryRaced } from '../../core/races.ts'
import { Redacted } from '../../core/redacted.ts'
import { fingerprints } from '../../core/sealing/request_fingerprint.ts'
import { sealValue, type VersionPlace } from '../../core/sealing/version.ts'
import type { StrengthPolicy } from '../../core/values/strength.ts'
import { textOf, weaknessOf, weakValue } from '../../core/values/strength.ts'
import type { Granted } from '../../core/vault/rpc.ts'
import type { WriteInput } from '../../core/vault/secrets/operations.ts'
import * as wire from '../../core/wire/index.ts'
import { headers, refuseWeakTag } from '../http/request.ts'
import type { RequestContext } from '../http/request_context.ts'
import type { Services } from '../services.ts'
import { writeToProvider } from './provider_secrets.ts'

/** How many times a write is sealed again after another write took its number. */
const MAX_RACES = 20

/** A write before it is sealed for its version number. */
export interface Draft {
  place: Omit<VersionPlace, 'version'>
  value: Redacted<Bytes>
  /** Set when the vault has accepted the value before. It is not tested again, so that no outcome depends on a stored value. */
  isKept?: true
  rest: Pick<
    WriteInput,
    'contentType' | 'encoding' | 'tags' | 'expiresAt' | 'expect' | 'idempotency' | 'replace' | 'why'
  >
}

/**
 * Parses a write.
 *
 * @throws {PosternError} `bad_request`
 */
export async function draftOf(
  { keyring }: Services,
  c: RequestContext,
  name: string,
  body: z.output<typeof wire.PutSecret>,
): Promise<Draft> {
  refuseWeakTag(c)
  const { 'If-Match': version, 'If-None-Match': absent, 'Idempotency-Key': key } = headers(c, wire.WriteHeaders)
  if (version !== undefined && absent) throw badRequest('If-Match', 'If-Match and If-None-Match exclude each other')
  if (body.expiresAt !== undefined && body.expiresAt <= Date.now())
    throw badRequest('expiresAt', 'Must be in the future')
  const encoding = body.encoding ?? 'utf8'
  const contentType = body.contentType ?? DEFAULT_CONTENT_TYPE[encoding]
  const current = typeof version === 'string' ? { provided: version } : version
  const expect = current ?? (absent ? ('absent' as const) : undefined)
  const { vault } = c.var
  const [fingerprint = '', ...former] = key ? await fingerprints(keyring, vault, [name, body, expect ?? null]) : []
  const mark = key && { key, fingerprint, former }
  return {
    place: { vault, name, contentType, encoding },
    value: new Redacted(bytesOf(body)),
    rest: {
      contentType,
      encoding,
      ...(body.tags && { tags: body.tags }),
      ...(body.expiresAt !== undefined && { expiresAt: body.expiresAt }),
      ...(expect !== undefined && { expect }),
      ...(mark && { idempotency: mark }),
      ...(body.replace && { replace: body.replace }),
    },
  }
}

/**
 * Seals a value for the next version number, and again when another write took that number; or writes it to the provider
 * that keeps the name.
 */
export async function write(
  services: Services,
  c: RequestContext,
  draft: Draft,
): Promise<Granted<{ version: number | string }>> {
  const { place, value, rest } = draft
  const { handle, caller } = c.var
  const { keyring } = services
  const { name } = place
  const mark = rest.idempotency && { idempotency: rest.idempotency }
  return retryRaced(MAX_RACES, async (races) => {
    giveUpWhenLate(c)
    const prepared = await handle.call('secret.prepare', caller, { name, ...mark, replace: rest.replace })
    const { strength } = prepared.value
    if (strength !== null && !draft.isKept) await refuseWeak(c, name, textOf(value), strength)
    if ('chain' in prepared.value) return writeToProvider(services, c, draft, { ...prepared, value: prepared.value })
    const { version, term, root } = prepared.value
    const sealed = await sealValue(keyring, value, { ...place, version }, { term, root })
    giveUpWhenLate(c)
    return handle.call('secret.write', caller, { name, version, ...sealed, ...rest, last: races === MAX_RACES })
  })
}

/**
 * Refuses a value that is weaker than the policy requires, and has the vault record the refusal.
 *
 * @throws {PosternError} `bad_request` with reason `weak`; `unavailable` when it cannot be recorded.
 */
async function refuseWeak(c: RequestContext, name: string, value: string, strength: StrengthPolicy): Promise<void> {
  const weakness = weaknessOf(value, strength)
  if (weakness === null) return
  const { handle, caller } = c.var
  try {
    await handle.call('secret.write', caller, { name, weak: true })
  } catch (error) {
    if (!(error instanceof PosternError) || error.detail.reason !== 'weak') throw error
    const { auditIndex } = error.detail
    throw weakValue(weakness, auditIndex === undefined ? {} : { auditIndex })
  }
}

/** Stops a write after the deadline: the client no longer waits, and the write could undo a newer one. */
function giveUpWhenLate(c: RequestContext): void {
  if (c.get('late')) throw refusal('late')
}

function bytesOf({ value, encoding }: z.output<typeof wire.PutSecret>): Bytes {
  const bytes = encoding === 'base64' ? parseBase64(value) : utf8(value)
  if (bytes === null) throw badRequest('value', 'Value must be base64 with padding')
  if (bytes.length > wire.MAX_VALUE_BYTES) {
    const message = `Value must have at most ${wire.MAX_VALUE_BYTES} bytes as UTF-8 or, with encoding: "base64", decoded`
    throw badRequest('value', message, { limitBytes: wire.MAX_VALUE_BYTES })
  }
  return bytes
}
