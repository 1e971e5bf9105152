import { type Context, Hono } from 'hono'
import type * as z from 'zod/mini'
import { type Bytes, base64, parseBase64, parseUtf8, utf8 } from '../../core/bytes.ts'
import type { Granted } from '../../core/call.ts'
import { badRequest, PosternError, refusal } from '../../core/errors.ts'
import { Redacted } from '../../core/redacted.ts'
import { visibleAll } from '../../core/redaction.ts'
import type { ListedSecret } from '../../core/secrets/list_operations.ts'
import { parseName } from '../../core/secrets/name.ts'
import type { SealedVersion, WriteInput } from '../../core/secrets/operations.ts'
import { fingerprints, openCursor, openVersion, type Place, sealCursor, sealValue } from '../../core/secrets/sealed.ts'
import type { ListedVersion } from '../../core/secrets/store.ts'
import type { StrengthPolicy } from '../../core/secrets/strength.ts'
import { textOf, weaknessOf, weakValue } from '../../core/secrets/strength.ts'
import * as wire from '../../core/wire.ts'
import { readJson, readOptionalJson } from '../body.ts'
import type { Env, Parts } from '../context.ts'
import { headers, query, recipientOf } from '../http/request.ts'
import { answer, answerWithValues, iso, when } from '../http/respond.ts'
import { timed } from '../observation.ts'
import { serve } from '../route_table.ts'
import { provided, providedVersions, removeProvided, tag, writeProvided } from './provided.ts'

/** The provider that is the vault's own store. */
const SEALED = 'sealed'

/** How often a write is sealed anew because another one was faster. */
const MAX_RACES = 20

/** `…/secrets`, `…/versions`, `…/restore` and `…/destroy`. */
export function secretRoutes(parts: Parts): Hono<Env> {
  const routes = new Hono<Env>()
  const { keyring, settings, gateway } = parts
  const { bodyTimeoutMs } = settings

  serve(routes, 'listSecrets', async (c) => {
    const { cursor, prefix, deleted, limit } = query(c, wire.ListQuery)
    const { vault } = c.var
    const list = JSON.stringify(['secrets', prefix, deleted])
    const after = cursor === undefined ? '' : await openCursor(keyring, vault, list, cursor)
    const granted = await c.var.handle.call('secret.list', c.var.caller, { prefix, after, deleted, limit })
    const { value } = granted
    const next = value.after === null ? {} : { cursor: await sealCursor(keyring, vault, list, value.after) }
    return answer(c, granted, { items: value.items.map(metadata), ...next } satisfies z.input<typeof wire.SecretList>)
  })

  serve(routes, 'readSecret', async (c) => {
    const { version } = query(c, wire.ReadQuery)
    const recipient = await recipientOf(c)
    const input = { name: nameOf(c), ...(version === undefined ? {} : { version }) }
    const granted = await c.get('handle').call('secret.read', c.get('caller'), input)
    if ('chain' in granted.value)
      return provided(c, await gateway.read(c.var, { ...granted, value: granted.value }), recipient)
    const body = secret(granted.value, await reveal(parts, c, granted.value))
    c.header('ETag', `"${granted.value.version}"`)
    return answerWithValues(c, granted, body, recipient)
  })

  serve(routes, 'putSecret', async (c) => {
    const name = nameOf(c)
    const body = wire.check(wire.PutSecret, await readJson(c.req.raw, bodyTimeoutMs))
    const draft = await draftOf(parts, c, name, body)
    const granted = await preconditioned(c.var.handle.inTurn(name, () => write(parts, c, draft)))
    const { version } = granted.value
    tag(c, version)
    return answer(c, granted, { name, version } satisfies z.input<typeof wire.PutSecretResult>, 201)
  })

  serve(routes, 'deleteSecret', async (c) => {
    const input = { name: nameOf(c), ...expected(c) }
    const granted = await preconditioned(c.var.handle.call('secret.delete', c.var.caller, input))
    if (!('chain' in granted.value))
      return answer(c, granted, { name: input.name, deletedAt: iso(granted.value.deletedAt) })
    const deleted = await removeProvided(parts, c, input.name, { ...granted, value: granted.value })
    return answer(c, deleted, { name: input.name, deletedAt: iso(deleted.value.at) })
  })

  serve(routes, 'restoreSecret', async (c) => {
    const input = { name: nameOf(c), ...expected(c) }
    const granted = await preconditioned(c.var.handle.call('secret.restore', c.var.caller, input))
    return answer(c, granted, { name: input.name, version: granted.value.version })
  })

  serve(routes, 'destroySecret', async (c) => {
    const name = nameOf(c)
    const { version } = wire.check(wire.DestroySecret, (await readOptionalJson(c.req.raw, bodyTimeoutMs)) ?? {})
    const which = { name, ...(version === undefined ? {} : { version }) }
    const call = c.var.handle.call('secret.destroy', c.var.caller, { ...which, ...expected(c) })
    const granted = await preconditioned(call)
    return answer(c, granted, { ...which, destroyedAt: iso(granted.value.destroyedAt) })
  })

  serve(routes, 'listVersions', async (c) => {
    const name = nameOf(c)
    const { cursor = Number.MAX_SAFE_INTEGER, limit } = query(c, wire.VersionsQuery)
    const granted = await c.var.handle.call('secret.versions', c.var.caller, { name, below: cursor, limit })
    const { value } = granted
    if ('chain' in value) return answer(c, granted, await providedVersions(parts, c, name, value.chain))
    const items = value.items.map((row) => history(row, value))
    const next = value.cursor === null ? {} : { cursor: String(value.cursor) }
    const body = { name, ...when('deletedAt', value.deletedAt), items, ...next }
    return answer(c, granted, body satisfies z.input<typeof wire.VersionList>)
  })

  return routes
}

/**
 * Opens a version that the vault released.
 *
 * @throws {PosternError} `tampered` or `unavailable`, recorded, when it cannot be opened.
 */
export async function reveal(
  { keyring, deks }: Parts,
  c: Context<Env>,
  version: SealedVersion,
): Promise<Redacted<Bytes>> {
  const opening = timed(c.get('observation'), 'open', () => openVersion(keyring, deks, c.get('vault'), version))
  const value = await opening
  if (typeof value !== 'string') return value
  const report = { name: version.name, version: version.version, reason: value }
  await c.var.handle.call('secret.unopened', c.var.caller, report)
  throw refusal(value)
}

/** A secret as the wire has it. The value is in clear from here on. */
export function secret(version: SealedVersion, value: Redacted<Bytes>): z.input<typeof wire.Secret> {
  const { name, encoding, contentType, tags, createdAt, expiresAt } = version
  const bytes = value.reveal()
  const text = encoding === 'utf8' ? parseUtf8(bytes) : null
  return {
    name,
    version: version.version,
    ...(text === null ? { value: base64(bytes), encoding: 'base64' } : { value: text }),
    contentType,
    tags: visibleAll(tags),
    createdAt: iso(createdAt),
    ...when('expiresAt', expiresAt),
    provider: SEALED,
  }
}

export function nameOf(c: Context<Env>): string {
  return parseName(c.req.param('name'))
}

/** A write before it is sealed, since it is sealed for its number. */
export interface Draft {
  place: Omit<Place, 'version'>
  value: Redacted<Bytes>
  /** Set when the vault took the value before: then no policy is asked about it, so nothing tells what it is. */
  isKept?: true
  rest: Pick<
    WriteInput,
    'contentType' | 'encoding' | 'tags' | 'expiresAt' | 'expect' | 'idempotency' | 'replace' | 'why'
  >
}

async function draftOf(
  { keyring }: Parts,
  c: Context<Env>,
  name: string,
  body: z.output<typeof wire.PutSecret>,
): Promise<Draft> {
  const { 'If-Match': version, 'If-None-Match': absent, 'Idempotency-Key': key } = headers(c, wire.WriteHeaders)
  if (version !== undefined && absent) throw badRequest('If-Match', 'If-Match and If-None-Match exclude each other')
  if (body.expiresAt !== undefined && body.expiresAt <= Date.now())
    throw badRequest('expiresAt', 'Must be in the future')
  const encoding = body.encoding ?? 'utf8'
  const contentType =
    body.contentType ?? (encoding === 'utf8' ? 'text/plain; charset=utf-8' : 'application/octet-stream')
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
 * Seals a value for the number that is next, and again when another write took that number; or hands it to the
 * provider that keeps the name.
 */
export async function write(
  parts: Parts,
  c: Context<Env>,
  draft: Draft,
): Promise<Granted<{ version: number | string }>> {
  const { place, value, rest } = draft
  const { handle, caller } = c.var
  const { keyring } = parts
  const { name } = place
  const mark = rest.idempotency && { idempotency: rest.idempotency }
  for (let races = 0; ; races++) {
    giveUpWhenLate(c)
    const prepared = await handle.call('secret.prepare', caller, { name, ...mark, replace: rest.replace })
    const { strength } = prepared.value
    if (strength !== null && !draft.isKept) await refuseWeak(c, name, textOf(value), strength)
    if ('chain' in prepared.value) return writeProvided(parts, c, draft, { ...prepared, value: prepared.value })
    const { version, term, root } = prepared.value
    const sealed = await sealValue(keyring, value, { ...place, version }, { term, root })
    giveUpWhenLate(c)
    try {
      return await handle.call('secret.write', caller, { name, version, ...sealed, ...rest, last: races === MAX_RACES })
    } catch (error) {
      const raced = error instanceof PosternError && error.detail.reason === 'raced'
      if (!raced || races === MAX_RACES) throw error
    }
  }
}

/**
 * Refuses a value that is weaker than the policy asks, and has the vault record that.
 *
 * @throws {PosternError} `bad_request` with reason `weak`; `unavailable` when it cannot be recorded.
 */
async function refuseWeak(c: Context<Env>, name: string, value: string, strength: StrengthPolicy): Promise<void> {
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

/** Nobody waits for it any more, and a write that was answered since must not be overtaken. */
function giveUpWhenLate(c: Context<Env>): void {
  if (c.get('late')) throw refusal('late')
}

/** The version that the client says is current, for what takes `If-Match`. */
function expected(c: Context<Env>): { expect?: number } {
  const { 'If-Match': expect } = headers(c, wire.DeleteHeaders)
  return expect === undefined ? {} : { expect }
}

function bytesOf({ value, encoding }: z.output<typeof wire.PutSecret>): Bytes {
  const bytes = encoding === 'base64' ? parseBase64(value) : utf8(value)
  if (bytes === null) throw badRequest('value', 'Value must be base64 with padding')
  if (bytes.length > wire.MAX_VALUE_BYTES) {
    const message = `Value must have at most ${wire.MAX_VALUE_BYTES} bytes`
    throw badRequest('value', message, { limitBytes: wire.MAX_VALUE_BYTES })
  }
  return bytes
}

/** A conflict with what the client expected is a failed precondition: 412 rather than 409. */
async function preconditioned<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    const { reason } = error instanceof PosternError ? error.detail : {}
    if (!(error instanceof PosternError) || (reason !== 'exists' && reason !== 'version_mismatch')) throw error
    throw new PosternError(error.code, error.message, { ...error.detail, precondition: true })
  }
}

function metadata(row: ListedSecret): z.input<typeof wire.SecretMetadata> {
  const { name, version, contentType, tags, createdAt, updatedAt, expiresAt, deletedAt } = row
  const times = { createdAt: iso(createdAt), updatedAt: iso(updatedAt) }
  return {
    name,
    version,
    contentType,
    tags: visibleAll(tags),
    ...times,
    ...when('expiresAt', expiresAt),
    ...when('deletedAt', deletedAt),
  }
}

function history(
  row: ListedVersion,
  { current, previous, pending }: { current: number | null; previous: number | null; pending: number | null },
): z.input<typeof wire.Version> {
  const { number, contentType, createdAt, createdBy, why, currentAt, checksum, expiresAt, destroyedAt } = row
  const stages = [
    [current, 'current'],
    [previous, 'previous'],
    [pending, 'pending'],
  ] as const
  const stage = stages.find(([at]) => at === number)?.[1]
  return {
    version: number,
    ...(stage === undefined ? {} : { stage }),
    contentType,
    createdAt: iso(createdAt),
    createdBy,
    ...(why !== null && { why }),
    ...when('currentAt', currentAt),
    ...(checksum !== null && { checksum }),
    ...when('expiresAt', expiresAt),
    ...when('destroyedAt', destroyedAt),
    provider: SEALED,
  }
}
